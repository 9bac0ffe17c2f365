/**
 * Applying a batch of operations to a root: strictly the first time, when an operation that cannot be done refuses the whole batch; then, after a
 * lost race, to the root that won, where what changed meanwhile is merged by the rules of `merge.ts` and nothing is refused any more.
 */
import { EdgemountError, codeOf } from '../error.ts'
import { contentVersionOf } from '../format/entry-codec.ts'
import type { Entry, FileId } from '../format/entry.ts'
import type { CommitOperation } from '../format/commit-operation.ts'
import type { HashFunction } from '../hash.ts'
import { baseName, childPath, isWithin, parentPath } from '../path.ts'
import { type Ground, compareSeen, conflictName, judge, judgeTarget } from './merge.ts'
import type { Moves } from './moves.ts'
import type { ChosenAttributes, Conflict, Create, Expectation, Link, Operation, Rename } from './operation.ts'
import { DirectoryNode, treeRootOf } from './overlay.ts'
import { Performed } from './performed.ts'
import type { Past } from './restore.ts'
import type { Place, Transaction } from './transaction.ts'

/** What stood at an operation's places when it was applied for the first time. */
interface Seen {
  readonly entry: Entry | undefined
  readonly target: Entry | undefined
}

/** An operation of a batch, and what must be the same each time it is applied. */
export interface Prepared {
  readonly operation: Operation
  /** For the entry it makes, unless it says or keeps one. */
  readonly id: FileId
  seen: Seen | undefined
}

export interface ReplayContext {
  readonly hash: HashFunction
  readonly author: string
  /** The slot that this try is for. */
  readonly seq: number
  /** What happened since the operations were applied for the first time; undefined when this is the first time. */
  readonly moves: Moves | undefined
  /** Refuse with `stale` what is not as the caller said, instead of keeping both. */
  readonly refusesConflicts: boolean
}

const nothingSeen: Seen = { entry: undefined, target: undefined }

export class Replay {
  readonly #transaction: Transaction
  readonly #context: ReplayContext
  /** Where the batch's own paths have gone: conflict names. */
  readonly #redirects = new Map<string, string>()
  /** Files and directories that this batch has made or given content, noted where it is merged. */
  readonly #made = new Set<FileId>()
  readonly #performed = new Performed()
  readonly conflicts: Conflict[] = []

  constructor(transaction: Transaction, context: ReplayContext) {
    this.#transaction = transaction
    this.#context = context
  }

  get performed(): readonly CommitOperation[] {
    return this.#performed.operations
  }

