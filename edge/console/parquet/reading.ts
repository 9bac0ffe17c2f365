/**
 * A Parquet file that is read in a worker (`reader.ts`): the page gives it the bytes that it wishes for, no more than was agreed, and ends it when it thinks for too long.
 */
import type { AsyncBuffer } from '../../browser/lazy-file.ts'
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import type { ParquetFacts } from './file.ts'
import { type FromReader, readerAddress, type ToReader } from './reader.ts'
import type { RowRange } from './cost.ts'

/** From the last bytes to the answer or the next wish: a file that takes longer was made to. */
const thinkMs = 10_000
/** Beyond what was said before: the estimate of what rows cost is one, and the ends of pages are not known. */
const spareBytes = 1024 * 1024

/** By it addresses of scripts are vouched for, as the console's policy wants. Not every browser has it, and TypeScript does not know it. */
declare const trustedTypes: undefined | { createPolicy(name: string, rules: { createScriptURL: (address: string) => string }): { createScriptURL(address: string): string } }

export class ParquetReading {
  readonly #file: AsyncBuffer
  readonly #worker: Worker
  readonly #signal: AbortSignal
  #budgetBytes = 0
  #wishCount = 0
  #limit: AbortController | undefined
  #ended: EdgemountError | undefined
  #settle: { resolve: (answer: FromReader) => void; reject: (error: unknown) => void } | undefined

  constructor(file: AsyncBuffer, signal: AbortSignal) {
    this.#file = file
    this.#signal = signal
    this.#worker = startWorker()
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromReader>) => void this.#take(data))
    this.#worker.addEventListener('error', () => this.#end(new EdgemountError('internal', 'Cannot show the file as Parquet: its reader ended by itself; download it to look closer')))
    signal.addEventListener('abort', () => this.#end(new EdgemountError('aborted', 'Cannot show the file as Parquet: something else is shown now')))
  }

  /** The facts, or how long the footer is if that is more than `footerBytesMax`. */
  async open(footerBytesMax: number): Promise<ParquetFacts | number> {
    const answer = await this.#ask({ ask: 'open', byteLength: this.#file.byteLength, footerBytesMax }, footerBytesMax)
    if (answer.say === 'opened') return answer.facts
    return answer.say === 'long' ? answer.footerBytes : Infinity
  }

  async cost(range: RowRange): Promise<number> {
    const answer = await this.#ask({ ask: 'cost', ...range }, 0)
    return answer.say === 'cost' ? answer.bytes : Infinity
  }

  /** `bytes` is what they are said to cost. */
  async rows(range: RowRange, bytes: number): Promise<readonly (readonly string[])[]> {
    const answer = await this.#ask({ ask: 'rows', ...range }, bytes * 2)
    return answer.say === 'rows' ? answer.rows : []
  }

  /** One question at a time. */
  async #ask(question: ToReader, bytes: number): Promise<FromReader> {
    if (this.#ended !== undefined) throw this.#ended
    this.#budgetBytes = bytes + spareBytes
    const answer = new Promise<FromReader>((resolve, reject) => (this.#settle = { resolve, reject }))
    this.#send(question)
    return await answer
  }

  async #take(message: FromReader): Promise<void> {
    this.#limit?.abort()
    if (message.say === 'failed') return this.#settle?.reject(new EdgemountError(message.code, message.message))
    if (message.say !== 'wish') return this.#settle?.resolve(message)
    this.#wishCount += 1
    try {
      const { id, start, end } = message
      this.#budgetBytes -= end - start
      if (this.#budgetBytes < 0) throw new EdgemountError('invalid', 'Cannot read the rows: the pages of the file are longer than its footer says; download the file to look closer')
      const bytes = await this.#file.slice(start, end)
      this.#wishCount -= 1
      if (this.#ended === undefined) this.#send({ ask: 'bytes', id, bytes }, [bytes])
    } catch (error) {
      this.#end(error)
    }
  }

  #send(message: ToReader, given: Transferable[] = []): void {
    this.#worker.postMessage(message, given)
    this.#limit?.abort()
    if (this.#wishCount === 0) void this.#limitThought((this.#limit = new AbortController()))
  }

  async #limitThought({ signal }: AbortController): Promise<void> {
    try {
      await systemClock.sleep(thinkMs, signal)
    } catch {
      return
    }
    this.#end(new EdgemountError('exhausted', `Cannot show the file as Parquet: ${thinkMs / 1000} seconds were not enough to understand it; download it to look closer`))
  }

  #end(error: unknown): void {
    this.#limit?.abort()
    this.#worker.terminate()
    this.#ended ??= error instanceof EdgemountError ? error : new EdgemountError('internal', 'Cannot read the file: its reader ended')
    this.#settle?.reject(this.#signal.aborted ? this.#ended : error)
  }
}

function startWorker(): Worker {
  const policy = typeof trustedTypes === 'undefined' ? undefined : trustedTypes.createPolicy('edgemount-parquet', { createScriptURL: (address) => address })
  return new Worker(policy?.createScriptURL(readerAddress) ?? readerAddress, { type: 'module' })
}
