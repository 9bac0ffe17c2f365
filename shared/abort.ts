/**
 * What an AbortSignal becomes in edgemount: always an `EdgemountError`, `aborted` when a caller gave up and `unavailable`
 * when a time limit passed, so that nobody has to know which platform threw what.
 */
import { EdgemountError, codeOf, messageOf } from './error.ts'

/** The error of a signal that has fired. */
export function abortError(signal: AbortSignal): EdgemountError {
  const reason: unknown = signal.reason
  if (reason instanceof EdgemountError) return reason
  if (codeOf(reason) === 'unavailable') return new EdgemountError('unavailable', 'Cannot wait any longer: the time limit passed', { cause: reason })
  return new EdgemountError('aborted', `Cannot go on: the caller gave up (${messageOf(reason)})`, { cause: reason })
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}

/** The promise, or the signal's error, whichever comes first. The promise is not stopped: give its maker the signal too. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
