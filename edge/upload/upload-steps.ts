/**
 * The bytes of an upload that comes in parts, step by step into packs: whole chunks become a manifest, the rest waits as bytes for the next step. Each step is
 * kept before the next one is received, so memory is one step, and what is cut loses less than one. Called by the routes of uploads.
 */
import { Chunker, type ChunkingParameters } from '../../shared/chunker.ts'
import { EdgemountError } from '../../shared/error.ts'
import { type Content, inlineBytesMax } from '../../shared/format/entry.ts'
import type { OpenUpload } from '../../shared/format/upload-state.ts'
import type { Volume } from '../../shared/volume/volume.ts'

export interface UploadStepsParts {
  readonly volume: Volume
  /** The most that one step takes. */
  readonly stepBytes: number
  readonly packBytesMax: number | undefined
  readonly patienceMs: number
  /** Makes what was received so far last. */
  readonly keep: (upload: OpenUpload) => Promise<void>
}

export class UploadSteps {
  readonly #parts: UploadStepsParts
  readonly #stepBytes: number
  readonly #bytes: Uint8Array
  #upload: OpenUpload
  #filled: number
  /** Bytes of this upload that are here, kept or not. */
  #received: number
  #hasFailed = false

  constructor(upload: OpenUpload, parts: UploadStepsParts) {
    const { chunking } = parts.volume.config
    this.#parts = parts
    this.#upload = upload
    this.#received = upload.size + upload.tail.length
    this.#stepBytes = Math.min(parts.stepBytes, upload.length - this.#received)
    this.#bytes = new Uint8Array(tailBytesMax(chunking) + this.#stepBytes)
    this.#bytes.set(upload.tail)
    this.#filled = upload.tail.length
  }

  /** A step could not be kept: nothing more may be taken. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /** The bytes are copied. */
  async take(bytes: Uint8Array): Promise<void> {
    for (let taken = 0; taken < bytes.length; ) {
      const part = bytes.subarray(taken, taken + this.#stepBytes - (this.#filled - this.#upload.tail.length))
      this.#bytes.set(part, this.#filled)
      this.#filled += part.length
      this.#received += part.length
      taken += part.length
      if (this.#filled - this.#upload.tail.length === this.#stepBytes) await this.keep()
    }
  }

  /** Keeps what came since the last step; the upload as it is then. */
  async keep(): Promise<OpenUpload> {
    const isLast = this.#received === this.#upload.length
    if (this.#filled === this.#upload.tail.length && !(isLast && this.#upload.after === undefined)) return this.#upload
    this.#hasFailed = true
    this.#upload = await this.#step(isLast)
    await this.#parts.keep(this.#upload)
    this.#bytes.set(this.#upload.tail)
    this.#filled = this.#upload.tail.length
    this.#hasFailed = false
    return this.#upload
  }

  /** INVARIANT: a manifest that is not the last ends with a chunk whose end the bytes after it cannot move. */
  async #step(isLast: boolean): Promise<OpenUpload> {
    const { volume, packBytesMax, patienceMs } = this.#parts
    const { size, root } = this.#upload
    const joined = this.#bytes.subarray(0, this.#filled)
    const cut = isLast ? joined.length : wholeChunks(volume.config.chunking, joined, size)
    // The sender learns of the last bytes when they are committed; until then it is the step before that it can repeat.
    const offset = isLast ? this.#upload.offset : this.#received
    const after = isLast ? (await volume.head()).seq : undefined
    if (cut === 0 && !(isLast && root === undefined)) return { ...this.#upload, tail: joined.slice(), offset, after }
    const writer = volume.writer({ patienceMs, packBytesMax })
    const written = await writer.rewrite({
      old: root === undefined ? undefined : { root, keptBytes: size },
      size: size + cut,
      written: cut === 0 ? [] : [{ start: size, end: size + cut }],
      readWritten: async function* ({ start, end }) {
        yield joined.subarray(start - size, end - size)
      },
    })
    await writer.flush()
    const { content } = written
    if (content.kind === 'inline') return { ...this.#upload, tail: content.bytes, offset, after }
    if (content.kind !== 'manifest') throw new EdgemountError('internal', `Cannot keep an upload: its body became ${content.kind}`)
    return { ...this.#upload, size: size + cut, root: content.root, tail: joined.slice(cut), offset, after }
  }
}

/** The whole body of an upload whose bytes are all here. */
export function contentOf({ root, tail }: OpenUpload): Content {
  return root === undefined ? { kind: 'inline', bytes: tail } : { kind: 'manifest', root }
}

/** How many bytes are in chunks whose ends are certain. Too few for a manifest count as none. */
function wholeChunks(chunking: ChunkingParameters, bytes: Uint8Array, size: number): number {
  const chunker = new Chunker(chunking)
  let end = 0
  for (let length = chunker.next(bytes, 0, bytes.length, false); length > 0; length = chunker.next(bytes, end, bytes.length, false)) end += length
  return size + end <= inlineBytesMax ? 0 : end
}

function tailBytesMax(chunking: ChunkingParameters): number {
  return (chunking.kind === 'fixed' ? chunking.bytes : chunking.maxBytes) + inlineBytesMax
}
