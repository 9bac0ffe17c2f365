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
import type { ChosenAttributes, Conflict, Create, Expectation, Link, Operation, Rename } from './operation.ts'
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
  /** Refuse with `stale` what is not as the caller said, instead of keeping both. */
  readonly refusesConflicts: boolean
}

const nothingSeen: Seen = { entry: undefined, target: undefined }

export class Replay {
  readonly #transaction: Transaction
  readonly #context: ReplayContext
  /** Where the batch's own paths have gone: conflict names. */
  readonly #redirects = new Map<string, string>()
  readonly performed: CommitOperation[] = []
  readonly conflicts: Conflict[] = []

  constructor(transaction: Transaction, context: ReplayContext) {
    this.#transaction = transaction
    this.#context = context
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

  async #merge(operation: Operation, prepared: Prepared, seen: Seen): Promise<void> {
    const place = await this.#locateAnyhow(operation)
    const ground = await this.#compare(operation.expected, seen.entry, place.entry)
    const verdict = judge(operation, ground)
    if (this.#context.refusesConflicts && verdict !== 'apply' && verdict !== 'skip') {
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
        return 'to' in operation ? this.#applyToTarget(operation, prepared, seen) : this.#applyOrYield(operation, place, undefined, prepared.id)
    }
  }

  /** Ours gets a name beside the one that is taken, and later operations of the batch on that path go there. */
  async #divert(operation: Operation, prepared: Prepared, seen: Seen): Promise<void> {
    const path = await this.#conflictPath(operation.path)
    this.#redirects.set(operation.path, path)
    this.#conflict(operation.path, path)
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
    const to = await this.#freeTarget(operation, seen)
    const target = await this.#locateMaking(to, attributesOf(operation))
    const isAlive = place.entry !== undefined || seen.entry.linkCount > 1
    const entry = seen.entry.kind === 'directory' || !isAlive ? seen.entry : { ...seen.entry, id: prepared.id, linkCount: 1 }
    this.#transaction.restore(target, { ...entry, linkCount: 1 })
    this.performed.push({ op: 'create', path: to, id: entry.id })
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
    const path = await this.#conflictPath(operation.to)
    this.#redirects.set(operation.to, path)
    this.#conflict(operation.to, path)
    return path
  }

  async #apply(operation: Operation, place: Place, target: Place | undefined, id: FileId): Promise<void> {
    await this.#transaction.apply(operation, place, target, id)
    const record: CommitOperation = { op: operation.op, path: operation.path, id: place.entry?.id ?? ('id' in operation ? operation.id : undefined) ?? id }
    this.performed.push('to' in operation ? { ...record, to: operation.to } : record)
  }

  /** When the rules of POSIX refuse it on the newer root (a directory that is not empty any more, say), the other's version stays. */
  async #applyOrYield(operation: Operation, place: Place, target: Place | undefined, id: FileId): Promise<void> {
    try {
      await this.#apply({ ...operation, ...(operation.expected === 'any' && 'replace' in operation ? { replace: true } : {}) }, place, target, id)
    } catch (error) {
      const code = codeOf(error)
      const isRefusal = code === 'not-found' || code === 'conflict' || code === 'invalid'
      if (!isRefusal || this.#context.refusesConflicts) throw error
      this.#conflict(operation.path, operation.path)
    }
  }

  /** Operations that bring content make the directories they need; the others find nothing where a directory is gone. */
  #locateAnyhow(operation: Operation): Promise<Place> {
    const bringsContent = operation.op === 'create' || operation.op === 'mkdir' || operation.op === 'symlink' || operation.op === 'mknod'
    return bringsContent ? this.#locateMaking(operation.path, attributesOf(operation)) : this.#transaction.locate(operation.path)
  }

  /** A directory on the way that has become something else gets a conflict name. */
  async #locateMaking(path: string, maker: ChosenAttributes): Promise<Place> {
    const place = await this.#transaction.locate(path, maker)
    if (place.fault === undefined) return place
    const beside = await this.#conflictPath(place.fault.part)
    this.#redirects.set(place.fault.part, beside)
    this.#conflict(place.fault.part, beside)
    return this.#locateMaking(beside + path.slice(place.fault.part.length), maker)
  }

  async #conflictPath(path: string): Promise<string> {
    const { author, seq } = this.#context
    for (let count = 0; ; count += 1) {
      const candidate = childPath(parentPath(path) ?? '/', conflictName(baseName(path), author, seq, count))
      if ((await this.#transaction.locate(candidate)).found === undefined) return candidate
    }
  }

  #conflict(path: string, keptAs: string): void {
    this.conflicts.push({ path, keptAs })
    this.performed.push({ op: 'conflict', path, to: keptAs })
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

function makesParents(operation: Operation): boolean {
  return 'parents' in operation && operation.parents === true
}

function attributesOf(operation: Operation): ChosenAttributes {
  return 'uid' in operation ? { uid: operation.uid, gid: operation.gid } : {}
}
