/**
 * Which packs are needed, and how much of each: noted while a volume is gone through.
 */
import type { PackId, Pointer } from '../format/entry.ts'

export interface PackUse {
  /** The byte after the last one that is pointed to. */
  end: number
  /** The first that was found to need it. */
  readonly path: string
}

export class PackUses {
  readonly #uses = new Map<PackId, PackUse>()

  note({ pack, offset, length }: Pointer, path: string): void {
    const use = this.#uses.get(pack)
    if (use === undefined) this.#uses.set(pack, { end: offset + length, path })
    else use.end = Math.max(use.end, offset + length)
  }

  all(): [PackId, PackUse][] {
    return [...this.#uses]
  }
}
