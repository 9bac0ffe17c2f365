import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writev, writevSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { BodyFile } from '../../../shim/publish/body-file.ts'

/** Where no disk makes who writes a file out wait for the write as well. */
const inMemory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const partBytes = 16 * 1024 * 1024
const partCount = 16

function parts(byte: number): Uint8Array[] {
  const part = new Uint8Array(partBytes).fill(byte)
  return Array.from({ length: partCount }, () => part)
}

test('a write that is under way, and of whose end the time of change says nothing, is waited for', async () => {
  const directory = mkdtempSync(path.join(inMemory, 'edgemount-body-'))
  const name = path.join(directory, 'body')
  const fd = openSync(name, 'w+', 0o600)
  try {
    writevSync(fd, parts(1))
    const next = parts(2)
    const { mtimeNs } = fstatSync(fd, { bigint: true })
    const written = Promise.withResolvers<undefined>()
    writev(fd, next, 0, () => written.resolve(undefined))
    while (fstatSync(fd, { bigint: true }).mtimeNs === mtimeNs);
    const file = BodyFile.open(name, '/f')
    await file.endWrite()
    await file.settle()
    const last = new Uint8Array(1)
    readSync(fd, last, 0, 1, partBytes * partCount - 1)
    await written.promise
    expect(file.isSteady()).toBe(true)
    expect(last[0]).toBe(2)
    file.close()
  } finally {
    closeSync(fd)
    rmSync(directory, { recursive: true, force: true })
  }
})

test('who asks where data is, while somebody writes, does not wait on this thread', async () => {
  const directory = mkdtempSync(path.join(inMemory, 'edgemount-body-'))
  const name = path.join(directory, 'body')
  const fd = openSync(name, 'w+', 0o600)
  try {
    writevSync(fd, parts(1))
    const next = parts(2)
    const file = BodyFile.open(name, '/f')
    const { mtimeNs } = fstatSync(fd, { bigint: true })
    const written = Promise.withResolvers<undefined>()
    writev(fd, next, 0, () => written.resolve(undefined))
    while (fstatSync(fd, { bigint: true }).mtimeNs === mtimeNs);
    const startMs = performance.now()
    const data = file.data(new AbortController().signal)
    const blockedMs = performance.now() - startMs
    expect(await data).toEqual([{ start: 0, end: partBytes * partCount }])
    await written.promise
    expect(blockedMs).toBeLessThan((performance.now() - startMs) / 2)
    file.close()
  } finally {
    closeSync(fd)
    rmSync(directory, { recursive: true, force: true })
  }
})
