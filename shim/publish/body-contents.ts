/**
 * Makes contents of local bodies: reads their backing files, brings the bytes into packs, and remembers what came of it until it is published, so that a round
 * that failed has not read and sent in vain.
 *
 * Small bodies, of which there are thousands, are read many in a turn of the event loop; a few of the others at once, each through a buffer of its own.
 * A body that cannot be read from the disk is about that file alone: it is told, and left out.
 */
import { decodeManifestRoot } from '../../shared/format/content-codec.ts'
import { type Content, type FileId, type ManifestRoot, type Time, inlineBytesMax } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { BatchBody } from '../changes/publishing.ts'
import { Jobs } from '../upload/jobs.ts'
import { Turns } from '../upload/turns.ts'
import { BodyFile, BodyFileError } from './body-file.ts'
import { pieces } from './body-pieces.ts'

/** As much of the engine's content writer as is needed here. */
export interface ContentTarget {
  write(source: AsyncIterable<Uint8Array>, options: { readonly previous?: Content | undefined; readonly signal?: AbortSignal | undefined }): Promise<{ readonly content: Content; readonly size: number }>
}

export interface BodyContentsParts {
  readonly target: ContentTarget
  /** Bytes of a version that was published. */
  readBase(manifest: ManifestRoot, range: ByteRange, label: string, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** Milliseconds that only grow. */
  readonly now: () => number
}

/** A body as it was read. */
export interface ReadBody {
  readonly id: FileId
  readonly generation: number
  readonly mtime: Time
  readonly size: number
  readonly content: Content
}

export interface Unread {
  readonly body: BatchBody
  /** Undefined: it changed while it was read. */
  readonly why: string | undefined
}

export interface Reading {
  readonly read: readonly ReadBody[]
  readonly unread: readonly Unread[]
}

/** Each holds a buffer here and two of the writer's. */
const bodiesAtOnce = 4
const bufferBytes = 1024 * 1024

export class BodyContents {
  readonly #parts: BodyContentsParts
  readonly #known = new Map<FileId, ReadBody>()
  readonly #buffers: Uint8Array[] = []
  readonly #turns: Turns
  #readBytes = 0

  constructor(parts: BodyContentsParts) {
    this.#parts = parts
    this.#turns = new Turns(parts.now)
  }

  /** Of local bodies, since the start. */
  get readBytes(): number {
    return this.#readBytes
  }

  /** Throws when the contents cannot be brought into the store; what was brought so far stays known. */
  async read(bodies: readonly BatchBody[], signal: AbortSignal): Promise<Reading> {
    const read: ReadBody[] = []
    const unread: Unread[] = []
    const jobs = new Jobs(bodiesAtOnce)
    const keep = (body: BatchBody, outcome: ReadBody | undefined): void => {
      if (outcome === undefined) unread.push({ body, why: undefined })
      else {
        this.#known.set(body.id, outcome)
        read.push(outcome)
      }
    }
    try {
      for (const body of bodies) {
        await this.#turns.due()
        const done = this.#knownOf(body) ?? (await orUnread(body, unread, () => readSmall(body)))
        if (done === 'unread') continue
        if (done !== undefined) keep(body, done)
        else await jobs.start(async () => {
          const outcome = await orUnread(body, unread, () => this.#readLarge(body, signal))
          if (outcome !== 'unread') keep(body, outcome)
        })
      }
      await jobs.drain()
    } finally {
      await jobs.settle()
    }
    return { read, unread }
  }

  /** They are published: what was known of them is of no use any more. */
  forget(ids: Iterable<FileId>): void {
    for (const id of ids) this.#known.delete(id)
  }

  #knownOf(body: BatchBody): ReadBody | undefined {
    const known = this.#known.get(body.id)
    const isSame = known !== undefined && known.generation === body.generation && known.size === body.size && isSameTime(known.mtime, body.mtime)
    return isSame ? known : undefined
  }

  async #readLarge(body: BatchBody, signal: AbortSignal): Promise<ReadBody | undefined> {
    const file = BodyFile.open(body.path, body.label)
    const buffer = this.#buffers.pop() ?? new Uint8Array(bufferBytes)
    try {
      if (body.isOpen) await file.settle()
      const { size, mtime } = file
      const previous: Content | undefined = body.previous === undefined ? undefined : { kind: 'manifest', root: decodeManifestRoot(body.previous) }
      const written = await this.#parts.target.write(this.#piecesOf(body, file, buffer, signal), { previous, signal })
      if (!file.isSteady() || written.size !== size) return undefined
      return { id: body.id, generation: body.generation, mtime, size, content: written.content }
    } finally {
      file.close()
      this.#buffers.push(buffer)
    }
  }

  /** The local bytes, and those of the base elsewhere. */
  async *#piecesOf(body: BatchBody, file: BodyFile, buffer: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { size } = file
    const base = body.base === undefined ? undefined : { root: decodeManifestRoot(body.base.manifest), length: body.base.length }
    for (const { from, range } of pieces(base === undefined ? undefined : (body.written ?? []), base?.length ?? 0, size)) {
      const bytes = from === 'local' ? file.read(range.start, range.end, buffer, signal) : this.#parts.readBase(base!.root, range, body.label, signal)
      for await (const piece of bytes) {
        this.#readBytes += piece.length
        yield piece
        // Cutting and hashing never wait for anything: those who wait for the network would.
        await this.#turns.due()
      }
    }
  }
}

/** A small whole body, when its bytes are in memory. Undefined: read it like a large one. */
function readSmall(body: BatchBody): ReadBody | undefined {
  if (body.base !== undefined || body.isOpen || body.size > inlineBytesMax) return undefined
  const file = BodyFile.open(body.path, body.label)
  try {
    const { size, mtime } = file
    const bytes = size > inlineBytesMax ? undefined : file.readAllNow()
    if (bytes === undefined || !file.isSteady()) return undefined
    return { id: body.id, generation: body.generation, mtime, size, content: { kind: 'inline', bytes } }
  } finally {
    file.close()
  }
}

async function orUnread<T>(body: BatchBody, unread: Unread[], work: () => T | Promise<T>): Promise<T | 'unread'> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof BodyFileError)) throw error
    unread.push({ body, why: error.message })
    return 'unread'
  }
}

function isSameTime(a: Time, b: Time): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds
}
