/**
 * Many file ids in little memory: 8 bytes each. For counting how often each comes when all are known.
 */
import type { FileId } from '../format/entry.ts'
import { toFileId } from './file-id.ts'

const firstLength = 1024

export interface IdCount {
  readonly id: FileId
  readonly count: number
}

export class IdList {
  #ids = new Float64Array(firstLength)
  #length = 0

  add(id: FileId): void {
    if (this.#length === this.#ids.length) {
      const longer = new Float64Array(this.#length * 2)
      longer.set(this.#ids)
      this.#ids = longer
    }
    this.#ids[this.#length] = id
    this.#length += 1
  }

  /** Each id once, ascending. Nothing may be added any more. */
  *counted(): Generator<IdCount> {
    const ids = this.#ids.subarray(0, this.#length).toSorted()
    for (let start = 0; start < ids.length; ) {
      let end = start + 1
      while (end < ids.length && ids[end] === ids[start]) end += 1
      yield { id: toFileId(ids[start]!), count: end - start }
      start = end
    }
  }
}
