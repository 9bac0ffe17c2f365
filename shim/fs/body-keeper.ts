/**
 * Takes local bodies back from files that are as the volume has them: a large one becomes a cached file where it lies, a small one is used again.
 *
 * Called by the handler when the last handle of a file is closed and when what it held was published; does its work in small steps, off the way of programs.
 * `LocalChanges` says which bodies nobody can change any more.
 */
import { errno } from '../../shared/errno.ts'
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import type { FileId } from '../../shared/format/entry.ts'
import type { LocalBodies } from '../bodies/local-bodies.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { SettledNode } from '../changes/outbox.ts'
import type { BodySource } from './cached-bodies.ts'

export interface KeeperParts {
  readonly changes: Pick<LocalChanges, 'node' | 'releaseClean'>
  readonly bodies: LocalBodies
  readonly published: BodySource
  /** These files are none of the changes any more: they are as the snapshot has them. */
  readonly settled: (nodes: readonly SettledNode<LocalBody>[]) => void
  /** Somebody has a file open that reads from the body. */
  readonly isReading: (body: LocalBody) => boolean
}

/** Each takes some 20 µs. */
const filesPerStep = 64
/** A program may have a file mapped for hours; looking is cheap. */
const retryMs = 2000

/** A batch may leave thousands at once; to move one into the cache takes some 30 µs. */
const storedPerStep = 256

/** Then it is looked at with all others: a program has it mapped. */
const triesMax = 8

/** Nobody's any more, with the entry whose content it holds. */
interface LeftBody {
  readonly body: LocalBody
  readonly bytes: Uint8Array | undefined
}

export class BodyKeeper {
  readonly #parts: KeeperParts
  /** Closed lately, in order, and how often they were tried. */
  readonly #closed = new Map<FileId, number>()
  /** Nobody's any more, but somebody has the file open for reading; with the entry whose content they hold. */
  readonly #read = new Map<LocalBody, Uint8Array | undefined>()
  readonly #left = new Map<FileId, LeftBody>()
  #triedMs = 0
  #isHurried = false

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** The last handle of the file is closed, which read from `body`. */
  closed(id: FileId, body: LocalBody | undefined): void {
    const node = this.#parts.changes.node(id)
    if (node?.published !== undefined) this.#closed.set(id, 0)
    if (body === undefined || !this.#read.has(body)) return
    const bytes = this.#read.get(body)
    this.#read.delete(body)
    // It may have been opened for writing again meanwhile, and be journaled again.
    if (node?.body !== body) this.#store({ body, bytes })
  }

  /** Their bodies are in the journal no more. Who has them open for reading goes on with them. */
  keep(nodes: readonly SettledNode<LocalBody>[]): void {
    for (const { keptId, bytes: shown, body, isBodyOld = false } of nodes) {
      if (body === undefined) continue
      const bytes = isBodyOld ? undefined : shown
      if (this.#parts.isReading(body)) this.#read.set(body, bytes)
      else {
        // One that it had before is not to be forgotten.
        this.#storeNow(keptId)
        this.#left.set(keptId, { body, bytes })
      }
    }
    this.#storeSome()
  }

  /** What is published, with the bodies that wait to be stored: one whose file is opened does not wait any longer. */
  get source(): BodySource {
    const { published } = this.#parts
    return {
      open: (entry, path) => {
        this.#storeNow(entry.id)
        return published.open(entry, path)
      },
      adopt: (entry, path, diskBytes) => published.adopt(entry, path, diskBytes),
    }
  }

  #storeNow(id: FileId): void {
    const left = this.#left.get(id)
    if (left === undefined) return
    this.#left.delete(id)
    this.#store(left)
  }

  /** Those that were closed, all at once. */
  releaseClosed(): void {
    // One that cannot go yet comes back at the end, and is not for this round.
    const closed = [...this.#closed]
    for (const [id, tries] of closed) this.#releaseOne(id, tries)
  }

  /** True when there is more to do now. */
  tick(nowMs: number): boolean {
    this.#storeSome()
    const closed = this.#closed.entries().take(filesPerStep).toArray()
    for (const [id, tries] of closed) this.#releaseOne(id, tries)
    if (closed.length === filesPerStep) return true
    if (Math.abs(nowMs - this.#triedMs) < retryMs) return false
    this.#triedMs = nowMs
    return this.#release(filesPerStep, undefined) === filesPerStep || this.#left.size > 0
  }

  /** The kernel lets go of a backing file a moment after it has said that the file is closed. */
  #releaseOne(id: FileId, tries: number): void {
    this.#closed.delete(id)
    if (this.#release(1, id) === 0 && tries + 1 < triesMax && this.#parts.changes.node(id)?.published !== undefined) this.#closed.set(id, tries + 1)
  }

  #release(limit: number, id: FileId | undefined): number {
    const nodes = this.#parts.changes.releaseClean(limit, id)
    if (nodes.length === 0) return 0
    this.keep(nodes)
    this.#parts.settled(nodes)
    return nodes.length
  }

  /** Nobody waits for the thread any more, and there may be no other step: everything is stored as it comes. */
  hurry(): void {
    this.#isHurried = true
    this.#storeSome()
  }

  #storeSome(): void {
    let count = 0
    for (const [id, left] of this.#left) {
      if (count >= storedPerStep && !this.#isHurried) return
      count += 1
      this.#left.delete(id)
      this.#store(left)
    }
  }

  #store({ body, bytes }: LeftBody): void {
    const { bodies, published } = this.#parts
    const entry = bytes === undefined ? undefined : decodeEntry(bytes)
    const stat = entry?.content.kind === 'manifest' && body.isWhole ? body.fstat() : -errno.EINVAL
    const isKept = entry !== undefined && typeof stat !== 'number' && bodies.giveAway(body, (path) => published.adopt(entry, path, stat.blocks * 512)) === 0
    if (!isKept) bodies.discard(body)
  }
}
