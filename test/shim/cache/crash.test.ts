/**
 * The one promise of the cache: what it says is present is what was written, whatever happened before. Random operations, failing system
 * calls, kill -9 and power failures, on a disk that loses whatever it may.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalBytes } from '../../../shared/bytes.ts'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import type { Sys } from '../../../shim/sys/sys.ts'
import { Cache } from '../../../shim/cache/cache.ts'
import type { CachedFile } from '../../../shim/cache/cached-file.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const fileCount = 12
const page = 4096
const pagesMax = 6

/** Files 0 to 5 have two versions each; content follows from both and the place. */
function sizeOf(id: number): number {
  return 1 + ((id * 7919) % (pagesMax * page))
}

function versionOf(id: number): string {
  return (id % 2 === 0 ? 'e' : 'f').repeat(63) + Math.floor(id / 2).toString(16)
}

function contentOf(id: number, start: number, end: number): Uint8Array {
  return Uint8Array.from({ length: end - start }, (_, index) => 1 + ((id * 31 + (start + index) * 7 + Math.floor((start + index) / page)) % 255))
}

class Machine {
  readonly sys = new FakeSys()
  readonly clock = new ManualClock()
  readonly random: SeededRandom
  #boot = 1
  #cache: Cache
  readonly #pinned = new Map<number, CachedFile>()
  #syncs: (() => void)[] = []

  /** Writes that were done and are not told of yet. */
  #untold: (() => void)[] = []
  readonly #bytesMax: number

  constructor(seed: number, bytesMax: number) {
    this.#bytesMax = bytesMax
    this.random = new SeededRandom(seed)
    this.#cache = this.#open()
  }

  #open(): Cache {
    const { sys, clock } = this
    this.#syncs = []
    return Cache.open({
      directory: '/cache',
      bytesMax: this.#bytesMax,
      freeBytesMin: 0,
      openFilesMax: 2,
      sys,
      clock,
      bootId: `boot-${this.#boot}`,
      log: silentLogger,
      snapshotBytesMin: 2000,
      sync: (fd, done) => {
        const end = (result: number) => () => done(result)
        this.#syncs.push(() => this.#syncs.push(end(sys.fdatasync(fd))))
      },
    })
  }

  /** What is said to be present and is not what it should be. */
  lies(): string[] {
    const lies: string[] = []
    for (let id = 0; id < fileCount; id += 1) {
      const file = this.#cache.acquire(Math.floor(id / 2), versionOf(id), sizeOf(id))
      for (let start = 0; start < sizeOf(id); start += page) {
        const range = { start, end: Math.min(sizeOf(id), start + page) }
        const fd = file.fdOf(range)
        if (fd < 0) continue
        const bytes = new Uint8Array(range.end - range.start)
        const count = this.sys.pread(fd, bytes, start)
        if (count < 0) continue // made to fail
        if (count < bytes.length || !equalBytes(bytes, contentOf(id, range.start, range.end))) lies.push(`file ${id} at ${start}`)
      }
      file.release()
    }
    return lies
  }

  pin(id: number): CachedFile {
    const known = this.#pinned.get(id)
    if (known !== undefined) return known
    const file = this.#cache.acquire(Math.floor(id / 2), versionOf(id), sizeOf(id))
    this.#pinned.set(id, file)
    return file
  }

  unpin(id: number): void {
    this.#pinned.get(id)?.release()
    this.#pinned.delete(id)
  }

  /** As a fetch does: verified bytes, written, then marked. */
  write(id: number, firstPage: number, pageCount: number): void {
    const range = { start: Math.min(sizeOf(id), firstPage * page), end: Math.min(sizeOf(id), (firstPage + pageCount) * page) }
    const file = this.pin(id)
    const fd = file.beginWrite()
    if (fd < 0) return
    const since = file.freedCount
    const bytes = contentOf(id, range.start, range.end)
    const isWritten = this.sys.pwrite(fd, bytes, range.start) === bytes.length
    file.pin()
    this.#untold.push(() => {
      if (isWritten) file.markPresent(range, false, since)
      else file.noteDiskFull()
      file.endWrite()
      file.release()
    })
  }

  /** The network thread tells of the writes it did. */
  tell(count: number): void {
    for (const tell of this.#untold.splice(0, count)) tell()
  }

  async wait(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1000) {
      await this.clock.advance(1000)
      this.#cache.tick()
      if (this.random.next() % 3 > 0) this.#syncs.shift()?.()
    }
  }

  /** Somebody else removes a backing file, or puts another in its place. */
  tamper(which: number, isGone: boolean): void {
    const paths = this.sys.paths().filter((path) => path.includes('/files/'))
    const path = paths[which % Math.max(1, paths.length)]
    if (path === undefined) return
    // Made to fail, it leaves the file that is open; written to then, that would be no other file in its place.
    if (this.sys.unlink(path) < 0) return
    if (!isGone) this.sys.writeFile(path, new Uint8Array(3))
  }

  restart(how: 'close' | 'kill' | 'power'): void {
    this.#pinned.clear()
    this.#untold = []
    if (how === 'close') this.#cache.close()
    if (how === 'power') {
      this.#boot += 1
      this.sys.losePower(this.random)
    } else this.sys.crash()
    this.#cache = this.#open()
  }
}

