/**
 * Where bytes of packs can be had: a peer, an edge, a store. A fetcher has some, nearest first; none of them is trusted.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { PackId } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { packKey } from '../../shared/volume/keys.ts'

export interface Tier {
  /** For messages and metrics: `peer`, `edge`, `store`. */
  readonly name: string
  /** These bytes of a pack, fewer only where the pack ends. Throws `not-found` when it has no such pack, `unavailable` when it is away. `isFresh`: what it gave was damaged, and may be so in a cache of its. */
  get(pack: PackId, range: ByteRange, signal: AbortSignal, isFresh?: boolean): Promise<Uint8Array>
}

/** A volume's store (over HTTP: the edge) as a tier. */
export function storeTier(name: string, store: ObjectStore): Tier {
  return {
    name,
    get: async (pack, range, signal, isFresh) => {
      const object = await store.get(packKey(pack), { range, signal, isFresh })
      if (object === undefined) throw new EdgemountError('not-found', `Cannot read pack "${pack}" in ${store.label}: there is none`)
      return object.bytes()
    },
  }
}