  async run(prepared: Prepared): Promise<void> {
    const operation = this.#redirected(prepared.operation)
    const seen = prepared.seen
    if (seen !== undefined) return this.#merge(operation, prepared, seen)
    const maker = makesParents(operation) ? attributesOf(operation) : undefined
    const place = await this.#transaction.locate(operation.path, 'to' in operation ? undefined : maker)
    const target = 'to' in operation ? await this.#transaction.locate(operation.to, maker) : undefined
    prepared.seen = place.entry === undefined && target?.entry === undefined ? nothingSeen : { entry: place.entry, target: target?.entry }
    const isAsSaid = operation.expected === undefined || (await this.#compare(operation.expected, undefined, place.entry)).isExpected
    if (isAsSaid || operation.expected === 'any') return this.#apply(operation, place, target, prepared.id)
    if (this.#context.refusesConflicts) throw new EdgemountError('stale', `Cannot change "${operation.path}": it is not what was expected there`)
    return this.#merge(operation, prepared, prepared.seen)
  }

  async #merge(asked: Operation, prepared: Prepared, seen: Seen): Promise<void> {
    const operation = await this.#relocated(asked, seen)
    if (this.#context.refusesConflicts && hasOtherPaths(operation, asked)) throw movedAway(asked)
    if (operation === undefined) return
    const place = await this.#locateAnyhow(operation)
    const ground = await this.#compare(operation.expected, seen.entry, place.entry)
    const verdict = judge(operation, ground)
    // That another commit did the same is good enough for who wants it done, and not for who must be the one that did it.
    const isFine = operation.expected === undefined || operation.expected === 'any' ? verdict === 'apply' || verdict === 'skip' : verdict === 'apply' && ground.isExpected
    if (this.#context.refusesConflicts && !isFine) {
      throw new EdgemountError('stale', `Cannot change "${operation.path}": another commit changed it meanwhile`)
    }
    switch (verdict) {
      case 'skip':
        return
      case 'yield':
        this.#conflict(operation.path, operation.path)
        return
      case 'divert':
        return this.#divert(operation, prepared, seen)
      case 'make':
        return this.#makeAnew(operation, prepared, seen, place)
      case 'apply':
        if ('to' in operation) return this.#applyToTarget(operation, prepared, seen)
        if (operation.op === 'rmdir' && operation.recursive === true && this.#isChangedBelow(place, seen)) return this.#removeTree(operation.path, seen.entry)
        return this.#applyOrYield(operation, place, undefined, prepared.id)
    }
  }

  /**
   * The operation with its paths as they are now, after another commit renamed what it is about or a directory on the way. Undefined when
   * nothing is left to do: of two renames of one thing the first holds.
   */
  async #relocated(operation: Operation, seen: Seen): Promise<Operation | undefined> {
    const { moves } = this.#context
    if (moves === undefined) return operation
    const place = await this.#transaction.locate(operation.path)
    const isThere = seen.entry === undefined ? place.fault === undefined : place.entry?.id === seen.entry.id
    let path: string | undefined
    if (!isThere) {
      const followsFile = seen.entry !== undefined && operation.op !== 'unlink' && operation.op !== 'rmdir'
      const moved = followsFile ? await moves.pathOf(seen.entry.id) : undefined
      if (moved !== undefined && operation.op === 'rename') {
        if (moved !== operation.to) this.#conflict(operation.path, moved)
        this.#redirects.set(operation.to, moved)
        return undefined
      }
      path = moved ?? (await moves.relocate(operation.path))
    }
    const here = path === undefined ? operation : { ...operation, path }
    if (!('to' in here)) return here
    const target = await this.#transaction.locate(here.to)
    const to = target.fault === undefined ? undefined : await moves.relocate(here.to)
    return to === undefined ? here : { ...here, to }
  }

  /** Somebody else's commit changed something in the directory, or a file with several names that may have one there. */
  #isChangedBelow(place: Place, seen: Seen): boolean {
    const { moves } = this.#context
    if (moves === undefined || seen.entry?.kind !== 'directory' || !(place.found instanceof DirectoryNode)) return false
    return treeRootOf(seen.entry).pointer?.hash !== place.found.base?.hash || moves.hasChangedInodes
  }

  /** Removes what was there when we looked and what this batch has made, and keeps what others added or edited. */
  async #removeTree(path: string, seen: Entry | undefined): Promise<void> {
    const { moves } = this.#context
    const names = await this.#transaction.namesIn(await this.#transaction.locate(path))
    for (const name of names) {
      const childOf = childPath(path, name)
      const place = await this.#transaction.locate(childOf)
      const before = seen === undefined ? undefined : await moves!.base.child(seen, name)
      const isOurs = this.#made.has(place.entry!.id)
      const ground = compareSeen(before, place.entry)
      if (place.entry!.kind === 'directory' && (isOurs || ground.isSame)) await this.#removeTree(childOf, ground.isSame ? before : undefined)
      else if (place.entry!.kind !== 'directory' && (isOurs || ground.isExpected)) {
        await this.#apply({ op: 'unlink', path: childOf }, place, undefined, place.entry!.id)
      } else this.#conflict(childOf, childOf)
    }
    const place = await this.#transaction.locate(path)
    if (place.found instanceof DirectoryNode && place.found.isEmpty) await this.#apply({ op: 'rmdir', path }, place, undefined, place.entry!.id)
  }

