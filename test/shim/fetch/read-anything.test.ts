/**
 * Reader, fetcher and cache together: random reads by several readers, with tiers that fail, lie and hang, a disk that fills up, evictions,
 * interrupts and closes. Every read ends, and what it gives is the file's bytes.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalBytes } from '../../../shared/bytes.ts'
import { errno } from '../../../shared/errno.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Cache } from '../../../shim/cache/cache.ts'
import { Fetcher } from '../../../shim/fetch/fetcher.ts'
import { FileReader, type ReaderContext } from '../../../shim/fetch/file-reader.ts'
import { NetworkEstimate } from '../../../shared/fetch/network-estimate.ts'
import { SpeculationBudget } from '../../../shared/fetch/speculation-budget.ts'
import { UncachedMemory } from '../../../shim/fetch/uncached-memory.ts'
import { type FileSlice, Waiter } from '../../../shim/fetch/waiter.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { hashOf } from '../../support/hash-of.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { type PackedFile, PackedFiles, type Part, TestTier } from '../../support/packed-files.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const KiB = 1024

class Bed {
  readonly clock = new ManualClock()
  readonly sys = new FakeSys()
  readonly packs = new PackedFiles()
  readonly files: PackedFile[] = []
  readonly random: SeededRandom
  readonly wrong: string[] = []
  readonly pending = new Set<Waiter>()
  readonly fetcher: Fetcher
  readonly cache: Cache
  readonly context: ReaderContext
  mood: 'well' | 'failing' | 'lying' | 'hanging' = 'well'
  readonly #readers = new Map<number, FileReader>()

  constructor(seed: number) {
    const { clock, sys, packs } = this
    this.random = new SeededRandom(seed)
    const tiers = [this.#tier('edge'), this.#tier('store')]
    this.fetcher = new Fetcher({
      tiers,
      clock,
      log: silentLogger,
      limits: { getCount: 4, demandDeadlineMs: 5000, aheadBytes: 100 * KiB },
      pages: { source: packs.pages.source, load: packs.pages.load },
      hash: (bytes) => Promise.resolve(hashOf(bytes)),
      write: async (fd, bytes, position) => {
        const result = sys.pwrite(fd, bytes, position)
        if (result !== bytes.length) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      },
    })
    this.cache = Cache.open({ directory: '/c', bytesMax: 600 * KiB, freeBytesMin: 0, openFilesMax: 2, sys, clock, bootId: 'b', log: silentLogger })
    this.context = {
      backend: this.fetcher,
      clock,
      log: silentLogger,
      budget: new SpeculationBudget(400 * KiB),
      network: new NetworkEstimate(),
      memory: new UncachedMemory(2000 * KiB),
    }
  }

  async addFiles(): Promise<void> {
    const pack = this.packs.newPack()
    const chunks = (count: number): Part[] => Array.from({ length: count }, () => 8 * KiB + (this.random.next() % (8 * KiB)))
    for (const parts of [chunks(1), chunks(3), chunks(40), [...chunks(3), { hole: 90_000 }, ...chunks(3)]]) this.files.push(await this.packs.add(pack, parts))
  }

  read(which: number, at: number, length: number): void {
    const file = this.files[which]!
    const offset = at % file.content.length
    const reader = this.#reader(which)
    const check = (answer: FileSlice | number): void => this.#check(`file ${which} at ${offset}+${length}`, file.content.subarray(offset, offset + length), answer)
    const answer = reader.read(offset, length)
    if (!(answer instanceof Waiter)) {
      check(answer)
      return
    }
    this.pending.add(answer)
    answer.listen((late) => {
      this.pending.delete(answer)
      check(late)
    })
  }

  close(which: number): void {
    this.#readers.get(which)?.close()
    this.#readers.delete(which)
  }

  async wait(ms: number): Promise<void> {
    await this.clock.advance(ms)
    this.cache.tick()
  }

  #reader(which: number): FileReader {
    let reader = this.#readers.get(which)
    if (reader === undefined) {
      const { manifest, content, root } = this.files[which]!
      const cached = this.cache.acquire(which, root.contentId, content.length)
      reader = new FileReader(this.context, { manifest, size: content.length, label: `/${which}`, cached })
      this.#readers.set(which, reader)
    }
    return reader
  }

  /** An error is right only when something is wrong with the network. */
  #check(what: string, expected: Uint8Array, answer: FileSlice | number): void {
    if (typeof answer === 'number') {
      if (answer !== -errno.EIO && answer !== -errno.EINTR) this.wrong.push(`${what}: error ${answer}`)
      return
    }
    let bytes: Uint8Array
    if (answer.kind === 'bytes') bytes = answer.bytes
    else {
      bytes = new Uint8Array(answer.length)
      this.sys.pread(answer.fd, bytes, answer.offset)
    }
    if (!equalBytes(bytes, expected)) this.wrong.push(`${what}: wrong bytes`)
  }

  #tier(name: string): TestTier {
    const tier = new TestTier(this.packs, name)
    tier.before = async ({ pack, range }, signal) => {
      await this.clock.sleep(1 + (this.random.next() % 30), signal)
      if (this.mood === 'hanging') await this.clock.sleep(1e6, signal)
      const isUnlucky = this.random.next() % 3 === 0
      if (this.mood === 'failing' && isUnlucky) throw new EdgemountError('unavailable', 'made up')
      if (this.mood !== 'lying' || !isUnlucky) return undefined
      const bytes = this.packs.bytes(pack).slice(range.start, range.end)
      bytes[this.random.next() % bytes.length]! ^= 1
      return bytes
    }
    return tier
  }
}

