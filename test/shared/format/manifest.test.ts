import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ManifestRoot, Run } from '../../../shared/format/entry.ts'
import { ManifestBuilder } from '../../../shared/format/manifest-build.ts'
import { replaceRuns } from '../../../shared/format/manifest-edit.ts'
import { inlineRunsMax, ManifestPage, type PlacedRun, resolveRuns } from '../../../shared/format/manifest-page.ts'
import type { ManifestRules } from '../../../shared/format/manifest-shape.ts'
import { pageBytesMax } from '../../../shared/format/page.ts'
import { type ByteRange, intersectRanges } from '../../../shared/range.ts'
import { chunkRun } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { askLoading, dataPack, packId, PageMemory } from '../../support/page-memory.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

/**
 * Pages of a few items, so that a hundred runs make a manifest of four levels. A leaf that is not the last is never as
 * short as an inline one, as in the format.
 */
const tinyRules: ManifestRules = {
  leaf: { min: 5, target: 6, max: 9, spanBelow: 8, spanAbove: 2 },
  inner: { min: 2, target: 3, max: 5, spanBelow: 6, spanAbove: 2 },
}

const hash = (bytes: Uint8Array): Promise<ReturnType<typeof hashOf>> => Promise.resolve(hashOf(bytes))

async function build(memory: PageMemory, runs: Iterable<Run>, rules?: ManifestRules): Promise<ManifestRoot> {
  const builder = new ManifestBuilder({ store: memory.store, hash }, rules)
  for (const run of runs) await builder.add(run)
  return await builder.finish()
}

/** Places of runs, with neighbouring holes made one: what a manifest says, by its definition. */
function place(runs: readonly Run[]): PlacedRun[] {
  const placed: PlacedRun[] = []
  let start = 0
  for (const run of runs) {
    const last = placed.at(-1)
    if (run.kind === 'hole' && last?.run.kind === 'hole') {
      placed[placed.length - 1] = { start: last.start, run: { kind: 'hole', length: last.run.length + run.length } }
    } else placed.push({ start, run })
    start += run.length
  }
  return placed
}

function lengthOf(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.length, 0)
}

function resolve(memory: PageMemory, root: ManifestRoot, range: ByteRange): readonly PlacedRun[] {
  return askLoading(memory, (pages) => resolveRuns(root, range, pages)).answer.runs
}

function expected(placed: readonly PlacedRun[], range: ByteRange): PlacedRun[] {
  return placed.filter(({ start, run }) => intersectRanges(range, { start, end: start + run.length }) !== undefined)
}

const runArbitrary: fc.Arbitrary<Run> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 60 }), fc.nat({ max: 1000 })).map(([number, offset]) =>
      chunkRun(hashOf(`chunk ${number}`), 10 + number, offset)
    ),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 50 }).map((length): Run => ({ kind: 'hole', length })) },
)
const runsArbitrary = (maxLength: number): fc.Arbitrary<Run[]> => fc.array(runArbitrary, { maxLength })

