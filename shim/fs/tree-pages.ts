/**
 * Tree and manifest pages in the memory of the file-system thread, and the wait for those that are not there.
 *
 * Called by everything in `shim/fs/` that walks a tree: `find` is the `PageSource` of shared/format; when a walk gives `missing`, `load`
 * asks the backend, once for all who wait. Pages arrive verified. A failure is told to those who wait and never remembered.
 */
import type { Pointer } from '../../shared/format/entry.ts'
import type { Backend, Failure, Ticket } from './backend.ts'

/** The memory of pages: enough for the directories of a million files. */
export const pageBytesMaxDefault = 64 * 1024 * 1024

/** What a page costs besides its bytes: the map's place and two objects. */
const pageOverheadBytes = 200

interface Load {
  ticket: Ticket
  readonly waiters: Set<PageWaiter>
  /** Set when the backend has answered, perhaps before `page` returned. */
  early: { readonly failure: Failure | undefined } | undefined
}

/** Somebody who waits for a page. */
export interface PageWaiter {
  /** Called once, with the reason when the page could not be had. */
  done(failure: Failure | undefined): void
}

export class TreePages {
  readonly #backend: Pick<Backend, 'page' | 'cancel'>
  readonly #bytesMax: number
  /** INVARIANT: in order of last use, the oldest first. */
  readonly #pages = new Map<string, Uint8Array>()
  readonly #loads = new Map<string, Load>()
  #bytes = 0
  #missCount = 0

  constructor(backend: Pick<Backend, 'page' | 'cancel'>, bytesMax: number = pageBytesMaxDefault) {
    this.#backend = backend
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get missCount(): number {
    return this.#missCount
  }

  get loadCount(): number {
    return this.#loads.size
  }

  /** The page, if it is in memory. */
  readonly find = (pointer: Pointer): Uint8Array | undefined => {
    const page = this.#pages.get(pointer.hash)
    if (page === undefined) return undefined
    this.#pages.delete(pointer.hash)
    this.#pages.set(pointer.hash, page)
    return page
  }

  /** Waits for a page; the function it gives ends the wait (and the request, if nobody else waits). */
  load(pointer: Pointer, waiter: PageWaiter): () => void {
    const key = pointer.hash
    const load = this.#loads.get(key) ?? this.#start(pointer)
    load.waiters.add(waiter)
    if (load.early !== undefined) {
      load.waiters.clear()
      waiter.done(load.early.failure)
    }
    return () => {
      if (!load.waiters.delete(waiter) || load.waiters.size > 0 || this.#loads.get(key) !== load) return
      this.#loads.delete(key)
      this.#backend.cancel(load.ticket)
    }
  }

  /** Fails everybody who waits: the mount is over. */
  stop(failure: Failure): void {
    for (const [key, load] of this.#loads) {
      this.#loads.delete(key)
      for (const waiter of load.waiters) waiter.done(failure)
    }
  }

  #start(pointer: Pointer): Load {
    const key = pointer.hash
    this.#missCount += 1
    const load: Load = { ticket: 0, waiters: new Set(), early: undefined }
    load.ticket = this.#backend.page(pointer, (answer) => {
      const failure = answer instanceof Uint8Array ? undefined : answer
      if (answer instanceof Uint8Array) this.#keep(key, answer)
      load.early = { failure }
      // A load that was cancelled and begun again is another one.
      if (this.#loads.get(key) === load) this.#loads.delete(key)
      for (const waiter of load.waiters) waiter.done(failure)
      load.waiters.clear()
    })
    if (load.early === undefined) this.#loads.set(key, load)
    return load
  }

  #keep(key: string, page: Uint8Array): void {
    if (this.#pages.has(key)) return
    this.#pages.set(key, page)
    this.#bytes += page.length + pageOverheadBytes
    for (const [oldKey, old] of this.#pages) {
      if (this.#bytes <= this.#bytesMax || oldKey === key) break
      this.#pages.delete(oldKey)
      this.#bytes -= old.length + pageOverheadBytes
    }
  }
}
