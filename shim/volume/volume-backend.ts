/**
 * `Backend` over the volume engine: the network thread's answers to the file system.
 *
 * Every request has a deadline and can be cancelled, so a store that does not answer becomes an I/O error and never a process that hangs.
 */
import { fdatasync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import type { Clock } from '../../shared/clock.ts'
import { codeOf, errno, messageOf } from '../../shared/error.ts'
import { decodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { Entry, FileId, Pointer } from '../../shared/format/entry.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { PageStore } from '../../shared/volume/page-store.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Backend, Failure, FetchListener, FetchRequest, Ticket } from '../fs/backend.ts'

export interface VolumeBackendParts {
  readonly pages: PageStore
  readonly snapshot: Snapshot
  readonly clock: Clock
  /** How long a page or a chunk may take before the request fails with an I/O error. */
  readonly deadlineMs: number
}

export class VolumeBackend implements Backend {
  readonly #parts: VolumeBackendParts
  readonly #requests = new Map<Ticket, AbortController>()
  #lastTicket = 0

  constructor(parts: VolumeBackendParts) {
    this.#parts = parts
  }

  get requestCount(): number {
    return this.#requests.size
  }

  page(pointer: Pointer, done: (answer: Uint8Array | Failure) => void): Ticket {
    const { pages } = this.#parts
    const held = pages.source(pointer)
    const { ticket, run } = this.#begin('a page of the tree', (signal) => pages.load(pointer, signal))
    if (held === undefined) run(done, done)
    else {
      this.#requests.delete(ticket)
      done(held)
    }
    return ticket
  }

  fetch(request: FetchRequest, listener: FetchListener): Ticket {
    const entry = fileOf(request)
    const { ticket, run } = this.#begin(`reading "${request.label}"`, async (signal) => {
      let at = request.range.start
      for await (const bytes of this.#parts.snapshot.read(entry, request.range, { signal, label: request.label })) {
        listener.uncached({ start: at, end: at + bytes.length }, bytes)
        at += bytes.length
      }
    })
    run(() => listener.done(undefined), (failure) => listener.done(failure))
    return ticket
  }

  promote(_ticket: Ticket): void {
    // Everything is fetched at once.
  }

  cancel(ticket: Ticket): void {
    this.#requests.get(ticket)?.abort()
  }

  sync(fd: number, done: (result: number) => void): void {
    fdatasync(fd, (error) => done(error === null ? 0 : -errnoNumber(error)))
  }

  /** Aborts everything under way. */
  close(): void {
    for (const controller of this.#requests.values()) controller.abort()
  }

  #begin<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Begun<T> {
    this.#lastTicket += 1
    const ticket = this.#lastTicket
    const controller = new AbortController()
    this.#requests.set(ticket, controller)
    const { clock, deadlineMs } = this.#parts
    return {
      ticket,
      run: (succeed, fail) => {
        withDeadline(clock, deadlineMs, what, controller.signal, work)
          .finally(() => this.#requests.delete(ticket))
          .then(succeed, (error: unknown) => fail({ code: codeOf(error), message: messageOf(error) }))
      },
    }
  }
}

interface Begun<T> {
  readonly ticket: Ticket
  run(succeed: (value: T) => void, fail: (failure: Failure) => void): void
}

/** An entry with nothing in it but the body that is asked for. */
function fileOf(request: FetchRequest): Entry {
  const time = { seconds: 0, nanoseconds: 0 }
  return {
    kind: 'file',
    id: 0 as FileId,
    mode: 0,
    uid: 0,
    gid: 0,
    mtime: time,
    ctime: time,
    size: request.range.end,
    linkCount: 1,
    xattrs: new Map(),
    content: { kind: 'manifest', root: decodeManifestRoot(request.manifest) },
  }
}

function errnoNumber(error: NodeJS.ErrnoException): number {
  const number = Object.entries(osConstants.errno).find(([name]) => name === error.code)?.[1]
  return number ?? errno.EIO
}
