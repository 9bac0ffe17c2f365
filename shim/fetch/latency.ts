/**
 * How long requests take lately, small and large ones apart, so that one that takes unusually long can be asked twice. Pure.
 */
import { MiB } from '../../shared/fetch/window.ts'

const sampleCount = 64
const samplesToKnow = 8
const largeBytesMin = 1.5 * MiB
const quantile = 0.95
const delayMsMin = 20
const delayMsMax = 5000

export class Latency {
  readonly #small: number[] = []
  readonly #large: number[] = []

  observe(bytes: number, elapsedMs: number): void {
    const samples = this.#samples(bytes)
    samples.push(elapsedMs)
    if (samples.length > sampleCount) samples.shift()
  }

  /** After so long a request is slower than nearly all others; undefined while too few were seen. */
  hedgeDelayMs(bytes: number): number | undefined {
    const samples = this.#samples(bytes)
    if (samples.length < samplesToKnow) return undefined
    const sorted = samples.toSorted((a, b) => a - b)
    const slow = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))]!
    return Math.min(delayMsMax, Math.max(delayMsMin, slow * 1.25))
  }

  #samples(bytes: number): number[] {
    return bytes >= largeBytesMin ? this.#large : this.#small
  }
}
