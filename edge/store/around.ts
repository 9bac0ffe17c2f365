/**
 * What most decorators share: the same thing done around every call of a store. Retry, limit, deadline and observe are each one such function.
 */
import type { ObjectStore, StoreOptions, StoredObject } from '../../shared/store.ts'

/** `body` is the reading of a body that `get` promised; streams pass untouched, so that a runtime can send its native ones. */
export type StoreOperation = 'get' | 'body' | 'create' | 'put' | 'replace' | 'delete' | 'list'

export interface StoreCall {
  readonly operation: StoreOperation
  /** The key, or the prefix of a list. */
  readonly key: string
  readonly signal: AbortSignal | undefined
  /** Bytes the call sends; 0 for calls without a body. */
  readonly sentBytes: number
}

/** Runs a call, at once or later, once or again; may give it another signal. */
export type Around = <T>(call: StoreCall, run: (signal: AbortSignal | undefined) => Promise<T>) => Promise<T>

export function aroundCalls(store: ObjectStore, around: Around): ObjectStore {
  return {
    label: store.label,
    get: async (key, options = {}) => {
      const found = await around(callOf('get', key, options), (signal) => store.get(key, { ...options, signal }))
      return found && aroundBody(found, (read) => around(callOf('body', key, options), read))
    },
    create: (key, body, options = {}) => around(callOf('create', key, options, body.length), (signal) => store.create(key, body, { ...options, signal })),
    put: (key, body, options = {}) => around(callOf('put', key, options, body.length), (signal) => store.put(key, body, { ...options, signal })),
    replace: (key, body, etag, options = {}) =>
      around(callOf('replace', key, options, body.length), (signal) => store.replace(key, body, etag, { ...options, signal })),
    delete: (key, options = {}) => around(callOf('delete', key, options), (signal) => store.delete(key, { ...options, signal })),
    list: (prefix, options = {}) => around(callOf('list', prefix, options), (signal) => store.list(prefix, { ...options, signal })),
  }
}

function callOf(operation: StoreOperation, key: string, { signal }: StoreOptions, sentBytes = 0): StoreCall {
  return { operation, key, signal, sentBytes }
}

function aroundBody(found: StoredObject, around: (read: () => Promise<Uint8Array>) => Promise<Uint8Array>): StoredObject {
  return { size: found.size, etag: found.etag, bytes: () => around(() => found.bytes()), stream: () => found.stream() }
}
