/**
 * Pages of manifests: the runs of a file's bytes, in order, with cumulative ends, so that a range is found by binary search.
 *
 * Every item begins with the byte after it, counted from its page's first byte. A leaf item goes on with a run (hole, or
 * chunk and pointer), an inner item with the pointer to a page and that page's content id.
 */
import { Reader, Writer } from '../codec.ts'
import { EdgemountError } from '../error.ts'
import { hashBytes, hashFromBytes, hashToBytes } from '../hash.ts'
import type { ByteRange } from '../range.ts'
import type { Hash, ManifestRoot, Pointer, Run } from './entry.ts'
import { type Missing, Page, type PageSource } from './page.ts'
import { readPointer, writePointer } from './pointer-codec.ts'

/** A manifest of one page with at most so many runs stands in the entry: 300 bytes more there, one read less. */
export const inlineRunsMax = 4

const holeTag = 0
const chunkTag = 1
/** Reserved for ranges of objects that were imported without copying. */
const extentTag = 2

/** An item of an inner page. */
export interface ManifestChild {
  /** Bytes of the file that the page covers. */
  readonly length: number
  readonly pointer: Pointer
  readonly contentId: Hash
}

/** A run and the byte of the file at which it begins. */
export interface PlacedRun {
  readonly start: number
  readonly run: Run
}

export class ManifestPage extends Page {
  /** `level` and `length` are what the page above says, and must be so. */
  constructor(bytes: Uint8Array, pointer: Pointer | undefined, level?: number, length?: number) {
    super(bytes, 'manifest', pointer)
    if (level !== undefined && level !== this.level) this.fail(`its level is ${this.level}, the page above says ${level}`)
    if (this.level > 0 && this.count === 0) this.fail('it is empty')
    if (length !== undefined && length !== this.length) this.fail(`it covers ${this.length} bytes, the page above says ${length}`)
  }

  /** Bytes of the file that the page covers. */
  get length(): number {
    return this.count === 0 ? 0 : this.endOf(this.count - 1)
  }

  /** First byte that an item covers, counted from the page's first. */
  startOf(index: number): number {
    return index === 0 ? 0 : this.endOf(index - 1)
  }

  endOf(index: number): number {
    return this.#reader(index).varint()
  }

  run(index: number): Run {
    const reader = this.#reader(index)
    const length = this.#lengthOf(index, reader)
    const tag = reader.u8()
    if (tag === extentTag) {
      throw new EdgemountError(
        'unsupported',
        `Cannot read ${this.name}: it refers to bytes in their original store, which this edgemount cannot read; update edgemount`,
      )
    }
    if (tag === holeTag) {
      reader.end()
      return { kind: 'hole', length }
    }
    if (tag !== chunkTag) this.fail(`item ${index} has tag ${tag}, which is no kind of run`)
    const pointer = readPointer(reader)
    reader.end()
    if (pointer.length !== length) this.fail(`item ${index} covers ${length} bytes with a chunk of ${pointer.length}`)
    return { kind: 'chunk', length, pointer }
  }

  child(index: number): ManifestChild {
    const reader = this.#reader(index)
    const length = this.#lengthOf(index, reader)
    const pointer = readPointer(reader)
    const contentId = hashFromBytes(reader.raw(hashBytes))
    reader.end()
    return { length, pointer, contentId }
  }

  /** The index of the item that covers the byte at `offset` of the page; `count` when the page ends before it. */
  search(offset: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.endOf(middle) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #lengthOf(index: number, reader: Reader): number {
    const start = this.startOf(index)
    const end = reader.varint()
    if (end <= start) this.fail(`item ${index} covers ${start} to ${end}`)
    return end - start
  }

  #reader(index: number): Reader {
    return new Reader(this.bytes.subarray(0, this.end(index)), this.name, this.start(index))
  }
}

/** Bytes of a leaf item; `end` counts from the page's first byte. */
export function encodeRun(end: number, run: Run): Uint8Array {
  const writer = new Writer(80)
  writer.varint(end)
  if (run.kind === 'hole') {
    writer.u8(holeTag)
  } else {
    writer.u8(chunkTag)
    writePointer(writer, run.pointer)
  }
  return writer.finish()
}

export function encodeChild(end: number, child: ManifestChild): Uint8Array {
  const writer = new Writer(112)
  writer.varint(end)
  writePointer(writer, child.pointer)
  writer.raw(hashToBytes(child.contentId))
  return writer.finish()
}

/** The root page of a manifest, or which page is missing. */
export function openManifest(root: ManifestRoot, pages: PageSource): ManifestPage | Missing {
  if (root.kind === 'inline') return new ManifestPage(root.page, undefined, 0)
  const bytes = pages(root.pointer)
  return bytes === undefined ? { missing: root.pointer } : new ManifestPage(bytes, root.pointer)
}

/** The runs that share bytes with the range, in order, whole. One page read a level for a range within one page. */
export function resolveRuns(root: ManifestRoot, range: ByteRange, pages: PageSource): { readonly runs: readonly PlacedRun[] } | Missing {
  const page = openManifest(root, pages)
  if ('missing' in page) return page
  const runs: PlacedRun[] = []
  if (range.start >= range.end) return { runs }
  return collect({ runs, range, pages }, page, 0) ?? { runs }
}

interface Collection {
  readonly runs: PlacedRun[]
  readonly range: ByteRange
  readonly pages: PageSource
}

function collect(to: Collection, page: ManifestPage, base: number): Missing | undefined {
  for (let index = page.search(to.range.start - base); index < page.count; index += 1) {
    const start = base + page.startOf(index)
    if (start >= to.range.end) return undefined
    if (page.level === 0) {
      to.runs.push({ start, run: page.run(index) })
      continue
    }
    const child = page.child(index)
    const bytes = to.pages(child.pointer)
    if (bytes === undefined) return { missing: child.pointer }
    const missing = collect(to, new ManifestPage(bytes, child.pointer, page.level - 1, child.length), start)
    if (missing !== undefined) return missing
  }
  return undefined
}
