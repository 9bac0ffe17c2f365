/**
 * A store that passes everything on to another one: what those begin with that do one or two operations otherwise.
 */
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from './store.ts'

export class PassingStore implements ObjectStore {
  readonly label: string
  protected readonly store: ObjectStore

  constructor(store: ObjectStore) {
    this.label = store.label
    this.store = store
  }

  get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.store.get(key, options)
  }

  create(key: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.store.create(key, body, options)
  }

  put(key: string, body: Uint8Array, options?: StoreOptions): Promise<void> {
    return this.store.put(key, body, options)
  }

  replace(key: string, body: Uint8Array, etag: string, options?: StoreOptions): Promise<string | undefined> {
    return this.store.replace(key, body, etag, options)
  }

  delete(key: string, options?: StoreOptions): Promise<void> {
    return this.store.delete(key, options)
  }

  list(prefix: string, options?: ListOptions): Promise<readonly ObjectSummary[]> {
    return this.store.list(prefix, options)
  }
}
