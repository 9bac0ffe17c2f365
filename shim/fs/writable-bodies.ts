/**
 * Gives a file that is to be changed a local body, by the cheapest way that is right, and journals it before anybody writes.
 *
 * Called by `OpenFiles`. Every byte in the cache: the cached file is taken over where it lies, or copied while it is small. Body in the entry: written into
 * an empty file. Anything else: a partial body, which fetches nothing. What is to be emptied starts from an empty file, unless somebody has it open.
 */
import { errno } from '../../shared/errno.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { LocalBodies } from '../bodies/local-bodies.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { BodySource, FileBody } from './cached-bodies.ts'
import type { Row } from './inode-table.ts'

export interface Taking {
  readonly row: Row
  /** The file's entry; of one that is emptied, as it is to be. */
  readonly entry: Entry
  /** For messages. */
  readonly path: string
  /**
   * Journals that the file is this entry with this body, and shows it; a negative errno when it cannot. `isClean`: the body holds what the entry's content
   * says, so far.
   */
  readonly record: (entry: Entry, body: LocalBody, isClean: boolean) => number
}

/** How a file that is open is read. */
export interface OpenState {
  /** It has one, although it is as in the snapshot by now. */
  readonly local: LocalBody | undefined
  readonly clean: FileBody | undefined
  /** The kernel has the backing file itself: it must stay the same one. */
  readonly isPassthrough: boolean
}

/** What is asked of the changes. */
export type BodyRecords = Pick<LocalChanges, 'node' | 'noteUnrecorded' | 'recordOwed'>

/** Copying that much takes some 30 µs; taking over may have to wait for the disk, so that the index never names what is being written to. */
const copiedBytesMax = 128 * 1024

export class WritableBodies {
  readonly #local: LocalBodies
  readonly #published: BodySource
  readonly #changes: BodyRecords

  constructor(local: LocalBodies, published: BodySource, changes: BodyRecords) {
    this.#local = local
    this.#published = published
    this.#changes = changes
  }

  bodyOf(id: FileId): LocalBody | undefined {
    return this.#changes.node(id)?.body
  }

  take(taking: Taking, isEmptied: boolean, open: OpenState | undefined): LocalBody | number {
    const { entry, path, record } = taking
    const journaled = this.bodyOf(entry.id)
    const known = journaled ?? open?.local
    if (known !== undefined) {
      // Whoever has it open or mapped sees it become empty.
      if (isEmptied && (open !== undefined || !known.isAlone)) return this.#empty(known, taking)
      if (!isEmptied) return recorded(journaled === undefined ? record(entry, known, true) : this.#changes.recordOwed(entry.id), known)
    }
    const isTakenOver = open?.isPassthrough === true
    const made = isEmptied && !isTakenOver ? this.#local.create(entry.mtime) : this.#make(entry, path, open)
    if (typeof made === 'number') return made
    made.label = path
    const result = record(entry, made, !isEmptied)
    if (result < 0) {
      this.#local.discard(made)
      return result
    }
    if (known !== undefined) this.#local.discard(known)
    // Whoever reads it loses nothing to a journal that is full.
    return isEmptied && isTakenOver ? recorded(made.truncate(0), made) : made
  }

  #empty(body: LocalBody, { entry, record }: Taking): LocalBody | number {
    return recorded(cutBody(this.#changes, entry.id, body, 0, () => record(entry, body, false)), body)
  }

  /** Holds what the entry says. */
  #make(entry: Entry, path: string, open: OpenState | undefined): LocalBody | number {
    const { content } = entry
    if (content.kind === 'inline') return this.#filled(entry, content.bytes)
    if (content.kind !== 'manifest') return -errno.EIO
    if (open?.clean !== undefined) return this.#makeFrom(open.clean, entry, open.isPassthrough)
    const published = this.#published.open(entry, path)
    if (typeof published === 'number') return published
    const made = this.#makeFrom(published, entry, false)
    published.close()
    return made
  }

  #makeFrom(published: FileBody, entry: Entry, isTakenOver: boolean): LocalBody | number {
    const fd = published.completeFd()
    if (fd >= 0 && entry.size <= copiedBytesMax && !isTakenOver) {
      const bytes = new Uint8Array(entry.size)
      if (this.#local.sys.pread(fd, bytes, 0) === bytes.length) return this.#filled(entry, bytes)
    }
    if (fd >= 0 || isTakenOver) {
      const taken = this.#local.adopt(entry.mtime, (to) => published.giveAway(to))
      if (typeof taken !== 'number' || isTakenOver) return taken
    }
    if (entry.content.kind !== 'manifest') return -errno.EIO
    return this.#local.createPartial({ fileId: entry.id, root: entry.content.root, size: entry.size, length: entry.size }, entry.mtime)
  }

  /** `bytes`: all there are. */
  #filled(entry: Entry, bytes: Uint8Array): LocalBody | number {
    const body = this.#local.create(entry.mtime)
    if (typeof body === 'number' || bytes.length === 0) return body
    const written = body.write(0, bytes)
    const result = written < 0 ? written : written < bytes.length ? -errno.ENOSPC : body.setMtime(entry.mtime)
    if (result === 0) return body
    this.#local.discard(body)
    return result
  }
}

/**
 * Cuts a body that is known to be the file's. Journaled first, so that nothing is gone when the journal cannot take it: the size is the backing file's, and only
 * of a partial body the journal has to be told again what is left. `record` may be called twice.
 */
export function cutBody(changes: BodyRecords, id: FileId, body: LocalBody, size: number, record: () => number): number {
  const { isWhole } = body
  const noted = record()
  if (noted < 0) return noted
  const result = body.truncate(size)
  if (result < 0 || isWhole) return result
  const left = record()
  if (left < 0) changes.noteUnrecorded(id)
  return left
}

function recorded(result: number, body: LocalBody): LocalBody | number {
  return result < 0 ? result : body
}
