/**
 * Makes the content of one local body that is not small: a whole one is cut anew, with what the file had before known; of a partial one, and of one with
 * holes, only what is local and there is read.
 */
import { EdgemountError } from '../../shared/error.ts'
import { decodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { Content } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { WriteOptions } from '../../shared/volume/content-writer.ts'
import type { RewriteRequest } from '../../shared/volume/rewrite-request.ts'
import type { BatchBody } from '../changes/publishing.ts'
import { Turns } from '../upload/turns.ts'
import type { BodyFile } from './body-file.ts'
import { gapBytesMin, planPieces } from './body-pieces.ts'

/** As much of the engine's content writer as is needed here. */
export interface ContentTarget {
  write(source: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<{ readonly content: Content; readonly size: number }>
  rewrite(request: RewriteRequest): Promise<{ readonly content: Content; readonly size: number }>
}

const bufferBytes = 1024 * 1024

/** A range is shorter than it was when the body was looked at. */
class ShrunkError extends EdgemountError {
  constructor() {
    super('stale', 'Cannot read a local body: it has become shorter')
    this.name = 'ShrunkError'
  }
}

export class BodyReader {
  readonly #target: ContentTarget
  readonly #turns: Turns
  readonly #buffers: Uint8Array[] = []
  #readBytes = 0

  /** `now`: milliseconds that only grow. */
  constructor(target: ContentTarget, now: () => number) {
    this.#target = target
    this.#turns = new Turns(now)
  }

  /** Bytes so far. */
  get readBytes(): number {
    return this.#readBytes
  }

  /** Undefined: it changed meanwhile, unless it may; then, that it became shorter. Throws `BodyFileError` when the disk fails; anything else is the store's failure. */
  async read(body: BatchBody, file: BodyFile, { isRestless, signal }: { readonly isRestless: boolean; readonly signal: AbortSignal }): Promise<Content | undefined> {
    const { size } = file
    try {
      const isSparse = file.diskBytes + gapBytesMin < size
      const { content } = body.base !== undefined || isSparse ? await this.#rewrite(body, file, signal) : await this.#write(body, file, signal)
      return isRestless || file.isSteady() ? content : undefined
    } catch (error) {
      if (error instanceof ShrunkError || !file.isSteady()) return undefined
      throw error
    }
  }

  #write(body: BatchBody, file: BodyFile, signal: AbortSignal): Promise<{ readonly content: Content }> {
    const previous: Content | undefined = body.previous === undefined ? undefined : { kind: 'manifest', root: decodeManifestRoot(body.previous) }
    return this.#target.write(this.#bytesOf(file, { start: 0, end: file.size }, signal), { previous, signal })
  }

  async #rewrite({ base, written }: BatchBody, file: BodyFile, signal: AbortSignal): Promise<{ readonly content: Content }> {
    const { size } = file
    const local = { written: base === undefined ? undefined : (written ?? []), baseLength: base?.length ?? 0, size }
    const there = await file.data(signal)
    const { data, zeros } = planPieces(local, partsOf(there))
    const old = base === undefined ? undefined : { root: decodeManifestRoot(base.manifest), keptBytes: base.length }
    // Behind the old version there are zeros anyway.
    const punched = zeros.flatMap(({ start, end }) => (start < local.baseLength ? [{ start, end: Math.min(end, local.baseLength) }] : []))
    return this.#target.rewrite({ old, size, written: data, zeros: punched, readWritten: (range) => this.#bytesOf(file, range, signal), signal })
  }

  async *#bytesOf(file: BodyFile, { start, end }: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const buffer = this.#buffers.pop() ?? new Uint8Array(bufferBytes)
    let at = start
    try {
      for await (const bytes of file.read(start, end, buffer, signal)) {
        at += bytes.length
        this.#readBytes += bytes.length
        yield bytes
        // Cutting and hashing never wait for anything: those who wait for the network would.
        await this.#turns.due()
      }
    } finally {
      this.#buffers.push(buffer)
    }
    if (at < end) throw new ShrunkError()
  }
}

/** The parts of ranges within others, which are asked for in order. */
function partsOf(ranges: readonly ByteRange[]): (within: ByteRange) => Generator<ByteRange> {
  let first = 0
  return function* parts({ start, end }) {
    while (first < ranges.length && ranges[first]!.end <= start) first += 1
    for (let index = first; index < ranges.length && ranges[index]!.start < end; index += 1) {
      yield { start: Math.max(start, ranges[index]!.start), end: Math.min(end, ranges[index]!.end) }
    }
  }
}
