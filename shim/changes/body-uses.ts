/**
 * What is known of the use of bodies, for batches: which are open or mapped, and which of these were tried lately.
 */
import type { FileId } from '../../shared/format/entry.ts'
import type { BodyStamp } from '../bodies/local-body.ts'
import type { BodyLooks } from './batch.ts'
import type { ChangedBody } from './edit.ts'

/** A file that is open for writing is read this often: a database writes for hours, and each time all that it holds is one moment's. */
const retryMs = 30_000

export class BodyUses<Body extends ChangedBody> implements BodyLooks<Body> {
  readonly #isOpen: (id: FileId) => boolean
  readonly #nowMs: () => number
  /** Closed, and found mapped. */
  readonly #held = new Set<FileId>()
  readonly #triedMs = new Map<FileId, number>()
  isEverything = false

  constructor(isOpen: (id: FileId) => boolean, nowMs: () => number) {
    this.#isOpen = isOpen
    this.#nowMs = nowMs
  }

  stampOf(body: Body): BodyStamp | number {
    const stat = body.fstat()
    if (typeof stat === 'number') return stat
    return { generation: body.generation, size: stat.size, mtime: { seconds: stat.mtimeSeconds, nanoseconds: stat.mtimeNanoseconds } }
  }

  isOpen(id: FileId): boolean {
    return this.#held.has(id) || this.#isOpen(id)
  }

  /** Nobody can change the body now. Who was found to have it mapped may have let go. */
  isAlone(id: FileId, body: Body): boolean {
    if (this.#isOpen(id)) return false
    if (!body.isAlone) {
      this.#held.add(id)
      return false
    }
    this.noteFree(id)
    return true
  }

  noteHeld(id: FileId): void {
    this.#held.add(id)
  }

  isLeftOut(id: FileId): boolean {
    const triedMs = this.#triedMs.get(id)
    return triedMs !== undefined && !this.isEverything && this.isOpen(id) && Math.abs(this.#nowMs() - triedMs) < retryMs
  }

  noteTried(id: FileId): void {
    this.#triedMs.set(id, this.#nowMs())
  }

  /** Nobody has it open or mapped any more. */
  noteFree(id: FileId): void {
    this.#held.delete(id)
    this.#triedMs.delete(id)
  }
}
