/**
 * Which bytes of a partial body are local, and what lies below the others. Changed and asked by `LocalBody` alone, which keeps the size.
 *
 * A hole that was punched stays known as one (`punched`), for what is written over it later may be lost with the power, and then zeros count there and not the
 * base.
 */
import type { ByteRange } from '../../shared/range.ts'
import { IntervalSet } from '../cache/interval-set.ts'
import type { BodyBase } from './body-state.ts'

const endOfAll = Number.MAX_SAFE_INTEGER

export class Overlay {
  #base: BodyBase
  /** INVARIANT: both below the base's length, `#punched` within `#written`. */
  readonly #written: IntervalSet
  readonly #punched: IntervalSet

  constructor(base: BodyBase, written: readonly number[] = [], punched: readonly number[] = []) {
    this.#base = base
    this.#written = new IntervalSet([...written])
    this.#punched = new IntervalSet([...punched])
  }

  get base(): BodyBase {
    return this.#base
  }

  get written(): readonly number[] {
    return this.#written.edges
  }

  get punched(): readonly number[] {
    return this.#punched.edges
  }

  /** No byte of the base counts any more. */
  get isOver(): boolean {
    return this.#written.has(0, this.#base.length)
  }

  /** The parts of the range that only the base has. */
  lacks({ start, end }: ByteRange): ByteRange[] {
    return this.#written.missing(start, Math.min(end, this.#base.length))
  }

  /** The backing file counts here. Beyond the base it does anyway. */
  note(start: number, end: number, isHole: boolean): void {
    const within = Math.min(end, this.#base.length)
    if (start >= within) return
    this.#written.add(start, within)
    if (isHole) this.#punched.add(start, within)
  }

  /** The file has this size now: what was beyond is gone for good. */
  cut(size: number): void {
    if (size >= this.#base.length) return
    this.#base = { ...this.#base, length: size }
    this.#written.remove(size, endOfAll)
    this.#punched.remove(size, endOfAll)
  }

  /** More bytes of the base count, which follow those that do. */
  extend(length: number): void {
    this.#base = { ...this.#base, length }
  }

  /** What is neither the base's nor known to be a hole: the backing file must have data there. */
  *data(): Generator<ByteRange> {
    for (const { start, end } of this.#written.within(0, endOfAll)) yield* this.#punched.missing(start, end)
  }

  /** The backing file has nothing here after all. */
  forget(range: ByteRange): void {
    this.#written.remove(range.start, range.end)
  }
}
