/**
 * A part of a store as a store of its own: every key gets a prefix. The engine is given its volume's scope and can name nothing outside.
 */
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from '../../shared/store.ts'
import { checkKey, checkPrefix } from './key.ts'

export class ScopedStore implements ObjectStore {
  readonly label: string
  readonly #store: ObjectStore
  readonly #scope: string

  /** `scope` is a key (`demo`, `team/demo`): the scoped store holds the keys below it. */
  constructor(store: ObjectStore, scope: string) {
    checkKey(scope)
    const [base, query] = splitQuery(store.label)
    this.label = `${base}/${scope}${query}`
    this.#store = store
    this.#scope = `${scope}/`
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.#store.get(this.#outer(key), options)
  }

  async create(key: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#store.create(this.#outer(key), body, options)
  }

  async put(key: string, body: Uint8Array, options?: StoreOptions): Promise<void> {
    await this.#store.put(this.#outer(key), body, options)
  }

  async replace(key: string, body: Uint8Array, etag: string, options?: StoreOptions): Promise<string | undefined> {
    return this.#store.replace(this.#outer(key), body, etag, options)
  }

  async delete(key: string, options?: StoreOptions): Promise<void> {
    await this.#store.delete(this.#outer(key), options)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly ObjectSummary[]> {
    checkPrefix(prefix)
    const { after, ...rest } = options
    const outer = after === undefined ? rest : { ...rest, after: this.#scope + after }
    const found = await this.#store.list(this.#scope + prefix, outer)
    return found.map(({ key, size }) => ({ key: key.slice(this.#scope.length), size }))
  }

  /** Checked here, before the prefix goes on: `../other` must not become a key of another volume. */
  #outer(key: string): string {
    checkKey(key)
    return this.#scope + key
  }
}

/** An address in a cloud has its path before its parameters; the path of a folder may hold anything. */
function splitQuery(label: string): [base: string, query: string] {
  const index = /^[a-z0-9]+:\/\//.test(label) ? label.indexOf('?') : -1
  return index < 0 ? [label, ''] : [label.slice(0, index), label.slice(index)]
}
