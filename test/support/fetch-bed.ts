/** A fetcher over packed files, tiers that tests can break, a clock they move, and files in memory instead of descriptors. */
import { equalBytes } from '../../shared/bytes.ts'
import type { Logger } from '../../shared/log.ts'
import type { ByteRange } from '../../shared/range.ts'
import { type FetcherLimits, Fetcher } from '../../shim/fetch/fetcher.ts'
import type { Failure, FetchRequest, Ticket } from '../../shim/fs/backend.ts'
import { hashOf } from './hash-of.ts'
import { ManualClock } from './manual-clock.ts'
import { type PackedFile, PackedFiles, TestTier } from './packed-files.ts'

/** What became of one request. */
export interface Fetched {
  readonly ticket: Ticket
  readonly present: ByteRange[]
  readonly holes: ByteRange[]
  readonly uncached: { readonly range: ByteRange; readonly bytes: Uint8Array }[]
  /** Everything that was told is what the file has. */
  readonly isRight: () => boolean
  readonly done: Promise<Failure | undefined>
  readonly doneCount: () => number
}

export class FetchBed {
  readonly clock = new ManualClock()
  readonly files = new PackedFiles()
  readonly store = new TestTier(this.files)
  readonly warnings: string[] = []
  readonly log: Logger = { debug: () => {}, info: () => {}, warn: (message) => void this.warnings.push(message), error: (message) => void this.warnings.push(message) }
  /** Bytes by descriptor. */
  readonly disk = new Map<number, Uint8Array>()
  readonly writes: { fd: number; start: number; end: number }[] = []
  /** Runs before a write. */
  beforeWrite: (() => Promise<void> | void) | undefined
  fetcher: Fetcher
  #lastFd = 2

  constructor(limits: Partial<FetcherLimits> = {}, tiers?: readonly TestTier[]) {
    this.fetcher = this.makeFetcher(limits, tiers ?? [this.store])
  }

  makeFetcher(limits: Partial<FetcherLimits>, tiers: readonly TestTier[]): Fetcher {
    const { clock, log, files } = this
    const loaded = new Set<string>()
    this.fetcher = new Fetcher({
      tiers,
      clock,
      log,
      limits,
      pages: {
        source: (pointer) => (loaded.has(pointer.hash) ? files.pages.source(pointer) : undefined),
        load: async (pointer) => {
          const page = await files.pages.load(pointer)
          loaded.add(pointer.hash)
          return page
        },
      },
      hash: (bytes) => Promise.resolve(hashOf(bytes)),
      write: async (fd, bytes, position) => {
        await this.beforeWrite?.()
        const file = this.disk.get(fd)
        if (file === undefined) throw new Error(`write to descriptor ${fd}, which is not open`)
        file.set(bytes, position)
        this.writes.push({ fd, start: position, end: position + bytes.length })
      },
    })
    return this.fetcher
  }

  /** Begins a fetch into a fresh file, of the whole unless said. */
  fetch(file: PackedFile, options: Partial<FetchRequest> = {}): Fetched {
    this.#lastFd += 1
    const fd = options.fd ?? this.#lastFd
    const size = file.content.length
    if (fd >= 0) this.disk.set(fd, new Uint8Array(size))
    const fetched = { present: [] as ByteRange[], holes: [] as ByteRange[], uncached: [] as { range: ByteRange; bytes: Uint8Array }[] }
    let doneCount = 0
    let settle: (failure: Failure | undefined) => void = () => undefined
    const done = new Promise<Failure | undefined>((resolve) => (settle = resolve))
    const ticket = this.fetcher.fetch(
      { manifest: file.manifest, range: { start: 0, end: size }, fd, isDemand: true, label: '/a/file', ...options },
      {
        present: (range, isHole) => (isHole ? fetched.holes : fetched.present).push(range),
        uncached: (range, bytes) => fetched.uncached.push({ range, bytes }),
        done: (failure) => {
          doneCount += 1
          if (fd >= 0) this.disk.delete(fd)
          settle(failure)
        },
      },
    )
    const disk = this.disk.get(fd)
    const isRight = (): boolean =>
      fetched.present.every(({ start, end }) => equalBytes(disk!.subarray(start, end), file.content.subarray(start, end))) &&
      fetched.holes.every(({ start, end }) => file.content.subarray(start, end).every((byte) => byte === 0)) &&
      fetched.uncached.every(({ range, bytes }) => equalBytes(bytes, file.content.subarray(range.start, range.end)))
    return { ticket, ...fetched, isRight, done, doneCount: () => doneCount }
  }

  finish(fetched: Fetched): Promise<Failure | undefined> {
    return this.clock.runUntil(fetched.done)
  }
}

/** Bytes in ranges. */
export function sum(ranges: readonly ByteRange[]): number {
  return ranges.reduce((bytes, { start, end }) => bytes + end - start, 0)
}
