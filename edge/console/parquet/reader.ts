/**
 * The worker that a Parquet file is read in, apart from the page: what takes too long there is ended, and the page goes on. `reading.ts` starts it from this module's own
 * address, and answers its wishes for bytes.
 */
import { type ErrorCode, codeOf, messageOf } from '../../../shared/error.ts'
import type { RowRange } from './cost.ts'
import { ParquetFile, type ParquetFacts } from './file.ts'

/** To the worker: a question, or bytes that it wished for. */
export type ToReader =
  | { readonly ask: 'open'; readonly byteLength: number; readonly footerBytesMax: number }
  | ({ readonly ask: 'cost' | 'rows' } & RowRange)
  | { readonly ask: 'bytes'; readonly id: number; readonly bytes: ArrayBuffer }

/** From the worker: one answer to each question, and wishes before it. */
export type FromReader =
  | { readonly say: 'wish'; readonly id: number; readonly start: number; readonly end: number }
  | { readonly say: 'opened'; readonly facts: ParquetFacts }
  | { readonly say: 'long'; readonly footerBytes: number }
  | { readonly say: 'cost'; readonly bytes: number }
  | { readonly say: 'rows'; readonly rows: readonly (readonly string[])[] }
  | { readonly say: 'failed'; readonly code: ErrorCode; readonly message: string }

/** Where this module is: what a worker is started from. */
export const readerAddress: string = import.meta.url

class Reader {
  readonly #waiting = new Map<number, (bytes: ArrayBuffer) => void>()
  #file: ParquetFile | undefined
  #wishCount = 0

  start(): void {
    addEventListener('message', ({ data }: MessageEvent<ToReader>) => void this.#take(data))
  }

  async #take(message: ToReader): Promise<void> {
    if (message.ask === 'bytes') {
      this.#waiting.get(message.id)?.(message.bytes)
      this.#waiting.delete(message.id)
      return
    }
    try {
      say(await this.#answer(message))
    } catch (error) {
      say({ say: 'failed', code: codeOf(error), message: messageOf(error) })
    }
  }

  async #answer(question: Exclude<ToReader, { readonly ask: 'bytes' }>): Promise<FromReader> {
    if (question.ask === 'open') {
      const { byteLength, footerBytesMax } = question
      const opened = await ParquetFile.open({ byteLength, slice: (start, end = byteLength) => this.#wish(start, end) }, footerBytesMax)
      if (typeof opened === 'number') return { say: 'long', footerBytes: opened }
      this.#file = opened
      return { say: 'opened', facts: opened.facts }
    }
    if (question.ask === 'cost') return { say: 'cost', bytes: this.#file?.bytesOf(question) ?? 0 }
    return { say: 'rows', rows: (await this.#file?.rows(question)) ?? [] }
  }

  #wish(start: number, end: number): Promise<ArrayBuffer> {
    const id = (this.#wishCount += 1)
    say({ say: 'wish', id, start, end })
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }
}

function say(message: FromReader): void {
  postMessage(message, { transfer: [] })
}

if ('WorkerGlobalScope' in globalThis) new Reader().start()
