/** Random bytes that a seed repeats: sfc32 (PractRand's small fast counter). */
import type { Random } from '../../shared/random.ts'

export class SeededRandom implements Random {
  readonly #state: Uint32Array

  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, seed ^ 0x9e3779b9, 0x243f6a88, 1)
    for (let round = 0; round < 16; round += 1) this.next()
  }

  /** 32 random bits. */
  next(): number {
    const state = this.#state
    const [a, b, c, counter] = [state[0]!, state[1]!, state[2]!, state[3]!]
    const sum = (a + b + counter) >>> 0
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + sum
    state[3] = counter + 1
    return sum
  }

  bytes(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4))
    for (let index = 0; index < words.length; index += 1) words[index] = this.next()
    return new Uint8Array(words.buffer, 0, length)
  }
}
