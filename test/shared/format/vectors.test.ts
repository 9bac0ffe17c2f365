/**
 * The golden bytes of `test/vectors/`, in both directions. They were computed from FORMAT.md by a program that shares no code with this
 * one; when a test here fails, volumes that exist cannot be read or will be cut anew, so it is never the vectors that are changed.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../../shared/bytes.ts'
import { Chunker, type ChunkingParameters, gear } from '../../../shared/chunker.ts'
import { decodeOperations, encodeOperations } from '../../../shared/format/commit-operation.ts'
import { decodeRecord, decodeVolumeConfig, encodeRecord, encodeVolumeConfig } from '../../../shared/format/commit.ts'
import { decodeEntry, decodeRoot, encodeEntry, encodeRoot } from '../../../shared/format/entry-codec.ts'
import type { Content, Entry, ManifestRoot, Pointer, Run } from '../../../shared/format/entry.ts'
import { idOfInodeKey, inodeKey } from '../../../shared/format/inode-key.ts'
import { ManifestBuilder } from '../../../shared/format/manifest-build.ts'
import { ManifestPage, resolveRuns } from '../../../shared/format/manifest-page.ts'
import { decodePointer, encodePointer } from '../../../shared/format/pointer-codec.ts'
import { editTree, lotOfKey } from '../../../shared/format/tree-edit.ts'
import { listTree, TreePage } from '../../../shared/format/tree-page.ts'
import { compareBytes } from '../../../shared/name.ts'
import { logKey, seqOfLogKey } from '../../../shared/volume/keys.ts'
import { chunkRun, fileId } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { metaPack } from '../../support/page-memory.ts'

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'))
}

/** The field of a vector, of the type that is expected there. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null) throw new Error(`a vector has no ${path.join('.')}`)
    found = new Map<string, unknown>(Object.entries(found)).get(String(key))
  }
  return found
}

function text(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path)
  if (typeof found !== 'string') throw new Error(`${path.join('.')} of a vector is no text`)
  return found
}

function number(value: unknown, ...path: readonly (string | number)[]): number {
  const found = at(value, ...path)
  if (typeof found !== 'number') throw new Error(`${path.join('.')} of a vector is no number`)
  return found
}

function list(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path)
  if (!Array.isArray(found)) throw new Error(`${path.join('.')} of a vector is no list`)
  return found
}

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value)

/** An entry as the vectors spell it. */
function spell(entry: Entry): object {
  const { kind, id, mode, uid, gid, mtime, ctime, size, linkCount } = entry
  const xattrs = Object.fromEntries([...entry.xattrs].map(([name, value]) => [name, toHex(value)]))
  const { atime } = entry
  const read = atime === undefined ? {} : { atime: [atime.seconds, atime.nanoseconds] }
  const times = { mtime: [mtime.seconds, mtime.nanoseconds], ctime: [ctime.seconds, ctime.nanoseconds], ...read }
  return { kind, id, mode, uid, gid, ...times, size, linkCount, xattrs, content: spellContent(entry.content) }
}

function spellContent(content: Content): object {
  if (content.kind === 'inline') return { kind: 'inline', bytes: toHex(content.bytes) }
  if (content.kind === 'manifest') return { kind: 'manifest', root: spellManifest(content.root) }
  if (content.kind === 'tree' && content.root.pointer === undefined) {
    return { kind: 'tree', root: { entryCount: content.root.entryCount, directoryCount: content.root.directoryCount } }
  }
  return content
}

function spellManifest(root: ManifestRoot): object {
  if (root.kind === 'page') return root
  const page = new ManifestPage(root.page, undefined)
  const runs = Array.from({ length: page.count }, (_, index) => page.run(index))
  return { kind: 'inline', runs, page: toHex(root.page), contentId: root.contentId }
}

/** Lays pages back to back in one pack, and keeps what the vectors say about each. */
class VectorPack {
  readonly pages = new Map<string, Uint8Array>()
  readonly summaries: object[] = []
  #offset = 0