describe('a manifest', () => {
  test('resolves any range to the runs that overlap it', async () => {
    await fc.assert(
      fc.asyncProperty(
        runsArbitrary(200),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 300 })), { minLength: 5, maxLength: 5 }),
        async (runs, ranges) => {
          const memory = new PageMemory()
          const root = await build(memory, runs, tinyRules)
          const placed = place(runs)
          const length = lengthOf(runs)
          expect(resolve(memory, root, { start: 0, end: length + 10 })).toEqual(placed)
          expect(root.kind).toBe(placed.length <= inlineRunsMax ? 'inline' : 'page')
          for (const [from, size] of ranges) {
            const range = { start: from % (length + 20), end: (from % (length + 20)) + size }
            expect(resolve(memory, root, range)).toEqual(expected(placed, range))
          }
        },
      ),
      { numRuns: 80 },
    )
  })

  test('has a content id that knows lengths and hashes but not packs', async () => {
    const runs = Array.from({ length: 5000 }, (_, index) => chunkRun(hashOf(String(index)), 1000 + index, index))
    const moved = runs.map((
      run,
      index,
    ): Run => (run.kind === 'hole'
      ? run
      : { ...run, pointer: { ...run.pointer, pack: packId('d01ARZ3NDEKTSV4RRFFQ69G5FAV'), offset: index * 9000 } })
    )
    const root = await build(new PageMemory(), runs)
    const other = await build(new PageMemory(), moved)
    expect(root.kind === 'page' && other.kind === 'page' && root.pointer.hash !== other.pointer.hash).toBe(true)
    expect(other.contentId).toBe(root.contentId)
    const swapped = await build(new PageMemory(), [runs[1]!, runs[0]!, ...runs.slice(2)])
    const longer = await build(new PageMemory(), [...runs, { kind: 'hole', length: 1 }])
    expect(new Set([root.contentId, swapped.contentId, longer.contentId]).size).toBe(3)
  })

  test('of one chunk has the chunk for its content id', async () => {
    expect((await build(new PageMemory(), [chunkRun(hashOf('a'), 5)])).contentId).toBe(hashOf('a'))
    expect((await build(new PageMemory(), [{ kind: 'hole', length: 5 }])).contentId).not.toBe(
      (await build(new PageMemory(), [{ kind: 'hole', length: 6 }])).contentId,
    )
  })

  test('refuses runs that are empty or not whole chunks', async () => {
    const chunk = chunkRun(hashOf('a'), 5)
    for (const run of [{ kind: 'hole', length: 0 }, { kind: 'hole', length: 1.5 }, { ...chunk, length: 4 }] as Run[]) {
      await expect(build(new PageMemory(), [run])).rejects.toMatchObject({ code: 'invalid' })
    }
    const large: Run = { kind: 'hole', length: Number.MAX_SAFE_INTEGER }
    await expect(build(new PageMemory(), [large, chunk])).rejects.toMatchObject({ code: 'invalid', message: /2\^53/ })
  })

  test('asks for its root first, and needs no page when it is inline', async () => {
    const memory = new PageMemory()
    const root = await build(memory, Array.from({ length: 5 }, (_, index) => chunkRun(hashOf(String(index)), 10)))
    expect(root.kind === 'page' && resolveRuns(root, { start: 0, end: 1 }, () => undefined)).toEqual(
      root.kind === 'page' && { missing: root.pointer },
    )
    const inline = await build(memory, Array.from({ length: 4 }, (_, index) => chunkRun(hashOf(String(index)), 10)))
    expect(resolveRuns(inline, { start: 35, end: 36 }, () => undefined)).toEqual({ runs: [{ start: 30, run: chunkRun(hashOf('3'), 10) }] })
  })
})

