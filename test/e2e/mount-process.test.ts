/**
 * The mount of a real `edgemount mount` process: over an edge, killed, restarted, signalled.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Running, edgemountOk, forceUnmount, isMounted } from '../support/command.ts'
import { run, until } from '../support/run-program.ts'

let directory: string
let mountPoint: string
let store: string
let running: Running[]

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'edgemount-process-'))
  mountPoint = path.join(directory, 'mnt')
  store = `dir:${path.join(directory, 'store')}`
  running = []
  mkdirSync(mountPoint)
  mkdirSync(path.join(directory, 'source'))
  writeFileSync(path.join(directory, 'source/f'), 'hello')
  await edgemountOk(['import', path.join(directory, 'source'), `${store}/vol`])
})

afterEach(async () => {
  for (const each of running) await each.stop()
  forceUnmount(mountPoint)
  rmSync(directory, { recursive: true, force: true })
})

function begin(...parameters: string[]): Running {
  const started = new Running(parameters)
  running.push(started)
  return started
}

function mount(source: string, ...more: string[]): Running {
  return begin('mount', source, mountPoint, '--cache', path.join(directory, 'cache'), '--serve', 'off', ...more)
}

const read = async (name: string): Promise<string> => (await run('cat', path.join(mountPoint, name))).out

test('a killed daemon leaves no dead mount behind, and the next one mounts at the same place with a warm cache', async () => {
  const first = mount(`${store}/vol`)
  await first.mounted(mountPoint)
  expect(await read('f')).toBe('hello')
  await first.stop('SIGKILL')
  await until(() => !isMounted(mountPoint))
  const second = mount(`${store}/vol`)
  await second.mounted(mountPoint)
  expect(await read('f')).toBe('hello')
})

test('a dead mount that was left is cleared by the next', async () => {
  const first = mount(`${store}/vol`)
  await first.mounted(mountPoint)
  // Its watchdog goes first, so that nobody cleans up.
  let watchdogs: string[] = []
  // One sleeps, one looks.
  await until(async () => (watchdogs = (await run('pgrep', '-f', `edgemount-watchdog ${mountPoint} `)).out.trim().split('\n')).length === 2)
  await run('kill', '-9', ...watchdogs)
  await first.stop('SIGKILL')
  expect((await run('ls', mountPoint)).complaint).toContain('not connected')
  const second = mount(`${store}/vol`)
  await second.printed(/Mounted/)
  expect(await read('f')).toBe('hello')
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s unmounts and ends with 0', async (signal) => {
  const daemon = mount(`${store}/vol`)
  await daemon.mounted(mountPoint)
  expect(await read('f')).toBe('hello')
  expect(await daemon.stop(signal)).toBe(0)
  expect(isMounted(mountPoint)).toBe(false)
})

test('over an edge: commits show within a second by its events, the edge may go and come back', async () => {
  const edge = begin('serve', store, '--port', '0')
  const [, url] = await edge.printed(/(http:\/\/[\d.]+:\d+)/)
  const port = new URL(url!).port
  const daemon = mount(`${url!}/vol`, '--deadline', '1500ms')
  await daemon.mounted(mountPoint)
  expect(await read('f')).toBe('hello')
  const startMs = performance.now()
  writeFileSync(path.join(directory, 'new'), 'new')
  await edgemountOk(['put', path.join(directory, 'new'), `${store}/vol/new`])
  const committedMs = performance.now()
  await until(async () => (await read('new')) === 'new')
  expect(performance.now() - committedMs).toBeLessThan(1000)
  expect(startMs).toBeLessThan(committedMs)
  await edge.stop()
  expect(await read('f')).toBe('hello')
  const back = begin('serve', store, '--port', port)
  await back.printed(/http:/)
  writeFileSync(path.join(directory, 'new'), 'newer')
  await edgemountOk(['put', path.join(directory, 'new'), `${store}/vol/new`])
  await until(async () => (await read('new')) === 'newer')
})
