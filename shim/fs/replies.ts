/**
 * Rows as answers to the kernel: attributes as they are now, and for how long it may believe them. Called by the handler and its writer.
 *
 * Every answer is the same object again, so the driver reads it before the handler is asked anything else.
 */
import type { FileStat } from '../sys/sys.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { Attributes, AttributesReply, EntryReply } from '../fuse/handler.ts'
import { type Row, rowFlag } from './inode-table.ts'
import type { RecentRows } from './recent-rows.ts'
import { type VolumeTree, idOf, isDirectory, isRegular } from './volume-tree.ts'

/** While commits are pushed, the kernel may keep what it was told: a change is announced. */
const followedValidMs = 3_600_000
/** Kernels before 6.16 cannot forget all names at once; then this bounds how long a lost stream of commits goes unnoticed. */
const followedValidWithoutEpochsMs = 10_000
const unfollowedValidMs = 1000

export interface RepliesParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges | undefined
  readonly recent: RecentRows
  /** A snapshot that never changes: the kernel may keep everything. */
  readonly isFixed: boolean
  readonly isOpenForWriting: (row: Row) => boolean
}

export class Replies {
  readonly #parts: RepliesParts
  readonly #attributes: Attributes = blankAttributes()
  readonly #entryReply: EntryReply = { nodeId: 0, generation: 0, entryValidMs: 0, attributesValidMs: 0, attributes: this.#attributes }
  readonly #attributesReply: AttributesReply = { validMs: 0, attributes: this.#attributes }
  /** For names that are listed and not to be kept. */
  readonly nothing: EntryReply = { nodeId: 0, generation: 0, entryValidMs: 0, attributesValidMs: 0, attributes: blankAttributes() }
  isFollowing = true
  canForgetNames = false
  /** The kernel gathers writes: what it has of a file that is open for writing, nobody else knows. */
  hasWritebackCache = false

  constructor(parts: RepliesParts) {
    this.#parts = parts
  }

  /** `isNew`: it was made just now, so there is nothing in its body yet. */
  entryReply(row: Row, isNew = false): EntryReply {
    const { tree, isFixed } = this.#parts
    const reply = this.#entryReply
    reply.nodeId = row
    reply.generation = tree.table.generations[row]!
    reply.entryValidMs = this.#validMs()
    if (!isNew) this.attributes(row)
    else {
      tree.table.readAttributes(row, this.#attributes)
      this.#claimBlocks(row)
    }
    reply.attributesValidMs = this.#attributesValidMs(row)
    if (tree.table.lookupCounts[row] === 0 && !isFixed) this.#noteFirst(row, reply)
    return reply
  }

  /** There is no such name, and the kernel may remember that. */
  negativeReply(): EntryReply {
    const reply = this.#entryReply
    reply.nodeId = 0
    reply.entryValidMs = this.#validMs()
    reply.attributesValidMs = 0
    return reply
  }

  /** `isLooked`: the file's body was looked at since control came to the thread, and is as it was then. */
  attributesReply(row: Row, isLooked = false): AttributesReply {
    this.attributes(row, isLooked)
    this.#attributesReply.validMs = this.#attributesValidMs(row)
    return this.#attributesReply
  }

  attributes(row: Row, isLooked = false): Attributes {
    const { tree } = this.#parts
    const attributes = this.#attributes
    tree.table.readAttributes(row, attributes)
    if ((tree.table.flags[row]! & rowFlag.isLocal) === 0 || !isRegular(attributes.mode)) return attributes
    const body = this.#bodyOf(row)
    const stat = (isLooked ? body?.lastStat : undefined) ?? body?.fstat()
    if (body !== undefined && stat !== undefined && typeof stat !== 'number') showBody(attributes, stat, body.isWhole)
    this.#claimBlocks(row)
    return attributes
  }

  /** A file of some size without a block is nothing but a hole, and GNU tar does not even read it: what the kernel has not written back yet is there. */
  #claimBlocks(row: Row): void {
    if (!this.hasWritebackCache || this.#attributes.blocks > 0 || !this.#parts.isOpenForWriting(row)) return
    this.#attributes.blocks = this.#attributes.blockBytes / 512
  }

  /** A change may overtake this answer on its way into the kernel. */
  #noteFirst(row: Row, reply: EntryReply): void {
    if (isDirectory(this.#parts.tree.table.modes[row]!)) reply.attributesValidMs = Math.min(reply.attributesValidMs, unfollowedValidMs)
    else this.#parts.recent.add(row)
  }

  /**
   * What the kernel writes through a mapping into a body changes its times without a word to the file system, until nobody has it any more. An empty file has
   * no bytes to map, and whatever makes it longer the kernel hears of: so one that was just made is not asked for again before its first write.
   */
  #attributesValidMs(row: Row): number {
    const { tree, isOpenForWriting } = this.#parts
    if ((tree.table.flags[row]! & rowFlag.isLocal) === 0 || !isRegular(tree.table.modes[row]!)) return this.#validMs()
    if (this.#attributes.size === 0 && !this.hasWritebackCache) return this.#validMs()
    return isOpenForWriting(row) || this.#bodyOf(row)?.isAlone === false ? 0 : this.#validMs()
  }

  #bodyOf(row: Row): LocalBody | undefined {
    const { tree, changes } = this.#parts
    return changes?.node(idOf(tree.table, row))?.body
  }

  #validMs(): number {
    if (this.#parts.isFixed) return followedValidMs
    if (!this.isFollowing) return unfollowedValidMs
    return this.canForgetNames ? followedValidMs : followedValidWithoutEpochsMs
  }
}

/** The body may have been written to since its row was: see `entryOfBody`. */
function showBody(attributes: Attributes, stat: FileStat, isWhole: boolean): void {
  attributes.size = stat.size
  attributes.blocks = isWhole ? stat.blocks : Math.ceil(stat.size / 512)
  if (stat.mtimeSeconds === attributes.mtimeSeconds && stat.mtimeNanoseconds === attributes.mtimeNanoseconds) return
  const hasOwnAtime = attributes.atimeSeconds !== attributes.mtimeSeconds || attributes.atimeNanoseconds !== attributes.mtimeNanoseconds
  attributes.mtimeSeconds = stat.mtimeSeconds
  attributes.mtimeNanoseconds = stat.mtimeNanoseconds
  if (!hasOwnAtime) {
    attributes.atimeSeconds = stat.mtimeSeconds
    attributes.atimeNanoseconds = stat.mtimeNanoseconds
  }
  const { ctimeSeconds, ctimeNanoseconds } = attributes
  if (stat.mtimeSeconds > ctimeSeconds || (stat.mtimeSeconds === ctimeSeconds && stat.mtimeNanoseconds > ctimeNanoseconds)) {
    attributes.ctimeSeconds = stat.mtimeSeconds
    attributes.ctimeNanoseconds = stat.mtimeNanoseconds
  }
}

function blankAttributes(): Attributes {
  return {
    ino: 0,
    size: 0,
    blocks: 0,
    atimeSeconds: 0,
    atimeNanoseconds: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    ctimeSeconds: 0,
    ctimeNanoseconds: 0,
    mode: 0,
    linkCount: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    blockBytes: 4096,
  }
}
