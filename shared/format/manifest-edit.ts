/**
 * Changing parts of a manifest in one pass from its front to its end: only pages that hold changed runs, or touch them, are read and written; all
 * others are passed on by pointer, unread. Memory is one open page a level.
 */
import { EdgemountError } from '../error.ts'
import type { HashFunction } from '../hash.ts'
import type { ByteRange } from '../range.ts'
import type { ManifestRoot, Run } from './entry.ts'
import { ManifestBuilder } from './manifest-build.ts'
import { ManifestPage } from './manifest-page.ts'
import type { ManifestRules } from './manifest-shape.ts'
import type { PageIo } from './page.ts'

export interface ManifestEditIo extends PageIo {
  /** SHA-256; WebCrypto's unless given. */
  readonly hash?: HashFunction | undefined
}

/**
 * The manifest with the bytes of `range` replaced by `runs`, whatever their length: append at the end, truncate with no runs.
 * The range must lie within the file and may cut holes but no chunk (`invalid`): the caller widens it to whole chunks and
 * gives the bytes it keeps as runs again.
 */
export async function replaceRuns(
  root: ManifestRoot,
  range: ByteRange,
  runs: Iterable<Run> | AsyncIterable<Run>,
  io: ManifestEditIo,
  rules?: ManifestRules,
): Promise<ManifestRoot> {
  const edit = await ManifestEdit.open(root, io, rules)
  if (range.start < 0 || range.start > range.end || range.end > edit.length) {
    throw new EdgemountError('invalid', `Cannot replace bytes ${range.start} to ${range.end} of a file: it has ${edit.length}`)
  }
  await edit.keepUntil(range.start)
  for await (const run of runs) await edit.add(run)
  await edit.skipUntil(range.end)
  return await edit.finish()
}

/** A page of the old manifest that is being gone through. */
interface OpenPage {
  readonly page: ManifestPage
  /** First byte of the file that it covers. */
  readonly base: number
  index: number
}

/** Goes through the old manifest once: what is neither kept nor skipped explicitly is kept by `finish`. Offsets are those of the old file, and ascend. */
export class ManifestEdit {
  /** Bytes of the old file. */
  readonly length: number
  readonly #io: ManifestEditIo
  readonly #builder: ManifestBuilder
  /** From the root to the run that comes next. */
  readonly #path: OpenPage[]
  #offset = 0

  static async open(root: ManifestRoot, io: ManifestEditIo, rules?: ManifestRules): Promise<ManifestEdit> {
    const bytes = root.kind === 'inline' ? root.page : await io.load(root.pointer)
    const page = new ManifestPage(bytes, root.kind === 'inline' ? undefined : root.pointer)
    const builder = new ManifestBuilder(io, rules)
    if (root.kind === 'page') builder.opened(page.level, root.pointer, bytes)
    return new ManifestEdit(page, builder, io)
  }

  private constructor(root: ManifestPage, builder: ManifestBuilder, io: ManifestEditIo) {
    this.length = root.length
    this.#io = io
    this.#builder = builder
    this.#path = [{ page: root, base: 0, index: 0 }]
  }

  /** Where the old file is being gone through. */
  get offset(): number {
    return this.#offset
  }

  /** Takes the old runs up to an offset over. It may cut a hole, and no chunk (`invalid`). */
  async keepUntil(end: number): Promise<void> {
    while (this.#offset < end) await this.#step(end, true)
  }

  /** Leaves the old runs up to an offset out. A chunk that it cuts must be left out with all of it, before anything is kept again. */
  async skipUntil(end: number): Promise<void> {
    while (this.#offset < end) await this.#step(end, false)
  }

  /** Lays a run down here. */
  async add(run: Run): Promise<void> {
    await this.#builder.add(run)
  }

  /** Keeps the rest, and gives the new manifest. Nothing may be called after it. */
  async finish(): Promise<ManifestRoot> {
    await this.keepUntil(this.length)
    // The last page was opened, never passed on, so the root was made here: it has the fewest levels that will do.
    return await this.#builder.finish()
  }

  async #step(end: number, isKept: boolean): Promise<void> {
    const open = this.#path.at(-1)
    if (open === undefined) throw new EdgemountError('invalid', `Cannot edit a file of ${this.length} bytes at ${end}`)
    const { page, base, index } = open
    if (index === page.count) {
      this.#path.pop()
      return
    }
    const itemEnd = base + page.endOf(index)
    if (page.level > 0) {
      open.index += 1
      await this.#stepChild(page, index, { start: base + page.startOf(index), end: itemEnd }, { end, isKept })
      return
    }
    await this.#stepRun(page.run(index), { start: base + page.startOf(index), end: itemEnd }, { end, isKept })
    if (this.#offset < itemEnd) return
    open.index += 1
    // The old manifest has no neighbouring holes, so away from a change a hole that ends a page is whole.
    if (isKept && open.index === page.count && this.#offset < end) await this.#builder.endHole()
  }

  async #stepChild(page: ManifestPage, index: number, range: ByteRange, to: { readonly end: number; readonly isKept: boolean }): Promise<void> {
    const child = page.child(index)
    const isWhole = range.start === this.#offset && range.end <= to.end
    if (isWhole && !to.isKept) {
      this.#offset = range.end
      return
    }
    // A page that touches a change is opened too: a hole may grow together with its first or last run.
    if (isWhole && range.end < to.end && this.#builder.isAligned(page.level - 1)) {
      await this.#builder.pass(page.level - 1, child)
      this.#offset = range.end
      return
    }
    const bytes = await this.#io.load(child.pointer)
    this.#builder.opened(page.level - 1, child.pointer, bytes)
    this.#path.push({ page: new ManifestPage(bytes, child.pointer, page.level - 1, child.length), base: range.start, index: 0 })
  }

  async #stepRun(run: Run, range: ByteRange, to: { readonly end: number; readonly isKept: boolean }): Promise<void> {
    const stop = Math.min(range.end, to.end)
    const isWhole = this.#offset === range.start && stop === range.end
    if (run.kind === 'chunk' && to.isKept && !isWhole) {
      throw new EdgemountError('invalid', `Cannot replace bytes of a file at ${stop}: that cuts the chunk at ${range.start} to ${range.end}`)
    }
    if (to.isKept) await this.#builder.add(run.kind === 'chunk' ? run : { kind: 'hole', length: stop - this.#offset })
    this.#offset = stop
  }
}
