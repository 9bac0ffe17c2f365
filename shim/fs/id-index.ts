/**
 * File id → row of the inode table, in 4 to 8 bytes a row: open addressing over the table's own id column.
 *
 * Called by `inode-table.ts` alone, which owns the column. Row 0 is never used, so it marks a free place.
 */

/** A place filled beyond this share makes the index twice as big; probes stay short. */
const loadMax = 0.7

export class IdIndex {
  #places = new Uint32Array(1024)
  #usedCount = 0

  get bytes(): number {
    return this.#places.byteLength
  }

  /** The row whose id is `id`, or 0. */
  find(id: number, ids: Float64Array): number {
    const places = this.#places
    const mask = places.length - 1
    for (let place = hashId(id) & mask; ; place = (place + 1) & mask) {
      const row = places[place]!
      if (row === 0 || ids[row] === id) return row
    }
  }

  /** Adds a row whose id is in the column already and is in no other row of the index. */
  add(row: number, ids: Float64Array): void {
    if (this.#usedCount + 1 > this.#places.length * loadMax) this.#grow(ids)
    this.#usedCount += 1
    insert(this.#places, row, ids[row]!)
  }

  /** Takes a row out; its id must still be in the column. Nothing happens when another row stands for that id. */
  remove(row: number, ids: Float64Array): void {
    const places = this.#places
    const mask = places.length - 1
    let place = hashId(ids[row]!) & mask
    while (places[place] !== row) {
      if (places[place] === 0) return
      place = (place + 1) & mask
    }
    this.#usedCount -= 1
    closeGap(places, place, ids)
  }

  #grow(ids: Float64Array): void {
    const places = new Uint32Array(this.#places.length * 2)
    for (const row of this.#places) {
      if (row !== 0) insert(places, row, ids[row]!)
    }
    this.#places = places
  }
}

function insert(places: Uint32Array, row: number, id: number): void {
  const mask = places.length - 1
  let place = hashId(id) & mask
  while (places[place] !== 0) place = (place + 1) & mask
  places[place] = row
}

/** Moves later rows of the same run back over a freed place, so that no search stops short of them (Knuth 6.4 R). */
function closeGap(places: Uint32Array, freed: number, ids: Float64Array): void {
  const mask = places.length - 1
  let gap = freed
  for (let place = (gap + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
    const home = hashId(ids[places[place]!]!) & mask
    const isReachable = gap <= place ? home > gap && home <= place : home > gap || home <= place
    if (isReachable) continue
    places[gap] = places[place]!
    gap = place
  }
  places[gap] = 0
}

/** Ids of one session are neighbours; the multiplication spreads them (golden ratio, murmur3's finish). */
function hashId(id: number): number {
  const low = id >>> 0
  const high = Math.floor(id / 4_294_967_296)
  let mixed = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