  readonly store = (page: Uint8Array): Promise<Pointer> => {
    const pointer = { hash: hashOf(page), pack: metaPack, offset: this.#offset, length: page.length }
    this.#offset += page.length
    this.pages.set(pointer.hash, page)
    this.summaries.push({ hash: pointer.hash, bytes: page.length, level: page[2], items: page[3]! + page[4]! * 256 })
    return Promise.resolve(pointer)
  }

  readonly load = (pointer: Pointer): Promise<Uint8Array> => Promise.resolve(this.pages.get(pointer.hash)!)
}

describe('chunker', () => {
  const vectors = read('chunker')

  test('has its gear', () => {
    expect(Array.from(gear.subarray(0, 8), (word) => word >>> 0)).toEqual(at(vectors, 'gear'))
    expect(hashOf(new Uint8Array(gear.buffer))).toBe(text(vectors, 'gearHash'))
  })

  test.each([0, 1, 2])('cuts body %d', (index) => {
    const parameters = readParameters(at(vectors, 'cuts', index, 'parameters'))
    const body = new Uint8Array(number(vectors, 'cuts', index, 'bodyBytes'))
    for (let start = 0; start < body.length; start += 32) {
      body.set(fromHex(hashOf(String(start / 32))).subarray(0, body.length - start), start)
    }
    const chunker = new Chunker(parameters)
    const lengths: number[] = []
    for (let start = 0; start < body.length; start += lengths.at(-1)!) lengths.push(chunker.next(body, start, body.length, true))
    expect(lengths).toEqual(at(vectors, 'cuts', index, 'lengths'))
  })
})

/** By the decoder of volume.json, which checks them. */
function readParameters(parameters: unknown): ChunkingParameters {
  return decodeVolumeConfig(bytesOf(JSON.stringify({ format: 1, id: 'x', name: 'x', created: 0, chunking: parameters, capabilities: [] })))
    .chunking
}

describe('values', () => {
  const vectors = read('values')

  test.each(list(vectors, 'pointers').map((vector) => [text(vector, 'pointer', 'pack'), vector] as const))(
    'pointer into %s',
    (_, vector) => {
      const pointer = decodePointer(fromHex(text(vector, 'bytes')))
      expect(pointer).toEqual(at(vector, 'pointer'))
      expect(toHex(encodePointer(pointer))).toBe(text(vector, 'bytes'))
    },
  )

  test.each(list(vectors, 'entries').map((vector) => [text(vector, 'name'), vector] as const))('%s', (_, vector) => {
    const entry = decodeEntry(fromHex(text(vector, 'bytes')))
    expect(spell(entry)).toEqual(at(vector, 'entry'))
    expect(toHex(encodeEntry(entry))).toBe(text(vector, 'bytes'))
  })

  test.each([0, 1])('root %d', (index) => {
    const vector = list(vectors, 'roots')[index]
    const directory = list(vectors, 'entries').find((each) => at(each, 'name') === at(vector, 'directory'))
    const root = decodeRoot(fromHex(text(vector, 'bytes')))
    expect(spell(root.directory)).toEqual(at(directory, 'entry'))
    expect(root.inodes).toEqual(at(vector, 'inodes'))
    expect(toHex(encodeRoot(root))).toBe(text(vector, 'bytes'))
  })

  test('lots of keys, and keys of inodes', () => {
    for (const vector of list(vectors, 'lots')) {
      expect(lotOfKey(fromHex(text(vector, 'key')), number(vector, 'level'))).toBe(number(vector, 'lot'))
    }
    for (const vector of list(vectors, 'inodeKeys')) {
      const id = fileId(number(vector, 'id'))
      expect(toHex(inodeKey(id))).toBe(text(vector, 'key'))
      expect(idOfInodeKey(fromHex(text(vector, 'key')))).toBe(id)
    }
  })
})

describe('pages', () => {
  const vectors = read('pages')

  test('a small tree', async () => {
    const bytes = fromHex(text(vectors, 'smallTree', 'page'))
    const pointer = { hash: hashOf(bytes), pack: metaPack, offset: 0, length: bytes.length }
    const page = new TreePage(bytes, pointer)
    const items = Array.from({ length: page.count }, (_, index) => ({ key: page.key(index), value: page.value(index) }))
    expect(items.map(({ key, value }) => ({ key: toHex(key), value: toHex(value) }))).toEqual(at(vectors, 'smallTree', 'items'))
    expect(await editTree(undefined, items, new VectorPack())).toEqual(pointer)
  })

  test('a tree of 5000 items', async () => {
    const items = Array.from(
      { length: 5000 },
      (_, index) => ({ key: bytesOf(`name-${index}`), value: bytesOf(`value ${index} `.repeat(10)) }),
    )
    const sorted = items.toSorted((a, b) => compareBytes(a.key, b.key))
    const pack = new VectorPack()
    const root = await editTree(undefined, sorted, pack)
    expect(pack.summaries).toEqual(at(vectors, 'tree', 'pages'))
    expect(root?.hash).toBe(text(vectors, 'tree', 'root'))
    expect(listTree(root, undefined, 6000, (pointer) => pack.pages.get(pointer.hash))).toEqual({ items: sorted, done: true })
  })

  test('a tree of long keys, which has inner pages enough to be cut', async () => {
    const value = bytesOf('v'.repeat(9000))
    const pack = new VectorPack()
    await editTree(
      undefined,
      Array.from({ length: 3000 }, (_, index) => ({ key: bytesOf('k'.repeat(245) + String(index).padStart(5, '0')), value })),
      pack,
    )
    expect(pack.summaries).toHaveLength(number(vectors, 'deepTree', 'pages'))
    expect(pack.summaries.filter((page) => number(page, 'level') > 0)).toEqual(at(vectors, 'deepTree', 'innerPages'))
  })

  test('a small manifest', async () => {
    const bytes = fromHex(text(vectors, 'smallManifest', 'page'))
    const page = new ManifestPage(bytes, undefined)
    const runs = Array.from({ length: page.count }, (_, index) => page.run(index))
    expect(runs).toEqual(at(vectors, 'smallManifest', 'runs'))
    const builder = new ManifestBuilder(new VectorPack())
    for (const run of runs) await builder.add(run)
    expect(await builder.finish()).toEqual({ kind: 'inline', page: bytes, contentId: text(vectors, 'smallManifest', 'contentId') })
  })

  test('a manifest of 5715 runs', async () => {
    const runs: Run[] = []
    for (let index = 0; index < 5000; index += 1) {
      runs.push(chunkRun(hashOf(`chunk ${index}`), 100_000 + index, 7000 * index))
      if (index % 7 === 0) runs.push({ kind: 'hole', length: 4096 * (index + 1) })
    }
    const pack = new VectorPack()
    const builder = new ManifestBuilder(pack)
    for (const run of runs) await builder.add(run)
    const root = await builder.finish()
    expect(pack.summaries).toEqual(at(vectors, 'manifest', 'pages'))
    expect(root).toMatchObject({
      kind: 'page',
      pointer: { hash: text(vectors, 'manifest', 'root') },
      contentId: text(vectors, 'manifest', 'contentId'),
    })
    const resolved = resolveRuns(root, { start: 0, end: builder.length }, (pointer) => pack.pages.get(pointer.hash))
    expect('runs' in resolved && resolved.runs.map(({ run }) => run)).toEqual(runs)
  })
})

describe('JSON', () => {
  const vectors = read('commit')

  test.each([0, 1, 2])('commit record %d', (index) => {
    const bytes = bytesOf(text(vectors, 'records', index, 'text'))
    const record = decodeRecord(bytes)
    expect(record.seq).toBe(index + 1)
    expect(record.parent).toBe(index === 0 ? undefined : text(vectors, 'records', index - 1, 'hash'))
    expect(new TextDecoder().decode(encodeRecord(record))).toBe(text(vectors, 'records', index, 'text'))
    expect(hashOf(bytes)).toBe(text(vectors, 'records', index, 'hash'))
  })

  test('the second record', () => {
    expect(decodeRecord(bytesOf(text(vectors, 'records', 1, 'text')))).toMatchObject({
      nonce: 'n2',
      author: 'host-1',
      time: 1_763_724_001_000,
      message: 'two ü',
      operations: [
        { op: 'create', path: '/a\udcffü', id: 300 },
        { op: 'rename', path: '/b', to: '/c/d' },
      ],
    })
  })

  test('volume.json', () => {
    const config = decodeVolumeConfig(bytesOf(text(vectors, 'volume')))
    expect(config).toMatchObject({
      name: 'demo',
      created: 1_763_724_000_000,
      chunking: { kind: 'content', averageBytes: 262_144 },
      capabilities: ['create-if-absent', 'ranged-get'],
    })
    expect(new TextDecoder().decode(encodeVolumeConfig(config))).toBe(text(vectors, 'volume'))
  })

  test('a page of operations', () => {
    const operations = decodeOperations(bytesOf(text(vectors, 'operationPage')))
    expect(operations).toEqual([
      { op: 'mkdir', path: '/a' },
      { op: 'conflict', path: '/b', to: '/b.conflict-host-1-2', id: 5 },
    ])
    expect(new TextDecoder().decode(encodeOperations(operations))).toBe(text(vectors, 'operationPage'))
  })

  test('keys of the log', () => {
    for (const vector of list(vectors, 'logKeys')) {
      expect(logKey(number(vector, 'seq'))).toBe(text(vector, 'key'))
      expect(seqOfLogKey(text(vector, 'key'))).toBe(number(vector, 'seq'))
    }
  })
})
