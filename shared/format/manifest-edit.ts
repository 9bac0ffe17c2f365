/**
 * Replacing a part of a manifest: only the pages that hold the changed runs, or touch them, are read and written.
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
  const bytes = root.kind === 'inline' ? root.page : await io.load(root.pointer)
  const page = new ManifestPage(bytes, root.kind === 'inline' ? undefined : root.pointer)
  if (range.start < 0 || range.start > range.end || range.end > page.length) {
    throw new EdgemountError('invalid', `Cannot replace bytes ${range.start} to ${range.end} of a file: it has ${page.length}`)
  }
  const editor = new ManifestEditor(range, runs, io, rules)
  if (root.kind === 'page') editor.builder.opened(page.level, root.pointer, bytes)
  await editor.visit(page, 0)
  await editor.insert()
  // A page that touches the range was opened, so the root was made here, never passed on: it has the fewest levels that will do.
  return await editor.builder.finish()
}

class ManifestEditor {
  readonly builder: ManifestBuilder
  readonly #range: ByteRange
  readonly #io: ManifestEditIo
  #runs: Iterable<Run> | AsyncIterable<Run> | undefined

  constructor(range: ByteRange, runs: Iterable<Run> | AsyncIterable<Run>, io: ManifestEditIo, rules: ManifestRules | undefined) {
    this.builder = new ManifestBuilder(io, rules)
    this.#range = range
    this.#runs = runs
    this.#io = io
  }

  /** Lays down a page that begins at byte `base` of the file, changed. */
  async visit(page: ManifestPage, base: number): Promise<void> {
    for (let index = 0; index < page.count; index += 1) {
      const start = base + page.startOf(index)
      if (page.level === 0) await this.#keep(page.run(index), start)
      else await this.#visitChild(page, index, start)
    }
    // The old manifest has no neighbouring holes, so away from the change a hole that ends a page is whole.
    const isApart = base + page.length < this.#range.start || base + page.length > this.#range.end
    if (page.level === 0 && isApart) await this.builder.endHole()
  }

  /** Lays down the new runs, once. */
  async insert(): Promise<void> {
    if (this.#runs === undefined) return
    const runs = this.#runs
    this.#runs = undefined
    for await (const run of runs) await this.builder.add(run)
  }

  async #visitChild(page: ManifestPage, index: number, start: number): Promise<void> {
    const child = page.child(index)
    // A page that only touches the range is opened too: a hole may grow together with its first or last run.
    const isApart = start + child.length < this.#range.start || start > this.#range.end
    if (isApart && this.builder.isAligned(page.level - 1)) {
      await this.builder.pass(page.level - 1, child)
      return
    }
    const bytes = await this.#io.load(child.pointer)
    this.builder.opened(page.level - 1, child.pointer, bytes)
    await this.visit(new ManifestPage(bytes, child.pointer, page.level - 1, child.length), start)
  }

  async #keep(run: Run, start: number): Promise<void> {
    const range = this.#range
    const end = start + run.length
    const isInside = start >= range.start && end <= range.end
    if (end <= range.start) {
      await this.builder.add(run)
    } else if (start >= range.end) {
      await this.insert()
      await this.builder.add(run)
    } else if (run.kind === 'hole') {
      if (start < range.start) await this.builder.add({ kind: 'hole', length: range.start - start })
      await this.insert()
      if (end > range.end) await this.builder.add({ kind: 'hole', length: end - range.end })
    } else if (!isInside) {
      throw new EdgemountError(
        'invalid',
        `Cannot replace bytes ${range.start} to ${range.end} of a file: they cut the chunk at ${start} to ${end}`,
      )
    }
  }
}
