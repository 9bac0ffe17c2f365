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

export interface WrittenRange {
  readonly start: number
  readonly end: number
}

const noRanges: readonly WrittenRange[] = []

/** A body as the journal knows it. */
export class SavedBody {
  readonly #memory: StateMemory
  readonly #start: number
  readonly #end: number
  #noted: WrittenRange[] | undefined

  constructor(memory: StateMemory, start: number, end: number) {
    this.#memory = memory
    this.#start = start
    this.#end = end
  }

  get state(): Uint8Array {
    return this.#memory.part(this.#start, this.#end)
  }

  /** What was written after `state`. */
  get noted(): readonly WrittenRange[] {
    return this.#noted ?? noRanges
  }

  note(range: WrittenRange): void {
    this.#noted ??= []
    this.#noted.push(range)
  }
}

/** States of bodies back to back: 100,000 small arrays would cost more than all the rest of a replay. */
class StateMemory {
  #bytes = new Uint8Array(64 * 1024)
  #length = 0

  keep(state: Uint8Array): SavedBody {
    const start = this.#length
    const end = start + state.length
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, start))
      this.#bytes = larger
    }
    this.#bytes.set(state, start)
    this.#length = end
    return new SavedBody(this, start, end)
  }

  part(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end)
  }
}

export class Replay {
  readonly state = new ChangeState<SavedBody>(0)
  readonly #memory = new StateMemory()
  readonly #keep = (state: Uint8Array): SavedBody => this.#memory.keep(state)
  recordCount = 0
  /** It has records of files that nobody made durable before the process ended. */
  hasUnsynced = false

  /** Undefined: there are no changes, and any snapshot will do. */
  get seq(): number | undefined {
    return this.state.isEmpty ? undefined : this.state.seq
  }

  /** Throws `corrupt` for a record that cannot be one. The state is that of the records before it. `isUnsynced`: nobody made durable what it speaks of. */
  add(record: Uint8Array, isUnsynced = false): void {
    const { state } = this
    if (isUnsynced) this.hasUnsynced = true
    const reader: Reader = new Reader(record, `record ${this.recordCount + 1} of the journal`)
    const kind = reader.u8()
    switch (kind) {
      case recordKind.edit:
        readEdit(reader, state, this.#keep)
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
        readDumpPart(reader, state, this.#keep)
        break
      default:
        reader.fail(`it is of kind ${kind}`)
    }
    reader.end()
    this.recordCount += 1
  }

  #addWritten(reader: Reader): void {
    const { id, start, end } = readWritten(reader)
    this.state.nodes.get(id)?.body?.note({ start, end })
    this.state.touch(id)
  }
}
