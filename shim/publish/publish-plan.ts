/**
 * When to publish: a pure function of what is pending, of how the last rounds went, and of who waits. `publisher.ts` asks it after each event and obeys.
 *
 * All moments are milliseconds of one clock that only grows.
 */
import type { ErrorCode } from '../../shared/error.ts'

export interface PublishSettings {
  /** Nothing more must have changed for so long. */
  readonly delayMs: number
  /** After the first change it is not waited for longer than this, whatever goes on changing. */
  readonly delayMsMax: number
}

/** Kernels of databases write for hours: their files get a turn this often. */
export const delayMsMaxDefault = 30_000

/** How much waits, as far as the plan cares. */
export interface Amount {
  readonly changeCount: number
  readonly dirtyBytes: number
}

export interface PublishState {
  readonly nowMs: number
  /** What waits now. */
  readonly amount: Amount
  /** What the last round left: files that are open for writing, or that changed while they were read. */
  readonly left: Amount
  /** When the newest change was heard of; undefined: nothing has changed since the last round. */
  readonly newestMs: number | undefined
  /** When the first change after the last round was heard of. */
  readonly oldestMs: number | undefined
  /** When the last round ended. */
  readonly endedMs: number
  /** Somebody waits for everything to be published; what was left for them once is tried again soon. */
  readonly isAsked: boolean
  /** Somebody has asked since the last failure: that is worth one try at once. */
  readonly isAskedAnew: boolean
  readonly failure: { readonly count: number; readonly isFirm: boolean; readonly atMs: number; readonly chance: number } | undefined
}

export type PublishPlan =
  /** `isEverything`: also files that are open for writing. */
  | { readonly kind: 'publish'; readonly isEverything: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  /** Until something happens. */
  | { readonly kind: 'idle' }

/** So much more is published at once: two packs, and a share of the memory that a batch takes. */
const manyBytes = 128 * 1024 * 1024
const manyChanges = 20_000
/** A file that somebody waits for may hold still in a moment. */
const askedAgainMs = 200
const retryMsMin = 250
const retryMsMax = 30_000
/** What is not the network's fault takes a person to mend. */
const firmRetryMs = 60_000

export function planPublishing(state: PublishState, settings: PublishSettings): PublishPlan {
  const { nowMs, amount, isAsked } = state
  if (amount.changeCount === 0 && !isAsked) return { kind: 'idle' }
  const ms = dueAt(state, settings) - nowMs
  return ms > 0 ? { kind: 'wait', ms } : { kind: 'publish', isEverything: isAsked }
}

/** A failure that time does not mend. */
export function isFirm(code: ErrorCode): boolean {
  return !['unavailable', 'exhausted', 'aborted', 'closed', 'stale', 'conflict'].includes(code)
}

function dueAt(state: PublishState, { delayMs, delayMsMax }: PublishSettings): number {
  const { nowMs, amount, left, newestMs, oldestMs, endedMs, failure } = state
  if (state.isAskedAnew) return nowMs
  if (failure !== undefined) return retryAt(failure)
  if (state.isAsked) return endedMs + askedAgainMs
  // What was left is tried again in time, not again and again.
  if (newestMs === undefined) return endedMs + delayMsMax
  const isMany = amount.dirtyBytes - left.dirtyBytes >= manyBytes || amount.changeCount - left.changeCount >= manyChanges
  return isMany ? Math.min(endedMs + delayMs, newestMs + delayMs) : Math.min(newestMs + delayMs, (oldestMs ?? newestMs) + delayMsMax)
}

function retryAt({ count, isFirm: takesPerson, atMs, chance }: NonNullable<PublishState['failure']>): number {
  const ms = takesPerson ? firmRetryMs : Math.min(retryMsMax, retryMsMin * 2 ** (count - 1))
  return atMs + ms * (0.5 + chance / 2)
}
