/**
 * How many bytes the readers of bodies may hold together. Whoever composes volumes makes one and gives it to all of them; a volume that gets none
 * has its own.
 *
 * Nobody waits for it: a reader that waited for another, whose client is slow or gone, could wait for ever. Who does not get what it asks for goes on
 * with one small request at a time, so all readers together hold at most the budget and one small request each.
 */

/** A sixteenth of what a small server has, and enough for eight readers at full speed. */
const heldBytesMaxDefault = 128 * 1024 * 1024

export class ReadBudget {
  readonly heldBytesMax: number
  #heldBytes = 0

  constructor(heldBytesMax: number = heldBytesMaxDefault) {
    this.heldBytesMax = heldBytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** False when so many more are too many; then nothing is taken. */
  tryTake(bytes: number): boolean {
    if (bytes > 0 && this.#heldBytes + bytes > this.heldBytesMax) return false
    this.#heldBytes += bytes
    return true
  }

  /** Takes them even beyond the budget: the one small request that every reader may have. */
  take(bytes: number): void {
    this.#heldBytes += bytes
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes
  }
}