describe('replaceRuns', () => {
  test('has the same manifest as a build of the outcome', async () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 12 }), fc.nat(), fc.nat(), runsArbitrary(8)), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(runsArbitrary(150), edits, async (first, changes) => {
        const memory = new PageMemory()
        let runs = place(first).map(({ run }) => run)
        let root = await build(memory, runs, tinyRules)
        for (const [at, count, cutStart, cutEnd, inserted] of changes) {
          const from = at % (runs.length + 1)
          const replaced = runs.slice(from, from + count)
          const before = runs.slice(0, from)
          const after = runs.slice(from + count)
          let start = lengthOf(before)
          let end = start + lengthOf(replaced)
          // Holes may be cut: move the range's ends into the holes beside it.
          const lead = before.at(-1)
          const tail = after[0]
          if (lead?.kind === 'hole') {
            const kept = cutStart % (lead.length + 1)
            start -= lead.length - kept
            before.splice(-1, 1, ...(kept > 0 ? [{ kind: 'hole', length: kept } as const] : []))
          }
          if (tail?.kind === 'hole') {
            const cut = cutEnd % (tail.length + 1)
            end += cut
            after.splice(0, 1, ...(tail.length > cut ? [{ kind: 'hole', length: tail.length - cut } as const] : []))
          }
          root = await replaceRuns(root, { start, end }, inserted, { load: memory.load, store: memory.store, hash }, tinyRules)
          runs = place([...before, ...inserted, ...after]).map(({ run }) => run)
          expect(root).toEqual(await build(memory, runs, tinyRules))
        }
      }),
      { numRuns: 120 },
    )
  })

  test('reads and writes only the pages it touches', async () => {
    const memory = new PageMemory()
    const runs = Array.from({ length: 100_000 }, (_, index) => chunkRun(hashOf(String(index)), 262_144, index))
    const root = await build(memory, runs)
    const io = { load: memory.load, store: memory.store, hash }
    for (const index of [0, 1, 777, 50_000, 99_999]) {
      memory.resetCounts()
      const range = { start: index * 262_144, end: (index + 1) * 262_144 }
      const changed = await replaceRuns(root, range, [chunkRun(hashOf('new'), 262_144)], io)
      expect(memory.storeCount).toBeLessThanOrEqual(3)
      expect(memory.loadCount).toBeLessThanOrEqual(4)
      expect(resolve(memory, changed, range)).toEqual([{ start: range.start, run: chunkRun(hashOf('new'), 262_144) }])
      expect(await replaceRuns(changed, range, [runs[index]!], io)).toEqual(root)
    }
    memory.resetCounts()
    expect(await replaceRuns(root, { start: 0, end: 262_144 }, [runs[0]!], io)).toEqual(root)
    expect(memory.storeCount).toBe(0)
  })

  test('has the same manifest as a build of what is left when all but a part is removed', async () => {
    const property = fc.asyncProperty(fc.integer({ min: 1, max: 600 }), fc.nat(), fc.nat(), async (count, first, last) => {
      const memory = new PageMemory()
      const io = { load: memory.load, store: memory.store, hash }
      const runs = Array.from({ length: count }, (_, index) => chunkRun(hashOf(`${first} ${index}`), 10))
      const root = await build(memory, runs, tinyRules)
      const from = first % count
      const to = last % (count + 1)
      const head = await replaceRuns(root, { start: to * 10, end: count * 10 }, [], io, tinyRules)
      expect(head).toEqual(await build(memory, runs.slice(0, to), tinyRules))
      const tail = await replaceRuns(root, { start: 0, end: from * 10 }, [], io, tinyRules)
      expect(tail).toEqual(await build(memory, runs.slice(from), tinyRules))
    })
    await fc.assert(property, { numRuns: 60 })
  })

  test('appends and truncates', async () => {
    const memory = new PageMemory()
    const io = { load: memory.load, store: memory.store, hash }
    const runs = Array.from({ length: 3000 }, (_, index) => chunkRun(hashOf(String(index)), 100))
    const root = await build(memory, runs.slice(0, 2000))
    expect(await replaceRuns(root, { start: 200_000, end: 200_000 }, runs.slice(2000), io)).toEqual(await build(memory, runs))
    expect(await replaceRuns(root, { start: 300, end: 200_000 }, [], io)).toEqual(await build(memory, runs.slice(0, 3)))
    expect(await replaceRuns(root, { start: 0, end: 200_000 }, [], io)).toEqual(await build(memory, []))
  })

  test('refuses to cut a chunk, and ranges past the end', async () => {
    const memory = new PageMemory()
    const io = { load: memory.load, store: memory.store, hash }
    const root = await build(memory, [chunkRun(hashOf('a'), 100), { kind: 'hole', length: 50 }])
    for (const range of [{ start: 1, end: 100 }, { start: 0, end: 99 }, { start: 50, end: 50 }, { start: 10, end: 120 }]) {
      await expect(replaceRuns(root, range, [], io)).rejects.toMatchObject({ code: 'invalid', message: /cut the chunk at 0 to 100/ })
    }
    for (const range of [{ start: 0, end: 151 }, { start: 151, end: 151 }, { start: 20, end: 10 }]) {
      await expect(replaceRuns(root, range, [], io)).rejects.toMatchObject({ code: 'invalid', message: /it has 150/ })
    }
  })
})