  /** Ours gets a name beside the one that is taken, and later operations of the batch on that path go there. */
  async #divert(operation: Operation, prepared: Prepared, seen: Seen): Promise<void> {
    const path = await this.#besides(operation.path)
    const moved: Operation = operation.op === 'write' ? remade(operation.content, operation.size, seen.entry, path) : { ...operation, path }
    await this.#apply(moved, await this.#locateMaking(path, attributesOf(moved)), undefined, prepared.id)
  }

  /** The thing that a write, rename or link was about is not there any more. */
  async #makeAnew(operation: Operation, prepared: Prepared, seen: Seen, place: Place): Promise<void> {
    if (operation.op === 'write') {
      const create = remade(operation.content, operation.size, seen.entry, operation.path)
      await this.#apply(create, await this.#locateMaking(operation.path, create), undefined, prepared.id)
      return
    }
    if (!('to' in operation) || seen.entry === undefined) return
    if (place.entry !== undefined) this.#conflict(operation.path, operation.path)
    let target = await this.#locateMaking(await this.#freeTarget(operation, seen), attributesOf(operation))
    if (target.entry?.id === seen.entry.id) return
    if (target.found instanceof DirectoryNode) target = await this.#locateMaking(await this.#besides(operation.to), attributesOf(operation))
    // A file gets a fresh id: under its old one it may come back with a directory, too.
    const id = seen.entry.kind === 'directory' ? seen.entry.id : prepared.id
    await this.#transaction.restore(target, { ...seen.entry, id, linkCount: 1 }, pastOf(this.#context.moves))
    this.#performed.tell({ op: 'create', path: target.path, id })
  }

  async #applyToTarget(operation: Rename | Link, prepared: Prepared, seen: Seen): Promise<void> {
    const to = await this.#freeTarget(operation, seen)
    const target = await this.#locateMaking(to, {})
    // Located last: making directories for the target may have opened the source's.
    const place = await this.#transaction.locate(operation.path)
    await this.#applyOrYield({ ...operation, to }, place, target, prepared.id)
  }

  /** Where a rename or link may put its name: `to`, or a conflict name when somebody else's is there. */
  async #freeTarget(operation: Rename | Link, seen: Seen): Promise<string> {
    const target = await this.#transaction.locate(operation.to)
    if (judgeTarget(operation, compareSeen(seen.target, target.entry)) === 'apply') return operation.to
    return this.#besides(operation.to)
  }

  async #apply(operation: Operation, place: Place, target: Place | undefined, id: FileId): Promise<void> {
    await this.#transaction.apply(operation, place, target, id)
    const made = ('id' in operation ? operation.id : undefined) ?? place.entry?.id ?? id
    if (this.#context.moves !== undefined && (bringsContent(operation) || operation.op === 'write')) this.#made.add(made)
    const record: CommitOperation = { op: operation.op, path: operation.path, id: made }
    this.#performed.tell('to' in operation ? { ...record, to: operation.to } : record)
  }

  /** When the rules of POSIX refuse it on the newer root (a directory that is not empty any more, say), the other's version stays. */
  async #applyOrYield(operation: Operation, place: Place, target: Place | undefined, id: FileId): Promise<void> {
    try {
      await this.#apply({ ...operation, ...(operation.expected === 'any' && 'replace' in operation && operation.replace !== false ? { replace: true } : {}) }, place, target, id)
    } catch (error) {
      const code = codeOf(error)
      const isRefusal = code === 'not-found' || code === 'conflict' || code === 'invalid'
      if (!isRefusal || this.#context.refusesConflicts) throw error
      this.#conflict(operation.path, operation.path)
    }
  }

  /** Operations that bring content make the directories they need; the others find nothing where a directory is gone. */
  #locateAnyhow(operation: Operation): Promise<Place> {
    return bringsContent(operation) ? this.#locateMaking(operation.path, attributesOf(operation)) : this.#transaction.locate(operation.path)
  }

  /** A directory on the way that has become something else gets a conflict name. */
  async #locateMaking(path: string, maker: ChosenAttributes): Promise<Place> {
    const place = await this.#transaction.locate(path, maker)
    if (place.fault === undefined) return place
    const beside = await this.#besides(place.fault.part)
    return this.#locateMaking(beside + path.slice(place.fault.part.length), maker)
  }

  /** A free name beside a path, told as a conflict; the batch's later operations on the path go there. */
  async #besides(path: string): Promise<string> {
    const { author, seq } = this.#context
    for (let count = 0; ; count += 1) {
      const candidate = childPath(parentPath(path) ?? '/', conflictName(baseName(path), author, seq, count))
      if ((await this.#transaction.locate(candidate)).found !== undefined) continue
      this.#redirects.set(path, candidate)
      this.#conflict(path, candidate)
      return candidate
    }
  }

  #conflict(path: string, keptAs: string): void {
    if (this.#context.refusesConflicts) throw new EdgemountError('stale', `Cannot change "${path}": another commit changed it meanwhile`)
    this.conflicts.push({ path, keptAs })
    this.#performed.tell({ op: 'conflict', path, to: keptAs })
  }

  #redirected(operation: Operation): Operation {
    if (this.#redirects.size === 0) return operation
    const path = this.#redirect(operation.path)
    return 'to' in operation ? { ...operation, path, to: this.#redirect(operation.to) } : { ...operation, path }
  }

  #redirect(path: string): string {
    let longest = ''
    for (const from of this.#redirects.keys()) if (from.length > longest.length && isWithin(path, from)) longest = from
    return longest === '' ? path : this.#redirects.get(longest)! + path.slice(longest.length)
  }

  /** What the caller said counts; what was seen when it said nothing. */
  async #compare(expected: Expectation | undefined, seen: Entry | undefined, actual: Entry | undefined): Promise<Ground> {
    if (expected === undefined || expected === 'any') return compareSeen(seen, actual)
    if (expected === 'absent' || actual === undefined) return { entry: actual, isSame: false, isExpected: expected === 'absent' && actual === undefined }
    const isSame = expected.id === undefined || expected.id === actual.id
    const isVersion = expected.version === undefined || expected.version === (await contentVersionOf(actual, this.#context.hash))
    return { entry: actual, isSame, isExpected: isSame && isVersion }
  }
}

/** A file with the content of a write, and otherwise as the file was that it was meant for. */
function remade(content: Create['content'], size: number, old: Entry | undefined, path: string): Create {
  if (old === undefined) return { op: 'create', path, content, size }
  const { mode, uid, gid, xattrs } = old
  return { op: 'create', path, content, size, mode, uid, gid, xattrs }
}

/** Who refuses conflicts named a place, and takes its answer for being about that place. */
function hasOtherPaths(operation: Operation | undefined, asked: Operation): boolean {
  if (operation === undefined || operation.path !== asked.path) return true
  return 'to' in operation && 'to' in asked && operation.to !== asked.to
}

function movedAway({ path }: Operation): EdgemountError {
  return new EdgemountError('stale', `Cannot change "${path}": another commit moved it meanwhile`)
}

function pastOf(moves: Moves | undefined): Past {
  return {
    inode: async (id) => moves?.base.inode(id),
    isElsewhere: async (id) => (await moves?.pathOf(id)) !== undefined,
  }
}

function bringsContent({ op }: Operation): boolean {
  return op === 'create' || op === 'mkdir' || op === 'symlink' || op === 'mknod'
}

function makesParents(operation: Operation): boolean {
  return 'parents' in operation && operation.parents === true
}

function attributesOf(operation: Operation): ChosenAttributes {
  return 'uid' in operation ? { uid: operation.uid, gid: operation.gid } : {}
}
