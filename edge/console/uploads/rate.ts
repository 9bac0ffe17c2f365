/** How fast something goes, over the last seconds, and how long the rest takes. Pure; called with the time of the moment. */

const windowMs = 8000

interface Sample {
  readonly atMs: number
  readonly bytes: number
}

export class RateMeter {
  readonly #samples: Sample[] = []

  /** `bytes` in all so far; fewer than before when something begins anew. */
  note(atMs: number, bytes: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && bytes < last.bytes) this.#samples.length = 0
    if (last === undefined || atMs - last.atMs >= 100) this.#samples.push({ atMs, bytes })
    while (this.#samples.length > 2 && atMs - this.#samples[1]!.atMs > windowMs) this.#samples.shift()
  }

  /** Bytes a second; 0 before anything can be said. */
  perSecond(atMs: number): number {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || atMs - first.atMs < 200) return 0
    return ((last.bytes - first.bytes) * 1000) / (atMs - first.atMs)
  }

  secondsLeft(atMs: number, bytesLeft: number): number | undefined {
    const rate = this.perSecond(atMs)
    return rate <= 0 ? undefined : Math.ceil(bytesLeft / rate)
  }
}

/** `8 s`, `3 min`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`
}
