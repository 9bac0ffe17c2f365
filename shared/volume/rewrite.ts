/**
 * A new version of a body of which little changed: only the chunks around a change are cut, hashed and stored again, and only the pages of the manifest that
 * lead to them. `ContentWriter.rewrite` calls it.
 *
 * Cutting begins with the chunk that a change is in and ends where it falls in with an old cut behind the change, which content-defined cuts soon do; at
 * the latest one longest chunk behind it. Changes that are nearer to each other than that are cut together, others side by side.
 */
import { throwIfAborted } from '../abort.ts'
import { EdgemountError } from '../error.ts'
import type { ManifestRoot, Run } from '../format/entry.ts'
import { ManifestEdit, type ManifestEditIo } from '../format/manifest-edit.ts'
import type { ByteRange } from '../range.ts'
import type { BodyLayout } from './body-layout.ts'
import type { BodyWriter, OpenBody, RunSink } from './body-writer.ts'
import type { NewBody } from './new-body.ts'

/** Rewritten side by side, as far as bodies may be written at once. */
const groupsAtOnce = 4
/** Runs of a group that waits for its turn: a GiB of them or so. */
const stepsWaitingMax = 4096

export interface RewriteParts {
  readonly layout: BodyLayout
  readonly body: NewBody
  readonly io: ManifestEditIo
  readonly old: ManifestRoot
  /** Ranges that are zeros now, ascending and apart; long ones, which nobody should read. */
  readonly zeros: readonly ByteRange[]
  /** What else has to be cut again, ascending and apart. */
  readonly changed: readonly ByteRange[]
  /** Waits until another body may be written. `manifest` takes its runs. */
  openBody(manifest: RunSink): Promise<OpenBody>
  /** Makes a stored chunk known. */
  remember(run: Run): void
  readonly signal?: AbortSignal | undefined
}

export interface Rewritten {
  readonly root: ManifestRoot
  readonly newBytes: number
}

/** Changes that are cut together. */
interface Group {
  readonly changed: ByteRange[]
  readonly start: number
  end: number
}

export async function rewriteBody(parts: RewriteParts): Promise<Rewritten> {
  const edit = await ManifestEdit.open(parts.old, parts.io)
  const layer = new Layer(edit, parts.layout.keptBytes, parts.zeros)
  const underWay: { readonly lane: Lane; readonly recut: Promise<number> }[] = []
  let newBytes = 0
  const layNext = async (): Promise<void> => {
    const { lane, recut } = underWay[0]!
    await lane.lead(layer)
    newBytes += await recut
    underWay.shift()
  }
  try {
    for await (const group of groupsOf(parts)) {
      const lane = new Lane()
      const recut = recutGroup(parts, group, lane)
      // Awaited in its turn; until then a rejection has nobody to hear it.
      recut.catch(() => undefined)
      underWay.push({ lane, recut })
      if (underWay.length >= groupsAtOnce) await layNext()
    }
    while (underWay.length > 0) await layNext()
    return { root: await layer.finish(parts.body.size), newBytes }
  } finally {
    for (const { lane } of underWay) lane.close()
    await Promise.allSettled(underWay.map(({ recut }) => recut))
  }
}

async function* groupsOf({ layout, changed }: RewriteParts): AsyncGenerator<Group> {
  let group: Group | undefined
  for (const range of changed) {
    const start = await layout.startFor(range.start)
    const end = (await layout.endsFor(range.end)).at(-1)!
    if (group !== undefined && start < group.end) {
      group.changed.push(range)
      group.end = Math.max(group.end, end)
      continue
    }
    if (group !== undefined) yield group
    group = { changed: [range], start, end }
  }
  if (group !== undefined) yield group
}

/** Gives the number of bytes that were not known before. */
async function recutGroup(parts: RewriteParts, group: Group, lane: Lane): Promise<number> {
  let newBytes = 0
  const pending = group.changed.toReversed()
  let position = group.start
  for await (const run of parts.layout.runsIn(group)) parts.remember(run)
  for (let range = pending.pop(); range !== undefined; range = pending.pop()) {
    const start = Math.max(position, await parts.layout.startFor(range.start))
    await lane.put({ kind: 'begin', at: start })
    const { writer, close } = await parts.openBody({ add: (run) => lane.put(run) })
    try {
      position = await recutFrom(parts, writer, { start, end: range.end }, pending)
      await writer.finish()
      newBytes += writer.newBytes
      await lane.put({ kind: 'end', at: position })
    } finally {
      await close()
    }
  }
  return newBytes
}

