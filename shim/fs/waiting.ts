/**
 * Operations that have to wait for something before they are done: for the publisher, or for room. Called by the handler and its writer.
 */
import { errno } from '../../shared/errno.ts'
import { type Answer, Deferred } from '../fuse/handler.ts'

/** Starts something that calls back once, with 0 or a negative errno. */
export type Start = (done: (result: number) => void) => void

/** For `onInterrupt` of what ends soon by itself, and that no signal may break off. */
export const waitOn = (): void => undefined

/** Waits, then answers with `next`. Who is interrupted while it waits gets EINTR, and `next` is not called. */
export function afterwards<T>(start: Start, next: () => Answer<T>): Answer<T> {
  const deferred = new Deferred<T>()
  deferred.onInterrupt = () => deferred.settle(-errno.EINTR)
  start((result) => {
    if (deferred.isSettled) return
    if (result < 0) deferred.settle(result)
    else settleWith(deferred, next())
  })
  return deferred
}

/** What `answer` is in the end, and then what `start` says. */
export function andThen(answer: Answer<undefined>, start: Start): Answer<undefined> {
  if (typeof answer === 'number') return answer
  return afterwards((done) => {
    if (answer === undefined) start(done)
    else answer.listen((result) => (typeof result === 'number' ? done(result) : start(done)))
  }, () => undefined)
}

/** Goes on with the value when it is there; an errno is the answer. */
export function settledBy<T, U>(answer: Answer<T>, next: (value: T) => Answer<U>): Answer<U> {
  if (typeof answer === 'number') return answer
  if (!(answer instanceof Deferred)) return next(answer)
  const deferred = new Deferred<U>()
  deferred.onInterrupt = () => answer.onInterrupt?.()
  answer.listen((value) => {
    if (typeof value === 'number') deferred.settle(value)
    else settleWith(deferred, next(value))
  })
  return deferred
}

function settleWith<T>(deferred: Deferred<T>, answer: Answer<T>): void {
  if (answer instanceof Deferred) {
    deferred.onInterrupt = () => answer.onInterrupt?.()
    answer.listen((value) => deferred.settle(value))
  } else deferred.settle(answer)
}
