/**
 * Which rows were given to the kernel for the first time just now. Until it has taken the answer in, it does not know the node, and an invalidation of
 * the node is lost on it, while the attributes in the answer count for an hour.
 *
 * Called by the handler, which then invalidates the name as well: that waits for the lookup in the kernel (fs/fuse/dir.c, the directory's lock).
 */
import type { Row } from './inode-table.ts'

/** Between our answer and the kernel's inode lie microseconds; a stopped virtual machine or a busy core may make it a second. */
const recentMs = 1000
/** More than are ever on their way; the oldest are forgotten. */
const rowCountMax = 8192

export class RecentRows {
  readonly #now: () => number
  /** In two generations: to take single rows out of one map in order of time costs 3 µs each. */
  #newer = new Map<Row, number>()
  #older = new Map<Row, number>()
  #startedMs = -Infinity

  /** `now`: milliseconds that only grow. */
  constructor(now: () => number) {
    this.#now = now
  }

  add(row: Row): void {
    const nowMs = this.#now()
    if (nowMs - this.#startedMs > recentMs || this.#newer.size >= rowCountMax) {
      this.#older = this.#newer
      this.#newer = new Map()
      this.#startedMs = nowMs
    }
    this.#newer.set(row, nowMs)
  }

  has(row: Row): boolean {
    const answeredMs = this.#newer.get(row) ?? this.#older.get(row)
    return answeredMs !== undefined && this.#now() - answeredMs <= recentMs
  }
}
