/**
 * Tries again what failed for the moment, where trying again is safe.
 *
 * `get`, whole bodies, `list`, `put` and `delete` say the same when they are repeated. `create` and `replace` do not: when the answer of one that
 * landed is lost, a second try finds its own work and calls it a lost race. They are tried once; after `unavailable` the engine reads the key back,
 * because only the engine can tell its own record (by its nonce) from another's. Streams are not resumed here: their reader knows where it stopped.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, type ErrorCode, codeOf } from '../../shared/error.ts'
import { type Random, randomFraction } from '../../shared/random.ts'
import type { GetOptions, ObjectStore, StoredObject } from '../../shared/store.ts'
import { type StoreOperation, aroundCalls } from './around.ts'

export interface RetrySettings {
  readonly clock: Clock
  readonly random: Random
  /** Tries in all, the first included. */
  readonly tryCountMax: number
  /** The pause before the second try; it doubles each time. The real pause is a random part of it, so that many callers do not come back together. */
  readonly firstPauseMs: number
  readonly pauseMsMax: number
  /** Codes that are worth another try; `unavailable` unless given. */
  readonly codes?: readonly ErrorCode[]
}

export const retryDefaults = { tryCountMax: 4, firstPauseMs: 100, pauseMsMax: 5000 } as const

const repeatable: ReadonlySet<StoreOperation> = new Set<StoreOperation>(['get', 'list', 'put', 'delete'])

export function retryStore(store: ObjectStore, settings: RetrySettings): ObjectStore {
  const retrying = aroundCalls(store, ({ operation, signal }, run) =>
    repeatable.has(operation) ? retry(settings, signal, () => run(signal)) : run(signal),
  )
  return {
    ...retrying,
    get: async (key, options) => {
      const found = await retrying.get(key, options)
      return found && { size: found.size, etag: found.etag, bytes: () => readAgain(store, settings, key, options, found), stream: () => found.stream() }
    },
  }
}

/** A body can be read once, so each further try gets the object again; it must still be the same one. */
function readAgain(store: ObjectStore, settings: RetrySettings, key: string, options: GetOptions | undefined, first: StoredObject): Promise<Uint8Array> {
  let next: StoredObject | undefined = first
  return retry(settings, options?.signal, async () => {
    const found = next ?? (await store.get(key, options))
    next = undefined
    if (found === undefined) throw new EdgemountError('not-found', `Cannot read "${key}" from ${store.label}: it was deleted while it was read`)
    if (found.etag !== first.etag) throw new EdgemountError('unavailable', `Cannot read "${key}" from ${store.label}: it was replaced while it was read; try again`)
    return found.bytes()
  })
}

async function retry<T>(settings: RetrySettings, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  const { clock, random, tryCountMax, firstPauseMs, pauseMsMax, codes = ['unavailable'] } = settings
  for (let tryCount = 1; ; tryCount += 1) {
    try {
      return await run()
    } catch (error) {
      if (tryCount >= tryCountMax || signal?.aborted || !codes.includes(codeOf(error))) throw error
    }
    const pauseMs = Math.min(firstPauseMs * 2 ** (tryCount - 1), pauseMsMax)
    await clock.sleep(pauseMs * (0.5 + randomFraction(random) / 2), signal)
  }
}
