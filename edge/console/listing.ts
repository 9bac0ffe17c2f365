/**
 * The names of one directory as one commit left it, read page by page as somebody looks at them. Called by `folder-view.ts`.
 */
import type { BrowserVolume, Change, FileInfo } from '../browser/volume.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { isWithin, parentPath } from '../../shared/path.ts'

/** Some 300 bytes each in the page's memory. */
export const namesMax = 1_000_000

/** False when a commit says that it changed nothing of what a listing of `path` shows: other directories, and what is deeper. */
export function showsIn(change: Pick<Change, 'operations'> | undefined, path: string): boolean {
  // Who publishes a commit need not tell anything.
  if (change === undefined || change.operations.length === 0) return true
  return change.operations.some(({ op, path: at, to }) => {
    const isSeen = (each: string): boolean => parentPath(each) === path || isWithin(path, each)
    return isSeen(at) || (to !== undefined && isSeen(to)) || (op === 'subtree' && isWithin(at, path))
  })
}

export class Listing {
  readonly items: FileInfo[] = []
  readonly seq: number
  readonly #volume: Pick<BrowserVolume, 'list' | 'seq'>
  readonly #path: string
  #isLast = false
  #reading: Promise<void> | undefined

  /** `volume` stays at its commit. */
  constructor(volume: Pick<BrowserVolume, 'list' | 'seq'>, path: string) {
    this.#volume = volume
    this.#path = path
    this.seq = volume.seq
  }

  /** All names are here, or as many as may be. */
  get isComplete(): boolean {
    return this.#isLast || this.items.length >= namesMax
  }

  get isCut(): boolean {
    return !this.#isLast && this.items.length >= namesMax
  }

  /** The next page; once for all who ask. */
  async more(): Promise<void> {
    if (this.isComplete) return
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
  }

  /** All of them, or so many. */
  async upTo(count: number, signal: AbortSignal, onProgress: (count: number) => void = () => undefined): Promise<void> {
    while (!this.isComplete && this.items.length < count) {
      throwIfAborted(signal)
      await this.more()
      onProgress(this.items.length)
    }
  }

  async #read(): Promise<void> {
    const page = await this.#volume.list(this.#path, { after: this.items.at(-1)?.name })
    for (const item of page.items) this.items.push(item)
    this.#isLast = page.isLast
  }
}
