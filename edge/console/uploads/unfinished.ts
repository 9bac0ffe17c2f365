/**
 * Uploads that were begun and not ended, so that choosing the same file again goes on with it, also after the page was closed: by volume, path, size and time of change, and
 * then by what was sent. The id and hashes alone are kept, in the browser's storage of this origin: it is worth nothing without a token that may write there.
 */
import { fieldOf } from '../../../shared/wire/messages.ts'
import type { SentBlocks } from './sent-blocks.ts'

export interface Upload {
  readonly volume: string
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
}

export interface Unfinished extends Upload {
  readonly id: string
  readonly begunMs: number
  /** Whether it was begun as one that may replace what is there: the edge keeps to that up to the commit. */
  readonly replaces: boolean
  /** All that the edge can have of it. */
  readonly sent: SentBlocks
}

/** As `localStorage`. */
export interface Notebook {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

const key = 'edgemount.uploads'
const uploadsMax = 200

export class UnfinishedUploads {
  readonly #notebook: Notebook | undefined
  /** Where the browser keeps nothing, the page does. */
  #kept = '[]'

  constructor(notebook: Notebook | undefined) {
    this.#notebook = notebook
  }

  find(upload: Upload): Unfinished | undefined {
    return this.all().find((each) => isSame(each, upload))
  }

  all(): readonly Unfinished[] {
    try {
      const value: unknown = JSON.parse(this.#read())
      return Array.isArray(value) ? value.map(readUnfinished).filter((each) => each !== undefined) : []
    } catch {
      return []
    }
  }

  keep(upload: Unfinished): void {
    this.#write([...this.all().filter((each) => !isSame(each, upload)), upload].slice(-uploadsMax))
  }

  forget(upload: Upload): void {
    this.#write(this.all().filter((each) => !isSame(each, upload)))
  }

  #read(): string {
    try {
      return this.#notebook?.getItem(key) ?? this.#kept
    } catch {
      return this.#kept
    }
  }

  #write(uploads: readonly Unfinished[]): void {
    this.#kept = JSON.stringify(uploads)
    try {
      this.#notebook?.setItem(key, this.#kept)
    } catch {
      // No room, or not allowed: this page remembers, the next does not.
    }
  }
}

function isSame(a: Upload, b: Upload): boolean {
  return a.volume === b.volume && a.path === b.path && a.size === b.size && a.modifiedMs === b.modifiedMs
}

function readUnfinished(value: unknown): Unfinished | undefined {
  const [volume, path, id] = [fieldOf(value, 'volume'), fieldOf(value, 'path'), fieldOf(value, 'id')]
  const [size, modifiedMs, begunMs] = [fieldOf(value, 'size'), fieldOf(value, 'modifiedMs'), fieldOf(value, 'begunMs')]
  if (typeof volume !== 'string' || typeof path !== 'string' || typeof id !== 'string') return undefined
  if (typeof size !== 'number' || typeof modifiedMs !== 'number' || typeof begunMs !== 'number') return undefined
  const [replaces, sent] = [fieldOf(value, 'replaces'), fieldOf(value, 'sent')]
  const [count, chain] = [fieldOf(sent, 'count'), fieldOf(sent, 'chain')]
  if (typeof replaces !== 'boolean' || typeof count !== 'number' || typeof chain !== 'string') return undefined
  return { volume, path, size, modifiedMs, id, begunMs, replaces, sent: { count, chain } }
}
