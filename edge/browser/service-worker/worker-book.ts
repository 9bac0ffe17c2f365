/**
 * What a service worker must know when it is started anew, which is at any time: the prefixes that it serves, and what is pinned. In IndexedDB, in a database of its own.
 */
import { createStore, del, entries, get, set, type UseStore } from 'idb-keyval'

/** What a prefix stands for: everything but the token. */
export interface ServedSettings {
  /** A path of this origin that begins and ends with a slash. */
  readonly prefix: string
  /** The volume's address. */
  readonly url: string
  /** The commit to stay at. */
  readonly seq: number | undefined
  readonly cacheBytes: number
  /** What may be pinned beside it. */
  readonly pinBytes: number
  /** Whether the token is kept in IndexedDB. */
  readonly keepsToken: boolean
}

export interface KeptPin {
  readonly path: string
  /** The commit that is kept, whole; undefined before the first is. */
  readonly seq: number | undefined
  /** What the path was there. */
  readonly version: string | undefined
  /** Of which volume, since another may have its name by now. */
  readonly generation: string | undefined
  /** The commit that is being fetched. */
  readonly nextSeq: number | undefined
  readonly files: number
  readonly bytes: number
  readonly totalFiles: number
  readonly totalBytes: number
}

/** What is pinned of one prefix. */
export interface PinBook {
  read(): Promise<readonly KeptPin[]>
  write(pin: KeptPin): Promise<void>
  remove(path: string): Promise<void>
}

export interface KeptVolume {
  readonly settings: ServedSettings
  readonly token: string | undefined
}

export class WorkerBook {
  readonly #use: UseStore

  constructor(database: string) {
    this.#use = createStore(database, 'entries')
  }

  async volume(prefix: string): Promise<KeptVolume | undefined> {
    const kept: unknown = await get(volumeKey(prefix), this.#use)
    return isVolume(kept) ? kept : undefined
  }

  async writeVolume(volume: KeptVolume): Promise<void> {
    await set(volumeKey(volume.settings.prefix), volume, this.#use)
  }

  async removeVolume(prefix: string): Promise<void> {
    await del(volumeKey(prefix), this.#use)
  }

  pins(prefix: string): PinBook {
    // No path of a URL has a space.
    const start = `pin ${prefix} `
    return {
      read: async () => {
        const all: [unknown, unknown][] = await entries(this.#use)
        return all.flatMap(([key, pin]) => (typeof key === 'string' && key.startsWith(start) && isPin(pin) ? [pin] : []))
      },
      write: async (pin) => await set(start + pin.path, pin, this.#use),
      remove: async (path) => await del(start + path, this.#use),
    }
  }
}

function volumeKey(prefix: string): string {
  return `volume ${prefix}`
}

function isVolume(value: unknown): value is KeptVolume {
  return typeof value === 'object' && value !== null && 'settings' in value
}

function isPin(value: unknown): value is KeptPin {
  return typeof value === 'object' && value !== null && 'path' in value && typeof value.path === 'string'
}
