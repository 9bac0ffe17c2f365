/**
 * `Publishing` for the file-system thread: sends what it asks of the publisher, keeps who waits, and calls them when the answer is read from the port.
 */
import { errno } from '../../shared/errno.ts'
import type { ClaimRequest, PublishRequest, Publishing, ToChanges, ToPublisher } from '../changes/publishing.ts'

/** Each is a system call that waits; the kernel lets fewer wait at a time. */
const waitingMax = 16_384

export class RemotePublishing implements Publishing {
  readonly #send: (message: ToPublisher) => void
  readonly #waiting = new Map<number, (result: number, seq: number) => void>()
  #lastTicket = 0

  constructor(send: (message: ToPublisher) => void) {
    this.#send = send
  }

  publish(request: PublishRequest, done: (result: number) => void): void {
    this.#ask(done, (ticket) => ({ kind: 'publish', ticket, ...request }))
  }

  claim(request: ClaimRequest, done: (result: number, seq: number) => void): void {
    this.#ask(done, (ticket) => ({ kind: 'claim', ticket, ...request }))
  }

  revalidate(done: (result: number) => void): void {
    this.#ask(done, (ticket) => ({ kind: 'revalidate', ticket }))
  }

  /** An answer. True when it was one. */
  receive(message: ToChanges): boolean {
    if (message.kind !== 'publish-done' && message.kind !== 'claimed' && message.kind !== 'revalidated') return false
    const done = this.#waiting.get(message.ticket)
    this.#waiting.delete(message.ticket)
    done?.(message.result, message.kind === 'claimed' ? message.seq : 0)
    return true
  }

  #ask(done: (result: number, seq: number) => void, messageFor: (ticket: number) => ToPublisher): void {
    if (this.#waiting.size >= waitingMax) {
      done(-errno.EAGAIN, 0)
      return
    }
    this.#lastTicket += 1
    this.#waiting.set(this.#lastTicket, done)
    this.#send(messageFor(this.#lastTicket))
  }
}
