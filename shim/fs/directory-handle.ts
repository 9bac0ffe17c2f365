/**
 * An open directory: READDIR and READDIRPLUS over the tree it was opened with.
 *
 * Called by the handler. The handle pins the directory's root, so a listing under way is of one moment, whatever is committed meanwhile:
 * nothing twice, nothing left out. Offset 0 is a rewind and takes the present root. Offset 1 stands after `.`, 2 after `..`, and 2 + n after
 * the n-th entry; since trees are found by name, the handle remembers the name before each offset at which a reply ended, and walks
 * from the nearest one when a program seeks elsewhere.
 */
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import type { TreeRoot } from '../../shared/format/entry.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import { type TreeItem, type TreeListing, listTree } from '../../shared/format/tree-page.ts'
import { decodeName } from '../../shared/name.ts'
import type { DirectorySink, EntryReply } from '../fuse/handler.ts'
import { typeBitsOf } from './attributes.ts'
import type { Row } from './inode-table.ts'
import type { VolumeTree } from './volume-tree.ts'

/** Entries fetched from the tree at a time: about what one reply holds. */
const batchCount = 256

/** A seek walks so many batches at once: some 16,000 entries, a few milliseconds. */
const batchesPerTurn = 64

/** Remembered places; when there are more, every second one goes. */
const placeCountMax = 1024

interface Place {
  readonly offset: number
  /** The name before it; undefined before the first entry. */
  readonly after: Uint8Array | undefined
}

const firstEntryOffset = 2
const start: Place = { offset: firstEntryOffset, after: undefined }

export interface ReplyMaker {
  entryReply(row: Row): EntryReply
  nothing: EntryReply
}

export class DirectoryHandle {
  readonly row: Row
  readonly #tree: VolumeTree
  readonly #replies: ReplyMaker
  #root: TreeRoot
  /** INVARIANT: ascending by offset, the first is `start`. */
  #places: Place[] = [start]

  constructor(row: Row, root: TreeRoot, tree: VolumeTree, replies: ReplyMaker) {
    this.row = row
    this.#root = root
    this.#tree = tree
    this.#replies = replies
  }

  /** Fills the sink from `offset`. Gives the missing page only when nothing was added, because what was added counts. */
  read(offset: number, sink: DirectorySink): undefined | number | Missing {
    if (offset === 0) {
      const root = this.#tree.directoryRoot(this.row)
      if (typeof root === 'number' || isMissing(root)) return root
      if (root !== this.#root) this.#places = [start]
      this.#root = root
    }
    const filling: Filling = { at: offset, hasAdded: false, isCurrent: sink.isPlus && this.#isCurrent() }
    if (!this.#addDots(filling, sink)) return undefined
    const place = this.#placeAt(filling.at)
    const outcome = isMissing(place) ? place : this.#addEntries(filling, place, sink)
    return filling.hasAdded ? undefined : outcome
  }

  #addDots(filling: Filling, sink: DirectorySink): boolean {
    const { table } = this.#tree
    const plus = sink.isPlus ? this.#replies.nothing : undefined
    if (filling.at === 0 && !add(filling, sink, '.', table.ids[this.row]!, 0o040000, plus)) return false
    if (filling.at === 1) return add(filling, sink, '..', table.ids[table.parentOf(this.row) || this.row]!, 0o040000, plus)
    return true
  }

  #addEntries(filling: Filling, from: Place, sink: DirectorySink): undefined | Missing {
    let { after } = from
    for (;;) {
      const listing = listTree(this.#root.pointer, after, batchCount, this.#tree.pages.find)
      if (isMissing(listing)) {
        this.#remember(filling.at, after)
        return listing
      }
      for (const item of listing.items) {
        const outcome = sink.isPlus ? this.#addPlus(filling, item, sink) : addPlain(filling, item, sink, undefined)
        if (outcome !== true) {
          this.#remember(filling.at, after)
          return outcome === false ? undefined : outcome
        }
        after = item.key
      }
      if (listing.done) {
        this.#remember(filling.at, after)
        return undefined
      }
    }
  }

  #addPlus(filling: Filling, { key, value }: TreeItem, sink: DirectorySink): boolean | Missing {
    const tree = this.#tree
    if (!filling.isCurrent) return addPlain(filling, { key, value }, sink, this.#replies.nothing)
    const row = tree.rowOf(this.row, key, value)
    if (isMissing(row)) return row
    const isAdded = add(filling, sink, decodeName(key), tree.table.ids[row]!, tree.table.modes[row]!, this.#replies.entryReply(row))
    if (isAdded) tree.table.lookupCounts[row]! += 1
    else tree.freeUnused(row)
    return isAdded
  }

  #isCurrent(): boolean {
    const root = this.#tree.directoryRoot(this.row)
    return typeof root === 'object' && !isMissing(root) && root.pointer?.hash === this.#root.pointer?.hash
  }

  /** The place to walk from, and where it stands: at `offset`, or at the end of the listing if that comes first. */
  #placeAt(offset: number): Place | Missing {
    let place = start
    for (let low = 0, high = this.#places.length; low < high; ) {
      const middle = (low + high) >>> 1
      const candidate = this.#places[middle]!
      if (candidate.offset <= offset) {
        place = candidate
        low = middle + 1
      } else {
        high = middle
      }
    }
    for (let batches = 0; place.offset < offset; batches += 1) {
      const count = Math.min(batchCount, offset - place.offset)
      const listing = batches < batchesPerTurn ? listTree(this.#root.pointer, place.after, count, this.#tree.pages.find) : this.#pause()
      if (isMissing(listing)) {
        // The walk goes on from here: from its beginning it would ask for pages that left the memory meanwhile, for ever.
        this.#remember(place.offset, place.after)
        return listing
      }
      const last = listing.items.at(-1)
      if (last === undefined) break
      place = { offset: place.offset + listing.items.length, after: last.key.slice() }
      if (listing.done) break
    }
    return place
  }

  /** Asking for a page that is here lets others have their turn until it comes. */
  #pause(): Missing | TreeListing {
    const { pointer } = this.#root
    return pointer === undefined ? { items: [], done: true } : { missing: pointer }
  }

  #remember(offset: number, after: Uint8Array | undefined): void {
    if (after === undefined) return
    const places = this.#places
    const isLast = offset > places.at(-1)!.offset
    const index = isLast ? places.length : places.findIndex((place) => place.offset >= offset)
    if (!isLast && places[index]!.offset === offset) return
    places.splice(index, 0, { offset, after: after.slice() })
    if (places.length > placeCountMax) this.#places = places.filter((_place, at) => at % 2 === 0)
  }
}

interface Filling {
  /** The offset of the next entry. */
  at: number
  hasAdded: boolean
  /** The pinned root is the present one, so READDIRPLUS may give entries for the kernel to keep. */
  readonly isCurrent: boolean
}

function addPlain(filling: Filling, { key, value }: TreeItem, sink: DirectorySink, plus: EntryReply | undefined): boolean {
  const entry = decodeEntry(value)
  return add(filling, sink, decodeName(key), entry.id, typeBitsOf(entry.kind), plus)
}

function add(filling: Filling, sink: DirectorySink, name: string, ino: number, mode: number, entry: EntryReply | undefined): boolean {
  if (!sink.add(name, ino, filling.at + 1, mode, entry)) return false
  filling.at += 1
  filling.hasAdded = true
  return true
}
