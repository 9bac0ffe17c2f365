/**
 * What was changed on this machine and is not in the volume yet: which names lead elsewhere than in the snapshot, and which inodes are different.
 *
 * Lives on the file-system thread; the handler asks it before it asks the tree, and gives it an `Edit` for everything that a program changes. An edit is
 * journaled before it is shown, so what a program was told happened is found again after the process died. The publisher takes it from here in
 * batches, and what a batch has brought into the volume is dropped when the handler's snapshot has it too.
 */
import { Writer } from '../../shared/codec.ts'
import { EdgemountError, errno } from '../../shared/error.ts'
import type { FileId } from '../../shared/format/entry.ts'
import { decodeName, encodeName } from '../../shared/name.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import { ChangeState } from './change-state.ts'
import type { ChangedBody, Edit, LocalNode, NameTarget } from './edit.ts'
import { writeEdit } from './edit-record.ts'

/** The journal, as changes need it. `shim/journal/` has it. */
export interface ChangeJournal {
  /** 0: the record survives the end of the process. A negative errno: nothing was appended. */
  append(record: Uint8Array): number
  /** `done(0)`: all that was appended before the call survives a power failure. */
  sync(done: (result: number) => void): void
  /** It has grown so much that a checkpoint is due. */
  readonly isLong: boolean
  /** Goes on with `records` in place of all that was appended; a negative errno: as before. */
  checkpoint(records: Iterable<Uint8Array>): number
}

export interface LocalChangesOptions {
  readonly journal: ChangeJournal
  /** The snapshot that the handler shows. */
  readonly seq: number
}

/** A name of a directory as it is here; `to` is null where it was removed. */
export interface ListedName {
  readonly bytes: Uint8Array
  readonly name: string
  readonly to: NameTarget | null
}

export interface CountDeltas {
  readonly entries: number
  readonly directories: number
}

/** First byte of a record. INVARIANT: a number means one thing for ever. */
const editRecord = 1

const noCounts: CountDeltas = { entries: 0, directories: 0 }

export class LocalChanges<Body extends ChangedBody = LocalBody> {
  readonly #journal: ChangeJournal
  readonly #state: ChangeState<Body>

  constructor(options: LocalChangesOptions) {
    this.#journal = options.journal
    this.#state = new ChangeState<Body>(options.seq)
  }

  /** An inode that is changed here, also one whose last name is gone (link count 0). Undefined: it is as in the snapshot. */
  node(id: FileId): LocalNode<Body> | undefined {
    return this.#state.nodes.get(id)
  }

  /** Where a name leads here; null: it was removed; undefined: as in the snapshot. */
  target(directoryId: FileId, name: string): NameTarget | null | undefined {
    const changed = this.#state.name(directoryId, name)
    return changed === undefined ? undefined : (changed.to ?? null)
  }

  /** The changed names of a directory in the order of their bytes, from the first behind `after`. Valid until the next edit. */
  *namesAfter(directoryId: FileId, after: Uint8Array | undefined): Generator<ListedName> {
    const names = this.#state.directories.get(directoryId)
    if (names === undefined) return
    for (const { name, to } of names.from(after === undefined ? undefined : decodeName(after))) {
      yield { bytes: encodeName(name), name, to: to ?? null }
    }
  }

  /** Whether any name of the directory is changed here. */
  hasNames(directoryId: FileId): boolean {
    return this.#state.directories.has(directoryId)
  }

  /** What to add to the snapshot's counts of a directory. */
  counts(directoryId: FileId): CountDeltas {
    return this.#state.directories.get(directoryId) ?? noCounts
  }

  /** Where a directory of the snapshot lies in it, of those that changes speak of and all above them. */
  place(directoryId: FileId): Place | undefined {
    return this.#state.places.get(directoryId)
  }

  /** Edits need not give the place of this directory any more. */
  hasPlace(directoryId: FileId): boolean {
    return this.#state.places.has(directoryId)
  }

  /**
   * Journals an edit as one record, then shows it. 0, or a negative errno (-ENOSPC, -EIO …): then nothing changed. No name and no inode may be in it
   * twice.
   */
  apply(edit: Edit<Body>): number {
    const writer = new Writer()
    writer.u8(editRecord)
    try {
      writeEdit(writer, edit, this.#state, (body) => body.state())
    } catch (cause) {
      // Extended attributes beyond what an entry can hold; nothing else is to be expected of an edit.
      if (cause instanceof EdgemountError && cause.code === 'exhausted') return -errno.ENOSPC
      throw cause
    }
    const result = this.#journal.append(writer.finish())
    if (result < 0) return result
    this.#state.apply(edit)
    return 0
  }
}
