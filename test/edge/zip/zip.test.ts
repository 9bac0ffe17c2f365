/** Archives: what Python's zipfile, Info-ZIP's unzip and unzipit read of them is what went in, and the work ends with its client. */
import { execFile } from 'node:child_process'
import { lstat, mkdir, readFile, readlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { unzip } from 'unzipit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { crc32 } from '../../../edge/zip/crc32.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { type ZipEntry, zipPieces } from '../../../edge/zip/zip.ts'
import { concatBytes } from '../../../shared/bytes.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { spyStore } from '../../support/spy-store.ts'
import { tempDirectory } from '../../support/temp-directory.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge-under-test.ts'

const run = promisify(execFile)
const mtime = { seconds: 1_700_000_001, nanoseconds: 5 }

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const piece of pieces) parts.push(piece.slice())
  return concatBytes(parts)
}

/** With bodies at hand, and as streams whose pieces have any length. */
function sourceOf(entries: readonly (ZipEntry & { readonly bytes: Uint8Array })[]) {
  const walk = async function* () {
    yield* entries
  }
  const read = async function* ({ bytes }: { readonly bytes: Uint8Array }) {
    for (let start = 0, length = 1; start < bytes.length; start += length, length *= 3) yield bytes.subarray(start, start + length)
  }
  return { walk, read }
}

test('the checksum is that of zlib, whole or in pieces', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
      expect(crc32(0, bytes)).toBe(zlibCrc32(bytes))
      expect(crc32(crc32(0, bytes.subarray(0, cut)), bytes.subarray(cut))).toBe(zlibCrc32(bytes))
    }),
  )
})

test('any names and bodies come out as they went in', async () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => !/[/\0\\]/.test(text) && !['.', '..'].includes(text))
  const entry = fc.record({ name, bytes: fc.uint8Array({ maxLength: 80_000, size: 'medium' }), isHeld: fc.boolean(), mode: fc.constantFrom(0o100644, 0o100755) })
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(entry, { selector: (each) => each.name, maxLength: 8 }), async (made) => {
      const entries = made.map(({ name, bytes, isHeld, mode }) => ({ name, bytes, mode, mtime, size: bytes.length, body: isHeld ? bytes : undefined }))
      const archive = await collect(zipPieces(sourceOf(entries)))
      const { entries: read } = await unzip(new Uint8Array(archive).buffer)
      expect(Object.keys(read).toSorted()).toEqual(entries.map((each) => each.name).toSorted())
      for (const each of entries) expect(Buffer.compare(new Uint8Array(await read[each.name]!.arrayBuffer()), each.bytes)).toBe(0)
    }),
    { numRuns: 30 },
  )
})

test('what is long has zip64 fields in both headers, its descriptor, its offset and the end', async () => {
  const bodies = [new SeededRandom(5).bytes(5000), new TextEncoder().encode('short'), new SeededRandom(6).bytes(1000), new SeededRandom(7).bytes(999)]
  const entries = bodies.map((bytes, index) => ({ name: `n${index}`, bytes, mode: 0o100644, mtime, size: bytes.length, body: index === 2 ? bytes : undefined }))
  const archive = await collect(zipPieces({ ...sourceOf(entries), longBytes: 1000 }))
  const file = path.join(await tempDirectory(), 'long.zip')
  await writeFile(file, archive)
  const script = `import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nfor i in z.infolist(): print(i.filename, i.file_size, i.extract_version, z.read(i).hex())`
  const { stdout } = await run('python3', ['-c', script, file])
  expect(stdout.trim().split('\n')).toEqual(entries.map(({ name, bytes }) => `${name} ${bytes.length} 45 ${Buffer.from(bytes).toString('hex')}`))
  await run('unzip', ['-tq', file])
  const { entries: read } = await unzip(new Uint8Array(archive).buffer)
  for (const { name, bytes } of entries) expect(Buffer.compare(new Uint8Array(await read[name]!.arrayBuffer()), bytes)).toBe(0)
})