const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('read' as const), which: fc.nat(3), at: fc.nat(), length: fc.constantFrom(1, 4 * KiB, 20 * KiB, 128 * KiB) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('run' as const), which: fc.nat(3), at: fc.nat(), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 20, 200, 6000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('close' as const), which: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('interrupt' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mood' as const), mood: fc.constantFrom('well' as const, 'failing' as const, 'lying' as const, 'hanging' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('full' as const), count: fc.nat(10) }) },
)

test('every read ends, with the right bytes or with an error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 60, size: 'max' }), async (seed, steps) => {
      const bed = new Bed(seed)
      await bed.addFiles()
      for (const action of steps) {
        if (action.do === 'read') bed.read(action.which, action.at, action.length)
        if (action.do === 'run') for (let index = 0; index < action.count; index += 1) bed.read(action.which, (action.at % 100_000) + index * 16 * KiB, 16 * KiB)
        if (action.do === 'wait') await bed.wait(action.ms)
        if (action.do === 'close') bed.close(action.which)
        if (action.do === 'interrupt') [...bed.pending][action.which % Math.max(1, bed.pending.size)]?.cancel()
        if (action.do === 'mood') bed.mood = action.mood
        if (action.do === 'full') bed.sys.fail('pwrite', errno.ENOSPC, { count: 1 + action.count })
      }
      await bed.wait(31_000)
      expect(bed.wrong).toEqual([])
      expect(bed.pending.size).toBe(0)
      bed.mood = 'well'
      for (let which = 0; which < bed.files.length; which += 1) bed.read(which, 0, 1000)
      await bed.wait(6000)
      expect(bed.pending.size).toBe(0)
      for (let which = 0; which < bed.files.length; which += 1) bed.close(which)
      await bed.wait(31_000)
      expect(bed.wrong).toEqual([])
      expect(bed.fetcher.stats.requestCount).toBe(0)
      expect(bed.context.budget.reservedBytes).toBe(0)
      expect(bed.context.memory.bytes).toBe(0)
      expect(bed.cache.stats.openCount).toBe(0)
      expect(bed.clock.sleeperCount).toBe(0)
    }),
    { numRuns: 100 },
  )
}, 60_000)
