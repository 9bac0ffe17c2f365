/** Rewriting a body around its changes gives the bytes that writing all of it would, and reads and stores little. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { type ChunkingParameters, defaultChunking } from '../../../shared/chunker.ts'
import type { Content, Entry } from '../../../shared/format/entry.ts'
import type { ByteRange } from '../../../shared/range.ts'
import type { RewriteRequest } from '../../../shared/volume/rewrite-request.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { effort } from '../../support/effort.ts'
import { fileEntry } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { bytesOf, engineOf, expectBytes, inPieces, newVolume, randomBytes, smallChunks } from '../../support/test-volume.ts'

const fixedChunks: ChunkingParameters = { kind: 'fixed', bytes: 8192 }

interface Change extends ByteRange {
  readonly kind: 'random' | 'same' | 'constant' | 'zeros' | 'punch'
}

interface Step {
  readonly changes: readonly Change[]
  readonly keptBytes: number
  readonly size: number
}

const length = fc.oneof(fc.nat(300), fc.nat(20_000), fc.nat(400_000))
const step: fc.Arbitrary<Step> = fc
  .record({
    changes: fc.array(fc.record({ kind: fc.constantFrom('random', 'same', 'constant', 'zeros', 'punch'), start: fc.nat(400_000), length }), { maxLength: 6 }),
    keptBytes: fc.oneof({ weight: 3, arbitrary: fc.constant(1e9) }, { weight: 1, arbitrary: fc.nat(400_000) }),
    size: fc.oneof(fc.nat(600_000), fc.nat(20_000), fc.constant(400_000)),
  })
  .map(({ changes, keptBytes, size }) => ({ keptBytes, size, changes: apart(changes.map((each) => ({ ...each, end: each.start + each.length })), size) }))

describe.each([
  ['content-defined', smallChunks],
  ['fixed', fixedChunks],
])('rewriting in a volume with %s chunks', (_, chunking) => {
  test('gives the bytes of the new body, again and again', async () => {
    const kinds = fc.constantFrom('random' as const, 'constant' as const, 'zeros' as const)
    const first = fc.record({ kind: kinds, size: fc.oneof(fc.constant(400_000), fc.nat(100_000)) })
    await fc.assert(
      fc.asyncProperty(first, fc.array(step, { minLength: 1, maxLength: 5 }), async ({ kind, size }, steps) => {
        const volume = await newVolume({ chunking })
        const writer = volume.writer()
        let bytes: Uint8Array = contentOf(kind, size, 1, new Uint8Array(0))
        let { content } = await writer.write(inPieces(bytes))
        await writer.flush()
        for (const [index, each] of steps.entries()) {
          const next = apply(bytes, each, index + 2)
          const written = await writer.rewrite(requestOf(content, next, each))
          await writer.flush()
          expect(written.size).toBe(next.length)
          expectBytes(await read(volume, written.content, next.length), next)
          ;({ content } = written)
          bytes = next
        }
      }),
      { numRuns: 50 * effort },
    )
  }, 60_000 * effort)

  test('stores and reads no more than the chunks around one changed byte', async () => {
    const chunkMax = chunking.kind === 'fixed' ? chunking.bytes : chunking.maxBytes
    const volume = await newVolume({ chunking })
    const writer = volume.writer()
    for (const kind of ['random', 'constant'] as const) {
      const bytes = contentOf(kind, 1_000_000, 7, new Uint8Array(0))
      const { content } = await writer.write(inPieces(bytes))
      await writer.flush()
      await fc.assert(
        fc.asyncProperty(fc.nat(999_999), fc.nat(255), async (at, byte) => {
          const fresh = volume.writer()
          const next = bytes.slice()
          next[at] = byte
          let readBytes = 0
          const request = requestOf(content, next, { changes: [{ kind: 'random', start: at, end: at + 1 }], keptBytes: 1e9, size: next.length })
          const written = await fresh.rewrite({ ...request, readOld: (range) => {
            readBytes += range.end - range.start
            return piecesOf(bytes, range)
          } })
          expect(written.newBytes).toBeLessThan(2 * chunkMax)
          expect(readBytes).toBeLessThan(4 * chunkMax)
          if (chunking.kind === 'fixed') expect(readBytes).toBeLessThanOrEqual(chunkMax)
        }),
        { numRuns: 30 * effort },
      )
    }
  }, 60_000 * effort)
})

describe('rewriting', () => {
  test('cuts a body as writing all of it does, when it was cut so before', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    const bytes = randomBytes(5, 500_000)
    const { content } = await writer.write(inPieces(bytes))
    await writer.flush()
    for (const [at, count] of [[0, 1], [250_000, 40], [499_990, 10], [100_000, 100_000]] as const) {
      const next = bytes.slice()
      next.set(randomBytes(at + 1, count), at)
      const request = requestOf(content, next, { changes: [{ kind: 'random', start: at, end: at + count }], keptBytes: 1e9, size: next.length })
      expect((await writer.rewrite(request)).content).toMatchObject({ root: { contentId: contentIdOf((await writer.write(inPieces(next))).content) } })
    }
  })

  test('appending leaves no short chunks behind', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    let bytes: Uint8Array = randomBytes(5, 5000)
    let { content } = await writer.write(inPieces(bytes))
    for (let round = 0; round < 60; round += 1) {
      await writer.flush()
      const next = new Uint8Array(bytes.length + 300)
      next.set(bytes)
      next.set(randomBytes(round, 300), bytes.length)
      const changes: Change[] = [{ kind: 'random', start: bytes.length, end: next.length }]
      ;({ content } = await writer.rewrite(requestOf(content, next, { changes, keptBytes: bytes.length, size: next.length })))
      bytes = next
    }
    expect(content).toMatchObject({ root: { contentId: contentIdOf((await writer.write(inPieces(bytes))).content) } })
  })

  test('a sparse file of 10 TiB costs what is written in it', async () => {
    const volume = await newVolume({ chunking: defaultChunking })
    const writer = volume.writer()
    const size = 10 * 2 ** 40
    const at = [0, 2 ** 30 + 5, 5 * 2 ** 40, size - 4096]
    const request = { size, readWritten: ({ start, end }: ByteRange) => one(randomBytes(start % 1000, end - start)) }
    const written = await writer.rewrite({ ...request, old: undefined, written: at.map((start) => ({ start, end: start + 4096 })) })
    await writer.flush()
    expect(written.newBytes).toBe(4 * 4096)
    const entry = entryOf(written.content, size)
    for (const start of at) expectBytes(await bytesOf(await volume.head(), entry, { start, end: start + 4096 }), randomBytes(start % 1000, 4096))
    expectBytes(await bytesOf(await volume.head(), entry, { start: 2 ** 30, end: 2 ** 30 + 5 }), new Uint8Array(5))

    const root = rootOf(written.content)
    const punched = await writer.rewrite({ ...request, old: { root, keptBytes: size }, written: [], zeros: [{ start: 2 ** 30, end: 9 * 2 ** 40 }] })
    await writer.flush()
    const runs = await Array.fromAsync((await volume.head()).runs(entryOf(punched.content, size)))
    expect(runs.map(({ start, run }) => [start, run.kind, run.length])).toEqual([
      [0, 'chunk', 4096],
      [4096, 'hole', size - 8192],
      [size - 4096, 'chunk', 4096],
    ])
  })

  test('one changed byte of a body costs less than 2 MiB of uploads and 4 MiB of reading at the default', async () => {
    const inner = new MemoryStore()
    const counts = { written: 0, read: 0 }
    const counting = aroundCalls(inner, async (call, run) => {
      const done = await run(call.signal)
      counts.written += call.sentBytes
      if (call.operation === 'body' && done instanceof Uint8Array) counts.read += done.length
      return done
    })
    const bytes = randomBytes(5, 64 * 2 ** 20)
    const first = await newVolume({ store: inner, chunking: defaultChunking })
    const writer = first.writer()
    await writer.commit([{ op: 'create', path: '/f', ...(await writer.write(inPieces(bytes, 2 ** 20))) }])
    const volume = await Volume.open(engineOf(counting, { seed: 2 }))
    const entry = await (await volume.head()).resolve('/f')
    for (const at of [0, 33_333_333, bytes.length - 1]) {
      Object.assign(counts, { written: 0, read: 0 })
      const next = bytes.slice()
      next[at] = next[at]! ^ 1
      const again = volume.writer()
      const changes: Change[] = [{ kind: 'random', start: at, end: at + 1 }]
      const written = await again.rewrite(requestOf(entry.content, next, { changes, keptBytes: bytes.length, size: bytes.length }))
      const { snapshot } = await again.commit([{ op: 'write', path: '/f', ...written }])
      expect(counts.written).toBeLessThan(2 * 2 ** 20)
      expect(counts.read).toBeLessThan(4 * 2 ** 20)
      const around = { start: Math.max(0, at - 3_000_000), end: Math.min(bytes.length, at + 3_000_000) }
      expectBytes(await bytesOf(snapshot, '/f', around), next.subarray(around.start, around.end))
    }
  })

  test('a change that cannot be read fails and leaves nothing under way', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    const bytes = randomBytes(5, 1_000_000)
    const { content } = await writer.write(inPieces(bytes))
    await writer.flush()
    const changes = Array.from({ length: 20 }, (_, index): Change => ({ kind: 'random', start: index * 50_000, end: index * 50_000 + 10 }))
    const request = requestOf(content, bytes, { changes, keptBytes: 1e9, size: bytes.length })
    const failing: RewriteRequest = { ...request, readWritten: (range) => (range.start === 300_000 ? failed() : piecesOf(bytes, range)) }
    await expect(writer.rewrite(failing)).rejects.toThrow('the disk is on fire')
    expect((await writer.rewrite(request)).content).toMatchObject({ root: { contentId: contentIdOf(content) } })
  })

  test.each<[string, Partial<RewriteRequest>]>([
    ['out of order', { written: [{ start: 50, end: 60 }, { start: 10, end: 20 }, { start: 55, end: 70 }] }],
    ['behind the end', { written: [{ start: 9000, end: 10_001 }] }],
    ['empty', { written: [{ start: 5, end: 5 }] }],
    ['written and zeroed', { written: [{ start: 5, end: 50 }], zeros: [{ start: 40, end: 60 }] }],
  ])('ranges that are %s are refused', async (_, change) => {
    const writer = (await newVolume()).writer()
    const request = { old: undefined, size: 10_000, written: [], readWritten: () => one(new Uint8Array(0)) }
    await expect(writer.rewrite({ ...request, ...change })).rejects.toMatchObject({ code: 'invalid' })
  })
})

function apart<T extends ByteRange>(ranges: readonly T[], size: number): T[] {
  const kept: T[] = []
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const end = Math.min(range.end, size)
    if (range.start >= (kept.at(-1)?.end ?? 0) && range.start < end) kept.push({ ...range, end })
  }
  return kept
}

function apply(bytes: Uint8Array, { changes, keptBytes, size }: Step, seed: number): Uint8Array {
  const next = new Uint8Array(size)
  next.set(bytes.subarray(0, Math.min(keptBytes, size)))
  for (const { kind, start, end } of changes) next.set(contentOf(kind, end - start, seed + start, next.subarray(start, end)), start)
  return next
}

function contentOf(kind: Change['kind'], size: number, seed: number, before: Uint8Array): Uint8Array {
  if (kind === 'random') return randomBytes(seed, size)
  if (kind === 'same') return before.slice()
  return new Uint8Array(size).fill(kind === 'constant' ? 0xee : 0)
}

function requestOf(content: Content, next: Uint8Array, { changes, keptBytes, size }: Step): RewriteRequest {
  const written = changes.filter(({ kind }) => kind !== 'punch')
  const old = content.kind === 'manifest' ? { root: content.root, keptBytes } : undefined
  // A body inline in its entry has no manifest to start from: all of it counts as written.
  const zeros = old === undefined ? [] : changes.filter(({ kind }) => kind === 'punch')
  const all = size === 0 ? [] : [{ start: 0, end: size }]
  return { old, size, written: old === undefined ? all : written, zeros, readWritten: (range) => piecesOf(next, range) }
}

async function* piecesOf(bytes: Uint8Array, { start, end }: ByteRange): AsyncGenerator<Uint8Array> {
  for (const piece of inPieces(bytes.subarray(start, end), 3001)) yield await Promise.resolve(piece)
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes)
}

async function* failed(): AsyncGenerator<Uint8Array> {
  yield await Promise.reject(new Error('the disk is on fire'))
}

async function read(volume: Volume, content: Content, size: number): Promise<Uint8Array> {
  return bytesOf(await volume.head(), entryOf(content, size))
}

function entryOf(content: Content, size: number): Entry {
  return { ...fileEntry(5, hashOf('x'), 1), content, size }
}

function contentIdOf(content: Content): string {
  return rootOf(content).contentId
}

function rootOf(content: Content): Extract<Content, { kind: 'manifest' }>['root'] {
  if (content.kind !== 'manifest') throw new Error(`the content is ${content.kind}`)
  return content.root
}

