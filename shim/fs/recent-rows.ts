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
const rowCountMax = 16_384

export class RecentRows {
  readonly #now: () => number
  /** INVARIANT: in order of time, the oldest first. */
  readonly #answeredMs = new Map<Row, number>()

  /** `now`: milliseconds that only grow. */
  constructor(now: () => number) {
    this.#now = now
  }

  add(row: Row): void {
    const nowMs = this.#now()
    this.#answeredMs.delete(row)
    this.#answeredMs.set(row, nowMs)
    for (const [old, answeredMs] of this.#answeredMs) {
      if (nowMs - answeredMs <= recentMs && this.#answeredMs.size <= rowCountMax) return
      this.#answeredMs.delete(old)
    }
  }

  has(row: Row): boolean {
    const answeredMs = this.#answeredMs.get(row)
    return answeredMs !== undefined && this.#now() - answeredMs <= recentMs
  }
}
