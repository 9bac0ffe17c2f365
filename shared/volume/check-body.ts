/**
 * Checks the body of one file: the pages of its manifest, their lengths and content ids, and, when it is asked for, every byte of its chunks.
 */
import { throwIfAborted } from '../abort.ts'
import type { Content, Entry, Hash, ManifestRoot } from '../format/entry.ts'
import { ManifestPage } from '../format/manifest-page.ts'
import { contentIdOfPage } from '../format/manifest-shape.ts'
import { type CheckRun, type Finding, findingOf } from './finding.ts'
import { readContent } from './content-reader.ts'

/** Of one body so many damaged chunks are told. */
const damagedChunksMax = 10

export async function* checkBody(run: CheckRun, path: string, entry: Entry): AsyncGenerator<Finding> {
  if (entry.content.kind !== 'manifest') return
  const finding = { severity: 'error', path, what: 'file' } as const
  const check = new BodyCheck(run, path, entry.content)
  const { length, contentId } = yield* check.visitRoot(entry.content.root)
  if (length === undefined) return
  if (length !== entry.size) yield { ...finding, why: `its size is ${entry.size}, and its manifest covers ${length} bytes` }
  if (contentId !== undefined && contentId !== entry.content.root.contentId) {
    yield { ...finding, why: `its content id is ${entry.content.root.contentId}, and its manifest gives ${contentId}` }
  }
}

/** What a page turned out to be; undefined where it could not be read. */
interface Visited {
  readonly length: number | undefined
  readonly contentId: Hash | undefined
}

const unreadable: Visited = { length: undefined, contentId: undefined }

class BodyCheck {
  readonly #run: CheckRun
  readonly #path: string
  readonly #content: Content
  #damagedCount = 0

  constructor(run: CheckRun, path: string, content: Content) {
    this.#run = run
    this.#path = path
    this.#content = content
  }

  async *visitRoot(root: ManifestRoot): AsyncGenerator<Finding, Visited> {
    try {
      if (root.kind === 'inline') return yield* this.#visit(new ManifestPage(root.page, undefined, 0), 0, true)
      this.#run.packs.note(root.pointer, this.#path)
      return yield* this.#visit(new ManifestPage(await this.#run.parts.pages.load(root.pointer, this.#run.options.signal), root.pointer), 0, true)
    } catch (error) {
      yield findingOf(error, this.#path, 'manifest')
      return unreadable
    }
  }

  async *#visit(page: ManifestPage, base: number, isWholeBody: boolean): AsyncGenerator<Finding, Visited> {
    throwIfAborted(this.#run.options.signal)
    const { length } = page
    // The page's own claim counts: what is wrong below it is told there.
    const contentId = await contentIdOfPage(page, isWholeBody, this.#run.parts.hash)
    for (let index = 0; index < page.count; index += 1) {
      const start = base + page.startOf(index)
      if (page.level === 0) yield* this.#visitRun(page, index, start)
      else yield* this.#visitChild(page, index, start)
    }
    return { length, contentId }
  }

  async *#visitChild(page: ManifestPage, index: number, start: number): AsyncGenerator<Finding> {
    const { length, pointer, contentId } = page.child(index)
    this.#run.packs.note(pointer, this.#path)
    let visited = unreadable
    try {
      const bytes = await this.#run.parts.pages.load(pointer, this.#run.options.signal)
      visited = yield* this.#visit(new ManifestPage(bytes, pointer, page.level - 1, length), start, false)
    } catch (error) {
      yield findingOf(error, this.#path, 'manifest')
    }
    if (visited.contentId !== undefined && visited.contentId !== contentId) {
      yield { severity: 'error', path: this.#path, what: 'manifest', why: `bytes ${start} to ${start + length} have the content id ${visited.contentId}, and it says ${contentId}` }
    }
  }

  async *#visitRun(page: ManifestPage, index: number, start: number): AsyncGenerator<Finding> {
    const run = page.run(index)
    if (run.kind !== 'chunk') return
    this.#run.packs.note(run.pointer, this.#path)
    const { parts, options, counts } = this.#run
    if (options.readsBodies !== true || this.#damagedCount >= damagedChunksMax) return
    const range = { start, end: start + run.length }
    try {
      for await (const bytes of readContent(parts, { content: this.#content, size: range.end, range, label: this.#path, signal: options.signal })) {
        counts.readBytes += bytes.length
      }
    } catch (error) {
      this.#damagedCount += 1
      yield findingOf(error, this.#path, `bytes ${range.start} to ${range.end}`)
    }
  }
}
