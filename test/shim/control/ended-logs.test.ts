import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { boundLogs } from '../../../shim/control/ended-logs.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const nowMs = 1_800_000_000_000
const hourMs = 3_600_000

test('the last logs of mounts that ended stay, and all of those that stand or start', async () => {
  const directory = await tempDirectory()
  const put = (name: string, ageMs: number, bytes = 10): void => {
    const file = path.join(directory, name)
    writeFileSync(file, Buffer.alloc(bytes))
    utimesSync(file, (nowMs - ageMs) / 1000, (nowMs - ageMs) / 1000)
  }
  for (let number = 10; number < 30; number += 1) put(`ended${number}.log`, number * hourMs)
  put('stands.log', 900 * hourMs)
  put('stands.sock', 900 * hourMs)
  put('starts.log', 1000)
  put('own.log', 900 * hourMs)
  boundLogs(directory, path.join(directory, 'own.log'), nowMs)
  // With the one that starts there are eight.
  const ended = [10, 11, 12, 13, 14, 15, 16].map((number) => `ended${number}.log`)
  expect(readdirSync(directory).toSorted()).toEqual([...ended, 'own.log', 'stands.log', 'stands.sock', 'starts.log'])
})

test('a log that has grown long is put aside once, and a directory that is not there is no trouble', async () => {
  const directory = await tempDirectory()
  const file = path.join(directory, 'own.log')
  for (const text of ['first', 'second']) {
    writeFileSync(file, Buffer.alloc(5 * 1024 * 1024, text))
    boundLogs(directory, file, nowMs)
    expect([existsSync(file), readdirSync(directory)]).toEqual([false, ['own.log.1']])
  }
  writeFileSync(file, Buffer.alloc(5 * 1024 * 1024))
  writeFileSync(path.join(directory, 'own.sock'), '')
  boundLogs(directory, file, nowMs)
  expect(existsSync(file)).toBe(true)
  boundLogs(path.join(directory, 'none'), path.join(directory, 'none', 'own.log'), nowMs)
})
