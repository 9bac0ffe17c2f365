/**
 * How far ahead of one reader to fetch: small at first, grown when the reader stalls, held when growing stops to help. Pure.
 *
 * A window of bandwidth × round trip keeps the line busy, and neither is known beforehand. So it grows fourfold while it is small and twofold
 * after, at most once per round trip, and a growth that brought less than a tenth more speed is the last for a while.
 */

export const KiB = 1024
export const MiB = 1024 * KiB

const firstBytes = MiB
const fastGrowthBytesMax = 8 * MiB
const windowBytesMax = 256 * MiB
const gainMin = 1.1
/** The line may have changed after so long: try again. */
const holdMs = 10_000
/** A growth shows one round trip later; it is judged over the two after that. */
const judgedRtts = 3

export class Window {
  bytes = firstBytes
  #grewMs = -Infinity
  #readBytes = 0
  #readAtGrowth = 0
  /** Bytes per millisecond before the last growth. */
  #rateBefore = 0
  #heldUntilMs = -Infinity

  /** One ranged request of the window. */
  get requestBytes(): number {
    return Math.min(8 * MiB, Math.max(MiB, Math.floor(this.bytes / 16)))
  }

  /** Bytes that the reader got through, in all. */
  get readBytes(): number {
    return this.#readBytes
  }

  read(bytes: number): void {
    this.#readBytes += bytes
  }

  /** The reader has to wait although its reads were expected. */
  stalled(nowMs: number, rttMs: number): void {
    if (this.bytes >= windowBytesMax || nowMs < this.#heldUntilMs) return
    const elapsedMs = nowMs - this.#grewMs
    const isFast = this.bytes < fastGrowthBytesMax
    if (elapsedMs < rttMs * (isFast ? 1 : judgedRtts)) return
    const rate = Number.isFinite(elapsedMs) && elapsedMs > 0 ? (this.#readBytes - this.#readAtGrowth) / elapsedMs : 0
    if (!isFast && this.#rateBefore > 0 && rate < this.#rateBefore * gainMin) {
      this.#heldUntilMs = nowMs + holdMs
      this.#rateBefore = 0
      return
    }
    this.bytes = Math.min(windowBytesMax, this.bytes * (isFast ? 4 : 2))
    this.#rateBefore = rate
    this.#grewMs = nowMs
    this.#readAtGrowth = this.#readBytes
  }
}
