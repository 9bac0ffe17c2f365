/**
 * Makes contents of local bodies: reads their backing files, brings the bytes into packs, and remembers what came of it until it is published, so that a round
 * that failed has not read and sent in vain.
 *
 * Small bodies, of which there are thousands, are read many in a turn of the event loop; a few of the others at once, each through a buffer of its own.
 * A body that cannot be read from the disk is about that file alone: it is told, and left out.
 */
import { type Content, type FileId, type Time, inlineBytesMax } from '../../shared/format/entry.ts'
import type { BatchBody } from '../changes/publishing.ts'
import { Jobs } from '../upload/jobs.ts'
import { Turns } from '../upload/turns.ts'
import { BodyFile, BodyFileError } from './body-file.ts'
import { BodyReader, type ContentTarget } from './body-reader.ts'

/** A body as it was read. */
export interface ReadBody {
  readonly id: FileId
  /** The backing file. */
  readonly path: string
  readonly generation: number
  readonly mtime: Time
  readonly size: number
  readonly content: Content
}

export interface Unread {
  readonly body: Pick<BatchBody, 'id' | 'label' | 'size'>
  /** Undefined: it changed while it was read. */
  readonly why: string | undefined
}

export interface ReadOptions {
  /** These may change while they are read. */
  readonly restless?: ReadonlySet<FileId> | undefined
  readonly signal: AbortSignal
}

export interface Reading {
  readonly read: readonly ReadBody[]
  readonly unread: readonly Unread[]
}

/** Each holds a buffer here and two of the writer's. */
const bodiesAtOnce = 4

export class BodyContents {
  readonly #reader: BodyReader
  readonly #known = new Map<FileId, ReadBody>()
  readonly #turns: Turns
  /** One after the other: each may keep one of a few threads for as long as a program writes. */
  #ended: Promise<void> = Promise.resolve()

  /** `now`: milliseconds that only grow. */
  constructor(target: ContentTarget, now: () => number) {
    this.#reader = new BodyReader(target, now)
    this.#turns = new Turns(now)
  }

  /** Of local bodies that are not small, since the start. */
  get readBytes(): number {
    return this.#reader.readBytes
  }

  /** Throws when the contents cannot be brought into the store; what was brought so far stays known. */
  async read(bodies: readonly BatchBody[], { restless = new Set(), signal }: ReadOptions): Promise<Reading> {
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
          const outcome = await orUnread(body, unread, () => this.#readLarge(body, restless.has(body.id), signal))
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

  /** The session that has brought them failed, with what of theirs was not stored yet. */
  forgetAll(): void {
    this.#known.clear()
  }

  /** A file may have got another body since, as long and as old as the one before. */
  #knownOf(body: BatchBody): ReadBody | undefined {
    const known = this.#known.get(body.id)
    if (known?.path !== body.path || known.generation !== body.generation) return undefined
    return known.size === body.size && isSameTime(known.mtime, body.mtime) ? known : undefined
  }

  async #settle(file: BodyFile): Promise<void> {
    const ended = this.#ended.then(() => file.endWrite())
    this.#ended = ended.catch(() => undefined)
    await ended
    await file.settle()
  }

  async #readLarge(body: BatchBody, isRestless: boolean, signal: AbortSignal): Promise<ReadBody | undefined> {
    const file = BodyFile.open(body.path, body.label)
    try {
      if (body.isOpen) await this.#settle(file)
      const { size, mtime } = file
      if (!isRestless && (size !== body.size || !isSameTime(mtime, body.mtime))) return undefined
      const content = await this.#reader.read(body, file, { isRestless, signal })
      return content === undefined ? undefined : { id: body.id, path: body.path, generation: body.generation, mtime, size, content }
    } finally {
      file.close()
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
    return { id: body.id, path: body.path, generation: body.generation, mtime, size, content: { kind: 'inline', bytes } }
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
