/**
 * Takes local bodies back from files that are as the volume has them: a large one becomes a cached file where it lies, a small one is used again.
 *
 * Called when the last handle of a file is closed and when what it held was published; does its work in small steps, off the way of programs. INVARIANT: nobody
 * can write any more when a body is taken: no handle, no mapping (a mapping outlives its handle, and writes without asking), which a lease proves, and nothing
 * was written since the stamp that goes with the published content.
 */
import { errno } from '../../shared/error.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { LocalBodies } from '../bodies/local-bodies.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import { entryOfBody } from './attributes.ts'
import type { BodySource } from './cached-bodies.ts'

export interface KeeperParts {
  readonly changes: Pick<LocalChanges, 'node' | 'apply'>
  readonly bodies: LocalBodies
  readonly published: BodySource
  readonly isOpen: (id: FileId) => boolean
  /** The file is none of the changes any more: it is as the snapshot has it. */
  readonly dropped: (id: FileId) => void
}

/** Each takes some 20 µs. */
const filesPerStep = 64
/** A program may have a file mapped for hours; looking is cheap. */
const retryMs = 2000

export class BodyKeeper {
  readonly #parts: KeeperParts
  /** To be looked at, in order. */
  #due = new Set<FileId>()
  /** Mapped, or being read, when they were looked at. */
  #held = new Set<FileId>()
  #heldTriedMs = 0

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** The file may be as the volume has it. */
  note(id: FileId): void {
    if (this.#parts.changes.node(id)?.published !== undefined) this.#due.add(id)
  }

  /** True when there is more to do now. */
  tick(nowMs: number): boolean {
    if (this.#held.size > 0 && Math.abs(nowMs - this.#heldTriedMs) >= retryMs) {
      this.#heldTriedMs = nowMs
      for (const id of this.#held) this.#due.add(id)
      this.#held = new Set()
    }
    let count = 0
    for (const id of this.#due) {
      if (count >= filesPerStep) return true
      count += 1
      this.#due.delete(id)
      if (this.#takeBack(id) === 'held') this.#held.add(id)
    }
    return false
  }

  #takeBack(id: FileId): 'held' | 'done' {
    const { changes, isOpen, dropped } = this.#parts
    const node = changes.node(id)
    const body = node?.body
    if (node?.published === undefined || body === undefined || node.entry.linkCount === 0 || isOpen(id)) return 'done'
    // In this order: who still has it mapped may write between the two.
    if (body.isPinned || !body.isAlone) return 'held'
    // What was written since is published, and noted again then.
    const stat = body.isAt(node.published) ? body.fstat() : -errno.EAGAIN
    if (typeof stat === 'number') return 'done'
    const entry = entryOfBody(node.entry, stat)
    if (changes.apply({ nodes: [{ entry, base: node.base, body: null }] }) < 0) return 'held'
    this.#store(entry, body, stat.blocks * 512)
    if (changes.node(id) === undefined) dropped(id)
    return 'done'
  }

  #store(entry: Entry, body: LocalBody, diskBytes: number): void {
    const { bodies, published } = this.#parts
    const isCacheable = entry.content.kind === 'manifest' && body.isWhole
    const result = isCacheable ? bodies.giveAway(body, (path) => published.adopt(entry, path, diskBytes)) : -errno.EINVAL
    if (result < 0) bodies.discard(body)
  }
}
