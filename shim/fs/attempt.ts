/**
 * Runs a synchronous step of the file system, and again each time a page that it lacked has come, until it has an answer.
 *
 * Called by the handler for everything that walks a tree. A step must be repeatable: it changes nothing before it has all its pages.
 * What a step throws is logged here, once, and becomes an errno: one broken page must not end the mount.
 */
import { errno, errnoOfCode } from '../../shared/errno.ts'
import { type ErrorCode, codeOf, messageOf } from '../../shared/error.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import type { Logger } from '../../shared/log.ts'
import { type Answer, Deferred } from '../fuse/handler.ts'
import type { Failure } from './backend.ts'
import type { TreePages } from './tree-pages.ts'

/** What a step may give: the answer, a negative errno, or the page it lacks. */
export type Step<T> = () => T | number | Missing

/** One answer needs a few pages, a listing of huge entries some dozens. More means that pages leave the memory faster than they come. */
const loadCountMax = 1000

export class Attempts {
  readonly #pages: TreePages
  readonly #log: Logger

  constructor(pages: TreePages, log: Logger) {
    this.#pages = pages
    this.#log = log
  }

  /** `what` and `path` are for the log. */
  run<T>(what: string, path: () => string, step: Step<T>): Answer<T> {
    const first = this.#guard(what, path, step)
    if (!isMissing(first)) return first
    const deferred = new Deferred<T>()
    let loadCount = 0
    const waitFor = (lack: Missing): void => {
      loadCount += 1
      if (loadCount > loadCountMax) {
        deferred.settle(this.#fail(what, path, { code: 'internal', message: `it took more than ${loadCountMax} pages` }))
        return
      }
      const leave = this.#pages.load(lack.missing, {
        done: (failure) => {
          if (deferred.isSettled) return
          if (failure !== undefined) {
            deferred.settle(this.#fail(what, path, failure))
            return
          }
          const next = this.#guard(what, path, step)
          if (isMissing(next)) waitFor(next)
          else deferred.settle(next)
        },
      })
      deferred.onInterrupt = () => {
        leave()
        deferred.settle(-errno.EINTR)
      }
    }
    waitFor(first)
    return deferred
  }

  #guard<T>(what: string, path: () => string, step: Step<T>): T | number | Missing {
    try {
      return step()
    } catch (error) {
      return this.#fail(what, path, { code: codeOf(error), message: messageOf(error) })
    }
  }

  #fail(what: string, path: () => string, failure: Failure): number {
    if (failure.code !== 'aborted') this.#log.error(`Cannot ${what} "${path()}": ${failure.message}`, { code: failure.code })
    return -errnoOfFailure(failure.code)
  }
}

/** Metadata that is not there, damaged or refused is an I/O error to whoever asked for a file: ENOENT would say that the file is gone. */
export function errnoOfFailure(code: ErrorCode): number {
  return code === 'aborted' ? errno.EINTR : code === 'exhausted' || code === 'not-found' || code === 'invalid' ? errno.EIO : errnoOfCode[code]
}
