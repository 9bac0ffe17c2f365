/**
 * The one thing edgemount asks of object storage. The volume engine calls it; the adapters in `edge/store/` and the
 * wire client in `shared/wire/` implement it; retry, limits, metrics and faults are decorators of it.
 *
 * Keys are printable ASCII parts joined by `/`, none empty, `.` or `..`, relative to whatever the store is scoped to; at most 1024 bytes
 * with the scope. No key may be a folder of another (`a` beside `a/b`): stores on a file system refuse the second one.
 * The promises below are checked for every implementation by `test/suites/store.ts`.
 */
import type { ByteRange } from './range.ts'

export interface StoreOptions {
  /** Ends the call with an `aborted` (or, for a time-out signal, `unavailable`) error. */
  readonly signal?: AbortSignal | undefined
}

export interface GetOptions extends StoreOptions {
  /** Only these bytes; clamped to the object's end. An empty or out-of-reach range gives an empty body. */
  readonly range?: ByteRange | undefined
  /** What came before was damaged: a cache on the way asks its source again, and replaces what it has. */
  readonly isFresh?: boolean | undefined
}

/** An object that was found. Exactly one of `bytes` and `stream` may be called, once. */
export interface StoredObject {
  /** Size in bytes of the whole object, not of the range. */
  readonly size: number
  /** Opaque version of the object; equal tags mean equal bytes. */
  readonly etag: string
  /** The body (of the range), whole. Rejects with `unavailable` when it came shorter than promised. */
  bytes(): Promise<Uint8Array>
  /** The body (of the range) as a stream that errors, never ends early, when it is cut. */
  stream(): ReadableStream<Uint8Array>
}

export interface ObjectSummary {
  readonly key: string
  /** Size in bytes. */
  readonly size: number
}

export interface ListOptions extends StoreOptions {
  /** Only keys after this one, in byte order. */
  readonly after?: string | undefined
  /** At most so many, 1 to 1000; 1000 unless given. */
  readonly limit?: number | undefined
}

export interface ObjectStore {
  /** For messages and logs, for example `dir:/srv/data`. Holds no secret. */
  readonly label: string

  /** The object, or undefined when there is none. Sees every write that finished before the call began. */
  get(key: string, options?: GetOptions): Promise<StoredObject | undefined>

  /**
   * Create if absent, atomically: of any number of racing calls for a key exactly one gets true, also across
   * processes, and no reader ever sees a part of it. When the promise resolves the object is durable. After a failure
   * (`unavailable`) the object may or may not be there: read it back.
   */
  create(key: string, body: Uint8Array, options?: StoreOptions): Promise<boolean>

  /** Write or replace, atomically: readers see the old or the new bytes, whole. */
  put(key: string, body: Uint8Array, options?: StoreOptions): Promise<void>

  /**
   * Compare and set: replaces the object only while its tag is `etag`. Gives the new tag, or undefined when the object
   * has another tag or is gone.
   */
  replace(key: string, body: Uint8Array, etag: string, options?: StoreOptions): Promise<string | undefined>

  /** Removes the object; nothing happens when there is none. */
  delete(key: string, options?: StoreOptions): Promise<void>

  /** Keys that start with `prefix`, in byte order, each once; fewer than `limit` only at the end. */
  list(prefix: string, options?: ListOptions): Promise<readonly ObjectSummary[]>
}
