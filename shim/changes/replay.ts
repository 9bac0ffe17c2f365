/**
 * The state as the journal's records give it. Called at a start: on the file-system thread, which goes on with the state, and before that by whoever has to
 * know over which snapshot it lies.
 */
import { Reader } from '../../shared/codec.ts'
import { moveBase } from './base-move.ts'
import { ChangeState } from './change-state.ts'
import { readDumpPart, readDumpStart } from './dump.ts'
import { readEdit } from './edit-record.ts'
import { readBaseMove, readSettlement, readText, readWritten, recordKind } from './record.ts'
import { settleState } from './settling.ts'
import { markTaken, unmarkTaken } from './taking.ts'

/** A body as the journal knows it. */
export interface SavedBody {
  readonly state: Uint8Array
  /** What was written after `state`. */
  readonly noted: { readonly start: number; readonly end: number }[]
}

export class Replay {
  readonly state = new ChangeState<SavedBody>(0)
  recordCount = 0

  /** Throws `corrupt` for a record that cannot be one. The state is that of the records before it. */
  add(record: Uint8Array): void {
    const { state } = this
    const reader: Reader = new Reader(record, `record ${this.recordCount + 1} of the journal`)
    const kind = reader.u8()
    switch (kind) {
      case recordKind.edit:
        readEdit(reader, state, saved)
        break
      case recordKind.written:
        this.#addWritten(reader)
        break
      case recordKind.baseMove:
        moveBase(state, readBaseMove(reader))
        break
      case recordKind.taken:
        markTaken(state, readText(reader))
        break
      case recordKind.notPublished:
        unmarkTaken(state)
        break
      case recordKind.settled:
        settleState(state, readSettlement(reader))
        break
      case recordKind.dumpStart:
        readDumpStart(reader, state)
        break
      case recordKind.dumpPart:
        readDumpPart(reader, state, saved)
        break
      default:
        reader.fail(`it is of kind ${kind}`)
    }
    reader.end()
    this.recordCount += 1
  }

  #addWritten(reader: Reader): void {
    const { id, start, end } = readWritten(reader)
    this.state.nodes.get(id)?.body?.noted.push({ start, end })
    this.state.touch(id)
  }
}

function saved(state: Uint8Array): SavedBody {
  return { state, noted: [] }
}