/** Pushes the new bytes from the start of a range on, until a cut falls in with an old one behind all changes up to there; gives where that is. */
async function recutFrom({ layout, body, signal }: RewriteParts, writer: BodyWriter, range: ByteRange, pending: ByteRange[]): Promise<number> {
  let at = range.start
  const push = async (end: number): Promise<void> => {
    for await (const bytes of body.read({ start: at, end })) {
      throwIfAborted(signal)
      await writer.push(bytes)
    }
    at = end
  }
  await push(range.end)
  for (let ends = await layout.endsFor(at); ; ) {
    const end = ends.shift()
    if (end === undefined) return at
    const next = pending.at(-1)
    if (next !== undefined && next.start < end) {
      pending.pop()
      await push(next.end)
      ends = await layout.endsFor(at)
      continue
    }
    await push(end)
    await writer.cut()
    if (range.start + writer.cutBytes === end) return end
  }
}

type Step = Run | { readonly kind: 'begin'; readonly at: number } | { readonly kind: 'end'; readonly at: number }

/** What a group lays down, kept until those before it are done. */
class Lane {
  #waiting: Step[] = []
  #layer: Layer | undefined
  #isClosed = false
  readonly #led = Promise.withResolvers<void>()

  /** Waits once much is kept. */
  async put(step: Step): Promise<void> {
    if (this.#layer === undefined && this.#waiting.length >= stepsWaitingMax) await this.#led.promise
    if (this.#isClosed) throw new EdgemountError('aborted', 'Cannot rewrite a body: another part of it failed')
    if (this.#layer === undefined) this.#waiting.push(step)
    else await this.#layer.lay(step)
  }

  /** It is this group's turn: what is kept goes down, and what comes then at once. */
  async lead(layer: Layer): Promise<void> {
    while (this.#waiting.length > 0) {
      const steps = this.#waiting
      this.#waiting = []
      for (const step of steps) await layer.lay(step)
    }
    this.#layer = layer
    this.#led.resolve()
  }

  /** Nobody will lead it. */
  close(): void {
    this.#isClosed = true
    this.#led.resolve()
  }
}

/** Puts the new manifest together: old runs where nothing changed, holes where zeros are, and behind what the old body had. */
class Layer {
  readonly #edit: ManifestEdit
  /** Bytes of the old body that count at most. */
  readonly #keptBytes: number
  readonly #zeros: ByteRange[]
  #laid = 0

  constructor(edit: ManifestEdit, keptBytes: number, zeros: readonly ByteRange[]) {
    this.#edit = edit
    this.#keptBytes = keptBytes
    this.#zeros = zeros.toReversed()
  }

  async lay(step: Step): Promise<void> {
    if (step.kind === 'begin') await this.#fill(step.at)
    else if (step.kind === 'end') await this.#pass(step.at)
    else await this.#edit.add(step)
  }

  async finish(size: number): Promise<ManifestRoot> {
    await this.#fill(size)
    await this.#edit.skipUntil(this.#edit.length)
    return this.#edit.finish()
  }

  async #fill(end: number): Promise<void> {
    for (let zero = this.#zeros.at(-1); zero !== undefined && zero.end <= end; zero = this.#zeros.at(-1)) {
      await this.#keep(zero.start)
      await this.#edit.add({ kind: 'hole', length: zero.end - zero.start })
      await this.#pass(zero.end)
      this.#zeros.pop()
    }
    await this.#keep(end)
  }

  async #keep(end: number): Promise<void> {
    if (end < this.#laid) throw new EdgemountError('internal', `Cannot rewrite a body: bytes before ${this.#laid} are laid down already`)
    const oldEnd = Math.max(this.#laid, Math.min(end, this.#keptBytes))
    await this.#edit.keepUntil(Math.min(oldEnd, this.#edit.length))
    if (oldEnd < end) await this.#edit.add({ kind: 'hole', length: end - oldEnd })
    this.#laid = end
  }

  async #pass(end: number): Promise<void> {
    await this.#edit.skipUntil(Math.min(end, this.#edit.length))
    this.#laid = end
  }
}