describe('a sparse file of 10 TiB', () => {
  test('resolves any range of 8 MiB in at most 3 page reads', async () => {
    const random = new SeededRandom(5)
    const runs: Run[] = []
    let left = 10 * 2 ** 40
    // Some 300,000 chunks in extents of up to 100, with holes between that take the rest.
    for (let extent = 0; extent < 6000; extent += 1) {
      const chunkCount = 1 + (random.next() % 100)
      for (let index = 0; index < chunkCount; index += 1) {
        const length = 65_536 + (random.next() % 400_000)
        const bytes = random.bytes(4)
        const pointer = { hash: hashOf(bytes), pack: dataPack, offset: random.next() % 60_000_000, length }
        runs.push({ kind: 'chunk', length, pointer })
        left -= length
      }
      const hole = extent < 5999 ? Math.floor(left / (6000 - extent)) : left
      runs.push({ kind: 'hole', length: hole })
      left -= hole
    }
    const placed = place(runs)
    expect(lengthOf(runs)).toBe(10 * 2 ** 40)
    expect(runs.length).toBeGreaterThan(250_000)
    const memory = new PageMemory()
    const root = await build(memory, runs)
    expect(Math.max(...[...memory.pages.values()].map((page) => page.length))).toBeLessThanOrEqual(pageBytesMax)
    for (let round = 0; round < 300; round += 1) {
      // Half the ranges begin inside data, where many small runs are.
      const start = round % 2 === 0 ? placed[random.next() % placed.length]!.start : Math.floor((random.next() / 2 ** 32) * (10 * 2 ** 40))
      const range = { start, end: Math.min(start + 8 * 2 ** 20, 10 * 2 ** 40) }
      const { answer, loadCount } = askLoading(memory, (pages) => resolveRuns(root, range, pages))
      expect(answer.runs.length).toBeGreaterThan(0)
      expect(loadCount).toBeLessThanOrEqual(3)
      expect(answer.runs).toEqual(placedWithin(placed, range))
    }
  })
})

/** `expected` by binary search, for long lists. */
function placedWithin(placed: readonly PlacedRun[], range: ByteRange): readonly PlacedRun[] {
  let low = 0
  let high = placed.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { start, run } = placed[middle]!
    if (start + run.length <= range.start) low = middle + 1
    else high = middle
  }
  let end = low
  while (end < placed.length && placed[end]!.start < range.end) end += 1
  return placed.slice(low, end)
}

describe('ManifestPage', () => {
  const one = new Uint8Array([0x4d, 1, 0, 1, 0, 8, 0, 0, 100, 0]) // a leaf of one hole of 100 bytes

  test('reads a page written by hand', () => {
    const page = new ManifestPage(one, undefined, 0, 100)
    expect(page.run(0)).toEqual({ kind: 'hole', length: 100 })
    expect([page.search(0), page.search(99), page.search(100)]).toEqual([0, 0, 1])
  })

  test('says that runs of an origin are for a newer edgemount', () => {
    const bytes = one.slice()
    bytes[9] = 2
    expect(() => new ManifestPage(bytes, undefined).run(0)).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(/original store.*update edgemount/) }),
    )
  })

  test.each<[string, number, number, RegExp]>([
    ['an unknown tag', 9, 3, /tag 3/],
    ['an empty run', 8, 0, /covers 0 to 0/],
    ['a chunk without its pointer', 9, 1, /ends at byte 10/],
  ])('refuses %s', (_, at, byte, message) => {
    const bytes = one.slice()
    bytes[at] = byte
    expect(() => new ManifestPage(bytes, undefined).run(0)).toThrow(
      expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(message) }),
    )
  })

  test('refuses to cover other bytes than the page above says', () => {
    expect(() => new ManifestPage(one, undefined, 0, 99)).toThrow(
      expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(/covers 100 bytes/) }),
    )
    expect(() => new ManifestPage(one, undefined, 1)).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })
})