describe('of a volume', () => {
  let edge: EdgeUnderTest
  const big = new SeededRandom(3).bytes(3_000_000)
  const strange = ['ü ñ 日本 🙂.txt', 'a\nb', 'quote"\'`$(x)', '-rf', ' space ', 'back\\slash', 'raw\udcff\udcfe.bin', 'x'.repeat(255)]

  beforeAll(async () => {
    edge = await startEdge()
    const operations: Operation[] = [
      await fileOperation(edge.volume, '/top/big.bin', big, { mtime, mode: 0o640 }),
      await fileOperation(edge.volume, '/top/run.sh', '#!/bin/sh\n', { mtime, mode: 0o755 }),
      await fileOperation(edge.volume, '/top/empty', '', { mtime }),
      { op: 'mkdir', path: '/top/nothing in it', mode: 0o750, mtime },
      { op: 'symlink', path: '/top/link', target: 'big.bin' },
      { op: 'symlink', path: '/door', target: 'top' },
      { op: 'mknod', path: '/top/pipe', kind: 'fifo' },
    ]
    for (const name of strange) operations.push(await fileOperation(edge.volume, `/top/deep/${name}`, `body of ${name.toWellFormed()}`, { mtime }))
    await edge.commit(...operations)
  })

  afterAll(() => edge.close())

  test('unzip and Python restore the tree: names, bytes, modes, times, links, empty directories', async () => {
    const response = await edge.raw({ path: `/v1/${volumeName}/zip/top` })
    expect(response.headers).toMatchObject({ 'content-type': 'application/zip', 'content-disposition': 'attachment; filename="top.zip"', 'accept-ranges': 'none', 'edgemount-seq': '2' })
    const directory = await tempDirectory()
    const file = path.join(directory, 'top.zip')
    await writeFile(file, response.body)
    const out = path.join(directory, 'out')
    await mkdir(out)
    await run('unzip', ['-q', file, '-d', out], { env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' } })
    expect(Buffer.compare(await readFile(path.join(out, 'top/big.bin')), big)).toBe(0)
    const bigFile = await lstat(path.join(out, 'top/big.bin'))
    expect([bigFile.mode & 0o777, bigFile.mtimeMs]).toEqual([0o640, mtime.seconds * 1000])
    expect((await lstat(path.join(out, 'top/run.sh'))).mode & 0o777).toBe(0o755)
    expect((await lstat(path.join(out, 'top/nothing in it'))).mode & 0o777).toBe(0o750)
    expect(await readlink(path.join(out, 'top/link'))).toBe('big.bin')
    const script = `import sys,zipfile,json\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(json.dumps([[i.filename, z.read(i).decode('utf8') if 'deep/' in i.filename else '', i.flag_bits & 0x800, list(i.date_time)] for i in z.infolist()]))`
    const { stdout } = await run('python3', ['-c', script, file])
    const read = JSON.parse(stdout) as [string, string, number, number[]][]
    const well = strange.filter((name) => name.isWellFormed())
    for (const name of well) expect(read).toContainEqual([`top/deep/${name}`, `body of ${name}`, 0x800, [2023, 11, 14, 22, 13, 20]])
    // Bytes that are no UTF-8 have no flag: readers that know better take them as they are.
    expect(read.filter(([, , flag]) => flag === 0)).toEqual([['top/deep/raw\u00a0\u25a0.bin', 'body of raw\ufffd\ufffd.bin', 0, expect.anything()]])
    expect(read).toHaveLength(strange.length + 7)
    expect(read.some(([name]) => name.includes('pipe'))).toBe(false)
  })

  test('follows a symlink to what it archives, takes one file, a commit, and the whole volume', async () => {
    const namesOf = async (address: string): Promise<string[]> => {
      const response = await edge.raw({ path: address })
      expect([address, response.status]).toEqual([address, 200])
      return Object.keys((await unzip(new Uint8Array(response.body).buffer)).entries)
    }
    expect((await namesOf(`/v1/${volumeName}/zip/door/`)).slice(0, 3)).toEqual(['door/', 'door/big.bin', 'door/deep/'])
    expect(await namesOf(`/v1/${volumeName}/zip/top/run.sh`)).toEqual(['run.sh'])
    expect(await namesOf(`/v1/${volumeName}/zip/?seq=1`)).toEqual([`${volumeName}/`])
    expect(await namesOf(`/v1/${volumeName}/zip/`)).toContain(`${volumeName}/top/big.bin`)
    expect((await edge.raw({ path: `/v1/${volumeName}/zip/none` })).status).toBe(404)
    expect((await edge.raw({ path: `/v1/${volumeName}/zip/top/pipe` })).status).toBe(501)
    const head = await edge.raw({ method: 'HEAD', path: `/v1/${volumeName}/zip/top` })
    expect([head.status, head.body.length, head.headers['content-length']]).toEqual([200, 0, undefined])
  })
})

test('a client that goes away ends the reading', async () => {
  const spy = spyStore(new MemoryStore())
  const edge = await startEdge({ store: spy.store })
  const operations: Operation[] = []
  for (let index = 0; index < 40; index += 1) operations.push(await fileOperation(edge.volume, `/many/${index}.bin`, new SeededRandom(index + 1).bytes(1_000_000)))
  await edge.commit(...operations)
  const reads = (): number => spy.calls.filter((call) => call.startsWith('get') && call.includes('data/')).length
  const before = reads()
  const stop = new AbortController()
  const response = await fetch(`${edge.url}/v1/${volumeName}/zip/many`, { signal: stop.signal })
  const reader = response.body!.getReader()
  await reader.read()
  stop.abort()
  await reader.read().catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const after = reads()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(reads()).toBe(after)
  expect(after - before).toBeLessThan(40)
  await edge.close()
})

test('more names than two bytes count are all there', async () => {
  const count = 70_000
  const walk = async function* () {
    for (let index = 0; index < count; index += 1) yield { name: `n/${index}`, mode: 0o100644, mtime, size: 0, body: new Uint8Array(0) }
  }
  const file = path.join(await tempDirectory(), 'many.zip')
  await writeFile(file, await collect(zipPieces({ walk, read: () => walk() as never })))
  const { stdout } = await run('python3', ['-c', `import sys,zipfile\nn=zipfile.ZipFile(sys.argv[1]).namelist()\nprint(len(n), n[-1])`, file])
  expect(stdout.trim()).toBe(`${count} n/${count - 1}`)
})
