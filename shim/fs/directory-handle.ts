/**
 * An open directory: READDIR and READDIRPLUS over what the directory holds when the listing begins.
 *
 * Called by the handler. The handle pins the directory's tree and its changed names, so a listing under way is of one moment, whatever is made, removed or
 * committed meanwhile: nothing twice, nothing left out, and `rm -r` comes to an end. Offset 0 begins, and begins anew after a rewind. Offset 1 stands after
 * `.`, 2 after `..`, and 2 + n after the n-th entry; since trees are found by name, the handle remembers the name before each offset at which a reply
 * ended, and walks from the nearest one when a program seeks elsewhere.
 */
import { type Missing, isMissing } from '../../shared/format/page.ts'
import { decodeName } from '../../shared/name.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { DirectorySink, EntryReply } from '../fuse/handler.ts'
import { typeBitsOf } from './attributes.ts'
import type { Row } from './inode-table.ts'
import { type DirectoryState, type ListedEntry, kindOf, listMerged, stateOf } from './merged-listing.ts'
import { type VolumeTree, idOf } from './volume-tree.ts'

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
  readonly #changes: LocalChanges | undefined
  readonly #replies: ReplyMaker
  #state: DirectoryState | undefined
  /** INVARIANT: ascending by offset, the first is `start`. */
  #places: Place[] = [start]

  constructor(row: Row, tree: VolumeTree, changes: LocalChanges | undefined, replies: ReplyMaker) {
    this.row = row
    this.#tree = tree
    this.#changes = changes
    this.#replies = replies
  }

  /** Fills the sink from `offset`. Gives the missing page only when nothing was added, because what was added counts. */
  read(offset: number, sink: DirectorySink): undefined | number | Missing {
    const state = this.#begin(offset)
    if (typeof state === 'number' || isMissing(state)) return state
    const filling: Filling = { at: offset, hasAdded: false, state, isCurrent: sink.isPlus && this.#isCurrent(state) }
    if (!this.#addDots(filling, sink)) return undefined
    const place = this.#placeAt(state, filling.at)
    const outcome = isMissing(place) ? place : this.#addEntries(filling, place, sink)
    return filling.hasAdded ? undefined : outcome
  }

  #begin(offset: number): DirectoryState | number | Missing {
    if (offset !== 0 && this.#state !== undefined) return this.#state
    const state = stateOf(this.#tree, this.#changes, this.row)
    if (typeof state === 'number' || isMissing(state)) return state
    if (state.root !== this.#state?.root || state.names.length > 0 || this.#state.names.length > 0) this.#places = [start]
    this.#state = state
    return state
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
      const listing = listMerged(filling.state, after, batchCount, this.#tree.pages.find)
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
      after = listing.after
      if (listing.done) {
        this.#remember(filling.at, after)
        return undefined
      }
    }
  }

  #addPlus(filling: Filling, item: ListedEntry, sink: DirectorySink): boolean | Missing {
    const tree = this.#tree
    const { key, found } = item
    const name = decodeName(key)
    if (!this.#isStillThere(filling, item, name)) return addPlain(filling, item, sink, this.#replies.nothing)
    const row = tree.rowOf(this.row, key, found)
    if (isMissing(row)) return row
    const isAdded = add(filling, sink, name, tree.table.ids[row]!, tree.table.modes[row]!, this.#replies.entryReply(row))
    if (isAdded) tree.table.lookupCounts[row]! += 1
    else tree.freeUnused(row)
    return isAdded
  }

  /** Whether the name leads now where it led when the listing began: then the kernel may keep what the listing says. */
  #isStillThere({ isCurrent }: Filling, { found }: ListedEntry, name: string): boolean {
    const target = this.#changes?.target(idOf(this.#tree.table, this.row), name)
    return found instanceof Uint8Array ? isCurrent && target === undefined : target?.id === found.id
  }

  #isCurrent(state: DirectoryState): boolean {
    const root = this.#tree.directoryRoot(this.row)
    return typeof root === 'object' && !isMissing(root) && root.pointer?.hash === state.root.pointer?.hash
  }

  /** The place to walk from, and where it stands: at `offset`, or at the end of the listing if that comes first. */
  #placeAt(state: DirectoryState, offset: number): Place | Missing {
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
      // Asking for a page that is here lets others have their turn until it comes.
      const listing = batches < batchesPerTurn || state.root.pointer === undefined ? listMerged(state, place.after, count, this.#tree.pages.find) : { missing: state.root.pointer }
      if (isMissing(listing)) {
        // The walk goes on from here: from its beginning it would ask for pages that left the memory meanwhile, for ever.
        this.#remember(place.offset, place.after)
        return listing
      }
      place = { offset: place.offset + listing.items.length, after: listing.after?.slice() }
      if (listing.done) break
    }
    return place
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
  readonly state: DirectoryState
  /** The pinned tree is the present one, so READDIRPLUS may give entries for the kernel to keep. */
  readonly isCurrent: boolean
}

function addPlain(filling: Filling, { key, found }: ListedEntry, sink: DirectorySink, plus: EntryReply | undefined): boolean {
  const { id, kind } = kindOf(found)
  return add(filling, sink, decodeName(key), id, typeBitsOf(kind), plus)
}

function add(filling: Filling, sink: DirectorySink, name: string, ino: number, mode: number, entry: EntryReply | undefined): boolean {
  if (!sink.add(name, ino, filling.at + 1, mode, entry)) return false
  filling.at += 1
  filling.hasAdded = true
  return true
}
