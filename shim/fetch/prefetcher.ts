/**
 * Fetches whole small files into the cache before anybody opens them, as speculation: within the budget, and so many at once.
 */
import { FileReader, type ReadableFile, type ReaderContext } from './file-reader.ts'
import { MiB } from './window.ts'

/** A larger file is begun by its own governor when it is opened. */
const fileBytesMax = 2 * MiB
const fileCountMax = 256

export class Prefetcher {
  readonly #context: ReaderContext
  #count = 0

  constructor(context: ReaderContext) {
    this.#context = context
  }

  get underWayCount(): number {
    return this.#count
  }

  /** True when this file may be fetched ahead now: ask before acquiring it. */
  canTake(size: number): boolean {
    const { budget } = this.#context
    return size > 0 && size <= fileBytesMax && this.#count < fileCountMax && budget.reservedBytes + size <= budget.limitBytes
  }

  /** Fetches what lacks of the file. Its cached file is released when that is over, or at once when there is nothing to do. */
  prefetch(file: ReadableFile): boolean {
    const { cached, size } = file
    if (cached === undefined || cached.isComplete || !cached.canStore || !this.canTake(size) || !this.#context.budget.reserve(size)) {
      cached?.release()
      return false
    }
    this.#count += 1
    const reader = new FileReader(this.#context, file)
    reader.fetchAhead(() => {
      this.#count -= 1
      this.#context.budget.release(size)
    })
    return true
  }
}
