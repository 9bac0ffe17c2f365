/**
 * The journal as changes write to it. Most records are asked for first: when one cannot be written, what it says does not happen. Some say what is so already,
 * as that a newer snapshot is shown: such a record is owed when the journal does not take it.
 *
 * INVARIANT: what is owed is written before anything else, in the order in which it happened; so the records always give a state that memory has, or had.
 */

/** `ChangeJournal` is one. */
interface Appending {
  append(record: Uint8Array, isDependent?: boolean): number
}

interface Owed {
  readonly record: Uint8Array
  readonly isDependent: boolean
  /** Says no more than what the one after it of this kind says. */
  readonly isBare: boolean
}

export class ToldJournal {
  readonly #journal: Appending
  #owed: Owed[] = []

  constructor(journal: Appending) {
    this.#journal = journal
  }

  /** 0, or a negative errno: then nothing was appended of it. */
  append(record: Uint8Array, isDependent = false): number {
    return this.pay() || this.#journal.append(record, isDependent)
  }

  /** Of what is so already. The bytes are kept when they are owed. 0, or the negative errno of what could not be written now. */
  tell(record: Uint8Array, { isDependent = false, isBare = false }: { readonly isDependent?: boolean; readonly isBare?: boolean } = {}): number {
    const result = this.append(record, isDependent)
    if (result === 0) return 0
    // Others may commit for as long as the disk is full.
    if (isBare && this.#owed.at(-1)?.isBare === true) this.#owed.pop()
    this.#owed.push({ record, isDependent, isBare })
    return result
  }

  /** Writes what is owed. 0, or a negative errno: something is still owed. */
  pay(): number {
    while (this.#owed.length > 0) {
      const { record, isDependent } = this.#owed[0]!
      const result = this.#journal.append(record, isDependent)
      if (result < 0) return result
      this.#owed.shift()
    }
    return 0
  }
}
