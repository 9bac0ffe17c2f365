/**
 * `ChangesLink` over messages: one question of each kind at a time, answered in order. Ended by `close`, when the other thread is gone.
 */
import { getSystemErrorName } from 'node:util'
import { EdgemountError } from '../../shared/error.ts'
import type { FileId } from '../../shared/format/entry.ts'
import type { Batch, Doubt, ToChanges, ToPublisher, Verified } from '../changes/publishing.ts'
import type { ChangesLink } from './batch-commit.ts'

export class MessageLink implements ChangesLink {
  readonly #send: (message: ToChanges) => void
  #batch: PromiseWithResolvers<Batch | Doubt | undefined> | undefined
  #verified: PromiseWithResolvers<Verified> | undefined
  #isClosed = false

  constructor(send: (message: ToChanges) => void) {
    this.#send = send
  }

  takeBatch(isEverything: boolean): Promise<Batch | Doubt | undefined> {
    const asked = Promise.withResolvers<Batch | Doubt | undefined>()
    this.#batch = asked
    return this.#ask({ kind: 'take-batch', isEverything }, asked)
  }

  verify(ids: readonly FileId[]): Promise<Verified> {
    const asked = Promise.withResolvers<Verified>()
    this.#verified = asked
    return this.#ask({ kind: 'verify', ids }, asked)
  }

  tell(message: ToChanges): void {
    if (!this.#isClosed) this.#send(message)
  }

  /** True when it was an answer. */
  receive(message: ToPublisher): boolean {
    if (message.kind === 'batch') this.#batch?.resolve(message.batch)
    else if (message.kind === 'in-doubt') this.#batch?.resolve(message.doubt)
    else if (message.kind === 'batch-failed') this.#batch?.reject(takeError(message.result))
    else if (message.kind === 'verified') this.#verified?.resolve(message.verified)
    else return false
    return true
  }

  close(): void {
    this.#isClosed = true
    this.#batch?.reject(closedError())
    this.#verified?.reject(closedError())
  }

  /** INVARIANT: who waits is known before the question is sent: the portable driver's file system is on this thread, and answers at once. */
  #ask<T>(message: ToChanges, asked: PromiseWithResolvers<T>): Promise<T> {
    // Whoever asked hears of it.
    asked.promise.catch(() => undefined)
    if (this.#isClosed) asked.reject(closedError())
    else this.#send(message)
    return asked.promise
  }
}

/** Always one that time may mend: nothing is lost, and who waits is told. */
function takeError(result: number): EdgemountError {
  return new EdgemountError('unavailable', `Cannot write down what is to be published: ${getSystemErrorName(result)}`)
}

function closedError(): EdgemountError {
  return new EdgemountError('closed', 'Cannot ask the file system what has changed: it is over')
}
