/**
 * `Backend` for the file-system thread: sends the request, keeps the listener, and calls it when the answer is read from the port.
 *
 * Called by the file system through `Backend`, and by the thread's loop through `receive`. Requests under way are bounded; one more is refused,
 * which the kernel's own limit on waiting requests makes unlikely.
 */
import { errno } from '../../shared/errno.ts'
import type { Pointer } from '../../shared/format/entry.ts'
import type { Backend, Failure, FetchListener, FetchRequest, FileChore, Ticket } from '../fs/backend.ts'
import type { ToFileSystem, ToNetwork } from './messages.ts'

const requestCountMax = 16_384

const tooMany: Failure = { code: 'exhausted', message: `${requestCountMax} requests are under way already` }

export class RemoteBackend implements Backend {
  readonly #send: (message: ToNetwork) => void
  readonly #pages = new Map<Ticket, (answer: Uint8Array | Failure) => void>()
  readonly #fetches = new Map<Ticket, FetchListener>()
  readonly #syncs = new Map<Ticket, (result: number) => void>()
  readonly #preparations = new Map<Ticket, (ready: readonly boolean[]) => void>()
  #lastTicket = 0

  constructor(send: (message: ToNetwork) => void) {
    this.#send = send
  }

  /** Requests that wait for an answer. */
  get requestCount(): number {
    return this.#pages.size + this.#fetches.size + this.#syncs.size + this.#preparations.size
  }

  page(pointer: Pointer, done: (answer: Uint8Array | Failure) => void): Ticket {
    const ticket = this.#nextTicket()
    if (this.requestCount >= requestCountMax) {
      done(tooMany)
      return ticket
    }
    this.#pages.set(ticket, done)
    this.#send({ kind: 'page', ticket, pointer })
    return ticket
  }

  fetch(request: FetchRequest, listener: FetchListener): Ticket {
    const ticket = this.#nextTicket()
    if (this.requestCount >= requestCountMax) {
      listener.done(tooMany)
      return ticket
    }
    this.#fetches.set(ticket, listener)
    this.#send({ kind: 'fetch', ticket, request })
    return ticket
  }

  promote(ticket: Ticket): void {
    if (this.#fetches.has(ticket)) this.#send({ kind: 'promote', ticket })
  }

  cancel(ticket: Ticket): void {
    if (this.#fetches.has(ticket) || this.#pages.has(ticket)) this.#send({ kind: 'cancel', ticket })
  }

  sync(fd: number, done: (result: number) => void): void {
    if (this.requestCount >= requestCountMax) {
      done(-errno.EAGAIN)
      return
    }
    const ticket = this.#nextTicket()
    this.#syncs.set(ticket, done)
    this.#send({ kind: 'sync', ticket, fd })
  }

  prepare(chores: readonly FileChore[], done: (ready: readonly boolean[]) => void): void {
    const ticket = this.#nextTicket()
    this.#preparations.set(ticket, done)
    this.#send({ kind: 'prepare', ticket, chores })
  }

  /** An answer. True when it was one. */
  receive(message: ToFileSystem): boolean {
    switch (message.kind) {
      case 'page': {
        const done = this.#pages.get(message.ticket)
        this.#pages.delete(message.ticket)
        done?.(message.answer)
        return true
      }
      case 'present':
        this.#fetches.get(message.ticket)?.present(message.range, message.isHole)
        return true
      case 'uncached':
        this.#fetches.get(message.ticket)?.uncached(message.range, message.bytes)
        return true
      case 'done': {
        const listener = this.#fetches.get(message.ticket)
        this.#fetches.delete(message.ticket)
        listener?.done(message.failure)
        return true
      }
      case 'synced': {
        const done = this.#syncs.get(message.ticket)
        this.#syncs.delete(message.ticket)
        done?.(message.result)
        return true
      }
      case 'prepared': {
        const done = this.#preparations.get(message.ticket)
        this.#preparations.delete(message.ticket)
        done?.(message.ready)
        return true
      }
      default:
        return false
    }
  }

  #nextTicket(): Ticket {
    this.#lastTicket += 1
    return this.#lastTicket
  }
}
