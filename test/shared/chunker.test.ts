import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkChunking, chunkBytesMax, Chunker, type ChunkingParameters, defaultChunking } from '../../shared/chunker.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const small: ChunkingParameters = { kind: 'content', minBytes: 256, averageBytes: 1024, maxBytes: 4096 }

/** Lengths of the chunks of a body that lies in one buffer. */
function cutAtOnce(chunker: Chunker, body: Uint8Array): number[] {
  const lengths: number[] = []
  for (let start = 0; start < body.length; start += lengths.at(-1)!) lengths.push(chunker.next(body, start, body.length, true))
  return lengths
}

/** The same for a body that comes in parts, each at another place of a fresh buffer that holds what was not cut yet. */
function cutInParts(chunker: Chunker, body: Uint8Array, partLengths: readonly number[], lead: number): number[] {
  const lengths: number[] = []
  let done = 0
  let end = 0
  for (let turn = 0; done < body.length || turn === 0; turn += 1) {
    end = Math.min(body.length, end + partLengths[turn % partLengths.length]!)
    const buffer = new Uint8Array(lead + end - done + 5).fill(turn)
    buffer.set(body.subarray(done, end), lead)
    let at = lead
    for (;;) {
      const length = chunker.next(buffer, at, lead + end - done, end === body.length)
      if (length === 0) break
      lengths.push(length)
      at += length
    }
    done += at - lead
  }
  return lengths
}

function cutsOf(body: Uint8Array): Set<number> {
  let at = 0
  return new Set(cutAtOnce(new Chunker(small), body).map((length) => (at += length)))
}

describe('Chunker', () => {
  test.each<[string, ChunkingParameters]>([
    ['content', small],
    ['content, minimum at the window', { kind: 'content', minBytes: 32, averageBytes: 64, maxBytes: 100 }],
    ['fixed', { kind: 'fixed', bytes: 1000 }],
  ])('cuts the same however the body is sliced into buffers (%s)', (_, parameters) => {
    const parts = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9000 })), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 30_000 }), parts, fc.nat({ max: 10 }), (seed, length, partLengths, lead) => {
        const body = new SeededRandom(seed).bytes(length)
        const chunker = new Chunker(parameters)
        const expected = cutAtOnce(chunker, body)
        expect(cutInParts(chunker, body, partLengths, lead)).toEqual(expected)
        expect(cutAtOnce(chunker, body)).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })

  test('keeps every chunk but the last within its bounds, near the average', () => {
    const body = new SeededRandom(3).bytes(16 * 2 ** 20)
    const lengths = cutAtOnce(new Chunker(small), body)
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(body.length)
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(256)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(4096)
    const average = body.length / lengths.length
    expect(average).toBeGreaterThan(1024 * 0.95)
    expect(average).toBeLessThan(1024 * 1.05)
    // Normalised: most chunks are near the average, few at the ends.
    expect(lengths.filter((length) => length > 512 && length < 2048).length / lengths.length).toBeGreaterThan(0.75)
    expect(lengths.filter((length) => length === 4096).length / lengths.length).toBeLessThan(0.01)
  })

  test('finds its old cuts again soon after an insertion', () => {
    const body = new SeededRandom(4).bytes(300_000)
    const longer = new Uint8Array(body.length + 7)
    longer.set(body.subarray(0, 100_000))
    longer.set(body.subarray(100_000), 100_007)
    const before = cutsOf(body)
    const after = cutsOf(longer)
    const lost = [...before].filter((cut) => !after.has(cut > 100_000 ? cut + 7 : cut))
    expect(before.size).toBeGreaterThan(200)
    expect(lost.length).toBeLessThanOrEqual(5)
  })

  test('cuts a body of one repeated byte at the maximum, whatever the byte', () => {
    const chunker = new Chunker(defaultChunking)
    for (const byte of [0, 1, 32, 127, 255]) {
      expect(cutAtOnce(chunker, new Uint8Array(2 * 2 ** 20 + 100).fill(byte))).toEqual([2 ** 20, 2 ** 20, 100])
    }
  })

  test('has no chunk in an empty body', () => {
    for (const parameters of [small, { kind: 'fixed', bytes: 64 } as const]) {
      expect(new Chunker(parameters).next(new Uint8Array(10), 4, 4, true)).toBe(0)
    }
  })

  test('needs no more than maxBytes to find a cut', () => {
    const chunker = new Chunker(small)
    expect(chunker.next(new Uint8Array(4095), 0, 4095, false)).toBe(0)
    expect(chunker.next(new Uint8Array(4096), 0, 4096, false)).toBe(chunker.maxBytes)
  })
})

describe('checkChunking', () => {
  test.each<[ChunkingParameters]>([[defaultChunking], [small], [{ kind: 'fixed', bytes: 128 * 1024 }], [{
    kind: 'fixed',
    bytes: chunkBytesMax,
  }]])('takes %j', (parameters) => {
    expect(() => checkChunking(parameters)).not.toThrow()
  })

  test.each<[ChunkingParameters]>([
    [{ kind: 'fixed', bytes: 0 }],
    [{ kind: 'fixed', bytes: chunkBytesMax + 1 }],
    [{ kind: 'fixed', bytes: 1000.5 }],
    [{ kind: 'content', minBytes: 31, averageBytes: 1024, maxBytes: 4096 }],
    [{ kind: 'content', minBytes: 600, averageBytes: 1024, maxBytes: 4096 }],
    [{ kind: 'content', minBytes: 256, averageBytes: 1000, maxBytes: 4096 }],
    [{ kind: 'content', minBytes: 256, averageBytes: 1024, maxBytes: 1024 }],
    [{ kind: 'content', minBytes: 256, averageBytes: 1024, maxBytes: chunkBytesMax + 1 }],
    [{ kind: 'content', minBytes: Number.NaN, averageBytes: 1024, maxBytes: 4096 }],
  ])('refuses %j', (parameters) => {
    expect(() => checkChunking(parameters)).toThrow(
      expect.objectContaining({ code: 'invalid', message: expect.stringMatching(/^Cannot cut chunks by/) }),
    )
  })
})
