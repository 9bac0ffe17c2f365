/**
 * The network thread's side of the bridge: takes requests from the file-system thread, asks the real backend, and sends the answers back.
 *
 * Pages are copied before they are handed over, because the engine's cache keeps its own.
 */
import type { Backend, Ticket } from '../fs/backend.ts'
import type { ToFileSystem, ToNetwork } from './messages.ts'

export class BackendServer {
  readonly #backend: Backend
  readonly #send: (message: ToFileSystem, transfer: readonly ArrayBuffer[]) => void
  /** The other thread's ticket → the backend's. */
  readonly #tickets = new Map<Ticket, Ticket>()

  constructor(backend: Backend, send: (message: ToFileSystem, transfer: readonly ArrayBuffer[]) => void) {
    this.#backend = backend
    this.#send = send
  }

  /** A request. True when it was one. */
  receive(message: ToNetwork): boolean {
    switch (message.kind) {
      case 'page':
        this.#page(message.ticket, message)
        return true
      case 'fetch':
        this.#fetch(message.ticket, message)
        return true
      case 'sync':
        this.#backend.sync(message.fd, (result) => this.#send({ kind: 'synced', ticket: message.ticket, result }, []))
        return true
      case 'prepare':
        this.#backend.prepare(message.chores, (ready) => this.#send({ kind: 'prepared', ticket: message.ticket, ready }, []))
        return true
      case 'promote':
      case 'cancel': {
        const inner = this.#tickets.get(message.ticket)
        if (inner !== undefined) this.#backend[message.kind](inner)
        return true
      }
      default:
        return false
    }
  }

  /** Ends whatever is under way: the file system is gone. */
  close(): void {
    for (const inner of this.#tickets.values()) this.#backend.cancel(inner)
  }

  #page(ticket: Ticket, { pointer }: Extract<ToNetwork, { kind: 'page' }>): void {
    this.#begin(ticket, (ended) =>
      this.#backend.page(pointer, (answer) => {
        ended()
        if (!(answer instanceof Uint8Array)) {
          this.#send({ kind: 'page', ticket, answer }, [])
          return
        }
        const page = answer.slice()
        this.#send({ kind: 'page', ticket, answer: page }, [page.buffer])
      }),
    )
  }

  #fetch(ticket: Ticket, { request }: Extract<ToNetwork, { kind: 'fetch' }>): void {
    this.#begin(ticket, (ended) =>
      this.#backend.fetch(request, {
        present: (range, isHole) => this.#send({ kind: 'present', ticket, range, isHole }, []),
        uncached: (range, bytes) => {
          // A view would be sent with all of the buffer behind it.
          const own = bytes.slice()
          this.#send({ kind: 'uncached', ticket, range, bytes: own }, [own.buffer])
        },
        done: (failure) => {
          ended()
          this.#send({ kind: 'done', ticket, failure }, [])
        },
      }),
    )
  }

  /** The backend may answer before it gives its ticket. */
  #begin(ticket: Ticket, ask: (ended: () => void) => Ticket): void {
    let isOver = false
    const inner = ask(() => {
      isOver = true
      this.#tickets.delete(ticket)
    })
    if (!isOver) this.#tickets.set(ticket, inner)
  }
}
