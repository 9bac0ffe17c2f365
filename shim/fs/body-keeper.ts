/**
 * Takes local bodies back from files that are as the volume has them: a large one becomes a cached file where it lies, a small one is used again.
 *
 * Called by the handler when the last handle of a file is closed and when what it held was published; does its work in small steps, off the way of programs.
 * `LocalChanges` says which bodies nobody can change any more.
 */
import { errno } from '../../shared/error.ts'
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

export class BodyKeeper {
  readonly #parts: KeeperParts
  /** Closed lately, in order. */
  readonly #closed = new Set<FileId>()
  /** Nobody's any more, but somebody has the file open for reading; with the entry whose content they hold. */
  readonly #read = new Map<LocalBody, Uint8Array | undefined>()
  #triedMs = 0

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** The last handle of the file is closed, which read from `body`. */
  closed(id: FileId, body: LocalBody | undefined): void {
    const node = this.#parts.changes.node(id)
    if (node?.published !== undefined) this.#closed.add(id)
    if (body === undefined || !this.#read.has(body)) return
    const bytes = this.#read.get(body)
    this.#read.delete(body)
    // It may have been opened for writing again meanwhile, and be journaled again.
    if (node?.body !== body) this.#store(body, bytes)
  }

  /** Their bodies are in the journal no more. Who has them open for reading goes on with them. */
  keep(nodes: readonly SettledNode<LocalBody>[]): void {
    for (const { bytes, body } of nodes) {
      if (body === undefined) continue
      if (this.#parts.isReading(body)) this.#read.set(body, bytes)
      else this.#store(body, bytes)
    }
  }

  /** True when there is more to do now. */
  tick(nowMs: number): boolean {
    let count = 0
    for (const id of this.#closed) {
      if (count >= filesPerStep) return true
      count += 1
      this.#closed.delete(id)
      this.#release(1, id)
    }
    if (Math.abs(nowMs - this.#triedMs) < retryMs) return false
    this.#triedMs = nowMs
    return this.#release(filesPerStep, undefined) === filesPerStep
  }

  #release(limit: number, id: FileId | undefined): number {
    const nodes = this.#parts.changes.releaseClean(limit, id)
    if (nodes.length === 0) return 0
    this.keep(nodes)
    this.#parts.settled(nodes)
    return nodes.length
  }

  #store(body: LocalBody, bytes: Uint8Array | undefined): void {
    const { bodies, published } = this.#parts
    const entry = bytes === undefined ? undefined : decodeEntry(bytes)
    const stat = entry?.content.kind === 'manifest' && body.isWhole ? body.fstat() : -errno.EINVAL
    const isKept = entry !== undefined && typeof stat !== 'number' && bodies.giveAway(body, (path) => published.adopt(entry, path, stat.blocks * 512)) === 0
    if (!isKept) bodies.discard(body)
  }
}
