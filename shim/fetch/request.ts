/**
 * What the fetcher keeps for each ticket, each wanted chunk and each GET under way. Plain data; `fetcher.ts` and `delivery.ts` act on it.
 */
import type { PackId, Pointer } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { Failure, FetchListener, FetchRequest, Ticket } from '../fs/backend.ts'

/** One ticket. */
export interface Request {
  readonly ticket: Ticket
  readonly request: FetchRequest
  readonly listener: FetchListener
  /** Ends with the request: aborts its page loads and its timer. */
  readonly ending: AbortController
  /** Chunks that it still waits for, and where in the file each is to go (one chunk may stand in several places). */
  readonly jobs: Map<Job, number[]>
  isDemand: boolean
  /** The manifest was read and all chunks are in `jobs`. */
  isResolved: boolean
  /** Its descriptor is being written to; `done` waits for that. */
  writeCount: number
  outcome: { readonly failure: Failure | undefined } | undefined
}

/** One chunk that somebody wants, however many they are. */
export interface Job {
  readonly pointer: Pointer
  readonly requests: Set<Request>
  /** Tiers that gave wrong bytes for it. */
  readonly avoid: Set<string>
  isDemand: boolean
  corruptCount: number
  failureCount: number
  /** Undefined while it waits in the queue. */
  get: Get | undefined
  /** Its bytes are verified and being written; who joins gets them too. */
  isDelivering: boolean
}

/** One ranged GET. */
export interface Get {
  readonly pack: PackId
  readonly range: ByteRange
  readonly isDemand: boolean
  readonly jobs: Set<Job>
  /** Read ahead into memory, for nobody in particular. */
  readonly isAhead: boolean
  /** Its bytes have come: nobody can join any more. */
  isTaken: boolean
  readonly controller: AbortController
}
