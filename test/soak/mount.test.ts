/**
 * A mount under everything at once, for minutes: readers of random ranges, a writer who replaces files over HTTP, a cache far too small,
 * an edge that comes and goes, and daemons that are killed. Every byte read must belong to one version of its file.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { edgemountOk, forceUnmount, Running } from '../support/command.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-soak-'))
const mountPoint = join(directory, 'mnt')
const store = `dir:${join(directory, 'store')}`
const fileCount = 40
const soakMs = Number(process.env['EDGEMOUNT_SOAK_MS'] ?? 300_000)
const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
const running = new Set<Running>()

afterAll(async () => {
  for (const process of running) await process.stop()
  forceUnmount(mountPoint)
  rmSync(directory, { recursive: true, force: true })
})

const sizeOf = (file: number): number => [0, 100, 4096, 4097, 70_000, 900_000, 3_000_000, 9_000_001][file % 8]!

/** Every 32-bit word tells its file, its version and its place, so that a stray byte of another is found. */
function bodyOf(file: number, version: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(sizeOf(file) / 4))
  for (let index = 0; index < words.length; index += 1) words[index] = (Math.imul(file * 65_537 + version, 2_654_435_761) ^ Math.imul(index, 40_503)) >>> 0
  return new Uint8Array(words.buffer, 0, sizeOf(file))
}

interface State {
  readonly random: SeededRandom
  /** Versions that a reader may see: the last acknowledged one and what is being written. */
  readonly versions: number[]
  readonly writing: number[]
  endsAt: number
  reads: number
  failures: number
}

const nameOf = (file: number): string => `file-${file}`

async function start(args: readonly string[]): Promise<Running> {
  const process = new Running(args)
  running.add(process)
  return process
}

async function write(base: string, state: State, file: number): Promise<void> {
  const version = state.versions[file]! + 1
  state.writing[file] = version
  const response = await fetch(`${base}/v1/soak/files/${nameOf(file)}`, { method: 'PUT', body: bodyOf(file, version) as Uint8Array<ArrayBuffer> })
  await response.arrayBuffer()
  if (response.ok) state.versions[file] = version
}

/** Reads a file, or a range of it, and checks that it is a version which was there between the open and the end. */
async function check(state: State, file: number): Promise<void> {
  const oldest = state.versions[file]!
  const size = sizeOf(file)
  const from = state.random.next() % (size + 1)
  const length = Math.min(size - from, state.random.next() % 400_000)
  let found: Uint8Array
  try {
    if (state.random.next() % 4 === 0) found = await readFile(join(mountPoint, nameOf(file)))
    else found = await readRange(file, from, length)
  } catch (error) {
    // The daemon was killed or the edge is away: an error is right, wrong bytes never are.
    expect((error as NodeJS.ErrnoException).code).toMatch(/^(EIO|ENOTCONN|ENOENT|ECONNABORTED|ESTALE)$/)
    state.failures += 1
    await sleep(50)
    return
  }
  state.reads += 1
  const start = found.length === size ? 0 : from
  // The mount may lag behind an acknowledged write by the time that an event takes.
  for (let version = state.writing[file]!; version >= Math.max(0, oldest - 2); version -= 1) {
    if (Buffer.compare(bodyOf(file, version).subarray(start, start + found.length), found) === 0) return
  }
  throw new Error(`Wrong bytes in ${nameOf(file)} at ${start}+${found.length} (versions ${oldest}…${state.writing[file]}), seed ${seed}`)
}

async function readRange(file: number, from: number, length: number): Promise<Uint8Array> {
  const handle = await open(join(mountPoint, nameOf(file)))
  try {
    const buffer = new Uint8Array(length)
    const { bytesRead } = await handle.read(buffer, 0, length, from)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

test(`every byte read for ${soakMs / 1000} s belongs to one version of its file (seed ${seed})`, { timeout: soakMs + 120_000 }, async () => {
  mkdirSync(mountPoint)
  const state: State = { random: new SeededRandom(seed), versions: [], writing: [], endsAt: Date.now() + soakMs, reads: 0, failures: 0 }
  await edgemountOk(['create', `${store}/soak`])
  const serve = await start(['serve', store, '--port', '0'])
  const base = (await serve.printed(/http:\/\/[\d.]+:\d+/))[0]
  for (let file = 0; file < fileCount; file += 1) {
    state.versions[file] = -1
    await write(base, state, file)
  }
  const mountArgs = ['mount', `${base}/soak`, mountPoint, '--cache', join(directory, 'cache'), '--cache-bytes', '16MiB', '--deadline', '5s']
  const readers = Array.from({ length: 4 }, async () => {
    while (Date.now() < state.endsAt) await check(state, state.random.next() % fileCount)
  })
  const writer = (async () => {
    while (Date.now() < state.endsAt) {
      await write(base, state, state.random.next() % fileCount)
      await sleep(state.random.next() % 200)
    }
  })()
  const killer = (async () => {
    while (Date.now() < state.endsAt) {
      const mount = await start(mountArgs)
      await mount.mounted(mountPoint)
      await sleep(Math.min(20_000, state.endsAt - Date.now()))
      await mount.stop(state.random.next() % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
      running.delete(mount)
    }
  })()
  await Promise.all([...readers, writer, killer])
  console.log(`${state.reads} reads, ${state.failures} errors while something was away, ${Math.max(...state.versions)} versions, seed ${seed}`)
  expect(state.reads).toBeGreaterThan(soakMs / 100)
})
