/**
 * What a long slice of a pack holds while it is sent: bytes of a budget that all have in common, from before it is read until the client has taken it or is gone. A
 * client that asks and does not read keeps its own for minutes; so who finds no room is sent short pieces, each read when its turn comes. Called by the route of packs.
 *
 * INVARIANT: it is released once, whatever becomes of the answer: as soon as the body is not this one's, at its end, or when it is cancelled.
 */
import type { ReadBudget } from '../../shared/volume/read-budget.ts'

export class SliceHold {
  readonly #budget: ReadBudget
  #bytes: number
  #isSent = false

  private constructor(budget: ReadBudget, bytes: number) {
    this.#budget = budget
    this.#bytes = bytes
  }

  /** Undefined where there is no room. */
  static take(budget: ReadBudget, bytes: number): SliceHold | undefined {
    return budget.tryTake(bytes) ? new SliceHold(budget, bytes) : undefined
  }

  /** The slice as a body of one piece. Who asks for more has sent it. */
  body(bytes: Uint8Array): ReadableStream<Uint8Array> {
    this.#isSent = true
    let isGiven = false
    return new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          if (!isGiven) {
            isGiven = true
            controller.enqueue(bytes)
            return
          }
          this.#release()
          controller.close()
        },
        cancel: () => this.#release(),
      },
      { highWaterMark: 0 },
    )
  }

  /** The answer is made, or there is none: without a body of this one there is nothing to hold. */
  settle(): void {
    if (!this.#isSent) this.#release()
  }

  #release(): void {
    this.#budget.release(this.#bytes)
    this.#bytes = 0
  }
}
