/**
 * `Backend` over the volume engine: the network thread's answers to the file system. Pages come from the engine, bodies from the fetcher.
 *
 * Every request has a deadline and can be cancelled, so a store that does not answer becomes an I/O error and never a process that hangs.
 */
import { fdatasync, fstatSync, fsync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import type { Clock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { codeOf, messageOf } from '../../shared/error.ts'
import type { Pointer } from '../../shared/format/entry.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import { type Random, randomFraction } from '../../shared/random.ts'
import type { PageStore } from '../../shared/volume/page-store.ts'
import { prepareFiles } from '../bodies/prepare-files.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import type { Backend, Failure, FetchListener, FetchRequest, FileChore, Ticket } from '../fs/backend.ts'
import { linuxSys } from '../sys/linux-sys.ts'

export interface VolumeBackendParts {
  readonly pages: Pick<PageStore, 'source' | 'load'>
  readonly fetcher: Pick<Fetcher, 'fetch' | 'promote' | 'cancel' | 'stats'>
  readonly clock: Clock
  readonly random: Random
  /** How long a page may take before the request fails. */
  readonly deadlineMs: number
}

const retryMsMin = 100
const retryMsMax = 2000

export class VolumeBackend implements Backend {
  readonly #parts: VolumeBackendParts
  readonly #pages = new Map<Ticket, AbortController>()
  #lastPage = 0
  /** Since when nothing but failures came. */
  #awaySinceMs: number | undefined

  constructor(parts: VolumeBackendParts) {
    this.#parts = parts
  }

  /** Requests under way. */
  get requestCount(): number {
    return this.#pages.size + this.#parts.fetcher.stats.requestCount
  }

  /** INVARIANT: a page's ticket is odd, a fetch's is twice the fetcher's own. */
  page(pointer: Pointer, done: (answer: Uint8Array | Failure) => void): Ticket {
    this.#lastPage += 1
    const ticket = this.#lastPage * 2 - 1
    const held = this.#parts.pages.source(pointer)
    if (held !== undefined) {
      done(held)
      return ticket
    }
    const controller = new AbortController()
    this.#pages.set(ticket, controller)
    void this.#answer(ticket, pointer, controller.signal, done)
    return ticket
  }

  fetch(request: FetchRequest, listener: FetchListener): Ticket {
    return this.#parts.fetcher.fetch(request, listener) * 2
  }

  promote(ticket: Ticket): void {
    if (ticket % 2 === 0) this.#parts.fetcher.promote(ticket / 2)
  }

  cancel(ticket: Ticket): void {
    if (ticket % 2 === 0) this.#parts.fetcher.cancel(ticket / 2)
    else this.#pages.get(ticket)?.abort()
  }

  sync(fd: number, done: (result: number) => void): void {
    // For ext4 a new name is no data of its directory.
    const call = fstatSync(fd).isDirectory() ? fsync : fdatasync
    call(fd, (error) => done(error === null ? 0 : -errnoOf(error)))
  }

  prepare(chores: readonly FileChore[], done: (ready: readonly boolean[]) => void): void {
    void this.#prepare(chores, done)
  }

  async #prepare(chores: readonly FileChore[], done: (ready: readonly boolean[]) => void): Promise<void> {
    done(await prepareFiles(linuxSys, chores))
  }

  async #answer(ticket: Ticket, pointer: Pointer, signal: AbortSignal, done: (answer: Uint8Array | Failure) => void): Promise<void> {
    const answer = await this.#load(pointer, signal)
    this.#pages.delete(ticket)
    done(answer)
  }

  /** Never rejects. */
  async #load(pointer: Pointer, parent: AbortSignal): Promise<Uint8Array | Failure> {
    const { clock, deadlineMs } = this.#parts
    try {
      return await withDeadline(clock, deadlineMs, 'loading a page of the tree', parent, (signal) => this.#loadPatiently(pointer, signal))
    } catch (error) {
      return { code: codeOf(error), message: messageOf(error) }
    }
  }

  /** A store that is away is asked again, until the deadline; once it has been away for that long, a failure is told at once. */
  async #loadPatiently(pointer: Pointer, signal: AbortSignal): Promise<Uint8Array> {
    const { pages, clock, random, deadlineMs } = this.#parts
    for (let retryMs = retryMsMin; ; retryMs = Math.min(retryMsMax, retryMs * 2)) {
      try {
        const page = await pages.load(pointer, signal)
        this.#awaySinceMs = undefined
        return page
      } catch (error) {
        if (signal.aborted || codeOf(error) !== 'unavailable') throw error
        this.#awaySinceMs ??= clock.now()
        if (clock.now() - this.#awaySinceMs > deadlineMs) throw error
      }
      await clock.sleep(retryMs * (0.5 + randomFraction(random)), signal)
    }
  }

  /** Fails the pages under way. */
  close(): void {
    for (const controller of this.#pages.values()) controller.abort()
  }
}

function errnoOf(error: NodeJS.ErrnoException): number {
  return Object.entries(osConstants.errno).find(([name]) => name === error.code)?.[1] ?? errno.EIO
}