const id = fc.nat(fileCount - 1)
const failing = fc.constantFrom<keyof Sys>('open', 'pwrite', 'ftruncate', 'fdatasync', 'unlink', 'rename', 'takeLease', 'pread', 'punch')
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('write' as const), id, first: fc.nat(pagesMax - 1), count: fc.integer({ min: 1, max: pagesMax }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('tell' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('unpin' as const), id }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1000, 5000, 40_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), how: fc.constantFrom('close' as const, 'kill' as const, 'power' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tamper' as const), which: fc.nat(), isGone: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fail' as const), call: failing, code: fc.constantFrom(errno.ENOSPC, errno.EIO), skip: fc.nat(5) }) },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Of a block that was synced whole a part is freed: the zeros of that are data, and may be on disk before the new name of the file is. */
const partOfBlock: Step[] = [
  { do: 'write', id: 3, first: 0, count: 1 },
  { do: 'tell', count: 1 },
  { do: 'wait', ms: 40_000 },
  { do: 'write', id: 4, first: 0, count: 1 },
  { do: 'tell', count: 1 },
  { do: 'write', id: 0, first: 0, count: 1 },
  { do: 'wait', ms: 40_000 },
  { do: 'tell', count: 1 },
  { do: 'tell', count: 1 },
  { do: 'write', id: 3, first: 0, count: 4 },
  { do: 'tell', count: 1 },
  { do: 'wait', ms: 1000 },
]

test('never says that bytes are present which are not what was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.constantFrom(6, 30), fc.array(step, { maxLength: 60, size: 'max' }), async (seed, pages, steps) => {
      const machine = new Machine(seed, pages * page)
      for (const action of steps) {
        if (action.do === 'write') machine.write(action.id, action.first, action.count)
        if (action.do === 'tell') machine.tell(action.count)
        if (action.do === 'unpin') machine.unpin(action.id)
        if (action.do === 'tamper') machine.tamper(action.which, action.isGone)
        if (action.do === 'wait') await machine.wait(action.ms)
        if (action.do === 'fail') machine.sys.fail(action.call, action.code, { skip: action.skip })
        if (action.do === 'restart') {
          machine.restart(action.how)
          expect(machine.lies()).toEqual([])
        }
        if (action.do === 'tell') expect(machine.lies()).toEqual([])
      }
      machine.sys.crash()
      machine.restart('power')
      expect(machine.lies()).toEqual([])
    }),
    { numRuns: 150, examples: [[0, 6, partOfBlock]] },
  )
}, 60_000)
