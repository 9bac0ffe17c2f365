/**
 * `Backend` over the volume engine: the network thread's answers to the file system. Pages come from the engine, bodies from the fetcher.
 *
 * Every request has a deadline and can be cancelled, so a store that does not answer becomes an I/O error and never a process that hangs.
 */
import { fdatasync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import type { Clock } from '../../shared/clock.ts'
import { codeOf, errno, messageOf } from '../../shared/error.ts'
import type { Pointer } from '../../shared/format/entry.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { PageStore } from '../../shared/volume/page-store.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import type { Backend, Failure, FetchListener, FetchRequest, Ticket } from '../fs/backend.ts'

export interface VolumeBackendParts {
  readonly pages: Pick<PageStore, 'source' | 'load'>
  readonly fetcher: Pick<Fetcher, 'fetch' | 'promote' | 'cancel'>
  readonly clock: Clock
  /** How long a page may take before the request fails. */
  readonly deadlineMs: number
}

export class VolumeBackend implements Backend {
  readonly #parts: VolumeBackendParts
  readonly #pages = new Map<Ticket, AbortController>()
  #lastPage = 0

  constructor(parts: VolumeBackendParts) {
    this.#parts = parts
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
    fdatasync(fd, (error) => done(error === null ? 0 : -errnoOf(error)))
  }

  async #answer(ticket: Ticket, pointer: Pointer, signal: AbortSignal, done: (answer: Uint8Array | Failure) => void): Promise<void> {
    const answer = await this.#load(pointer, signal)
    this.#pages.delete(ticket)
    done(answer)
  }

  /** Never rejects. */
  async #load(pointer: Pointer, parent: AbortSignal): Promise<Uint8Array | Failure> {
    const { pages, clock, deadlineMs } = this.#parts
    try {
      return await withDeadline(clock, deadlineMs, 'loading a page of the tree', parent, (signal) => pages.load(pointer, signal))
    } catch (error) {
      return { code: codeOf(error), message: messageOf(error) }
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
