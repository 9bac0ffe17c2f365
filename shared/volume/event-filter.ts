/**
 * The log as it is seen from below one path: which commits touch something at or below it, and what of their operations may be told to somebody who knows no other
 * names. The edge's events call it.
 *
 * INVARIANT: a change is never missed. Where a record does not tell enough (operations that are too many to read, damaged pages, a file with several names, which may
 * have one here) the commit is told as a `subtree` of the path: anything below it may have changed. Nothing outside the path is ever named.
 */
import { codeOf } from '../error.ts'
import type { CommitRecord } from '../format/commit.ts'
import { type CommitOperation, decodeOperations, inlineOperationsBytesMax } from '../format/commit-operation.ts'
import type { Pointer } from '../format/entry.ts'
import { isWithin } from '../path.ts'

/** 4 MiB of operations, about 40,000. A commit of more has probably something below any path. */
const pagesReadMax = 16

/** A commit, without what is not below the path: its message, its root, and the commit before it, whose hashes lead to everything. */
export interface FilteredEvent {
  readonly seq: number
  readonly time: number
  readonly author: string
  readonly operations: readonly CommitOperation[]
}

export interface EventFilterParts {
  /** Canonical. */
  readonly prefix: string
  readonly readRecord: (seq: number, signal: AbortSignal | undefined) => Promise<CommitRecord>
  readonly loadPage: (pointer: Pointer, signal: AbortSignal | undefined) => Promise<Uint8Array>
}

/**
 * What of an operation shows below `prefix`. Of a rename, link or conflict with one side outside only the inner side is told, as a `subtree`; so is what was done above,
 * since it may have taken or brought all of it. Attributes of a directory above change nothing here.
 */
export function operationWithin(operation: CommitOperation, prefix: string): CommitOperation | undefined {
  const { op, path, to } = operation
  const isAbove = (each: string): boolean => each !== prefix && isWithin(prefix, each)
  if (op !== 'setattr' && op !== 'setxattr' && (isAbove(path) || (to !== undefined && isAbove(to)))) return { op: 'subtree', path: prefix }
  const isPathWithin = isWithin(path, prefix)
  if (to === undefined) return isPathWithin ? operation : undefined
  const isToWithin = isWithin(to, prefix)
  if (isPathWithin && isToWithin) return operation
  return isPathWithin || isToWithin ? { op: 'subtree', path: isPathWithin ? path : to } : undefined
}

export class EventFilter {
  readonly #parts: EventFilterParts
  /** The record that was looked at last, for the one after it. */
  #previous: CommitRecord | undefined

  constructor(parts: EventFilterParts) {
    this.#parts = parts
  }

  /** The commit as it shows below the path; undefined when nothing there changed. Cheapest when records come in order. */
  async apply(record: CommitRecord, signal?: AbortSignal): Promise<FilteredEvent | undefined> {
    const told = new Told(this.#parts.prefix)
    if (await this.#isVague(record, signal)) told.all()
    for (const operation of record.operations) told.add(operation)
    const pages = record.operationPages ?? []
    if (pages.length > pagesReadMax) told.all()
    else for (const pointer of pages) await this.#addPage(told, pointer, signal)
    this.#previous = record
    const { seq, time, author } = record
    const { operations } = told
    return operations.length === 0 ? undefined : { seq, time, author, operations }
  }

  /** A file with several names is told by one of them; and who publishes a commit need not tell anything. */
  async #isVague(record: CommitRecord, signal: AbortSignal | undefined): Promise<boolean> {
    const { seq, root } = record
    if (seq === 1) return false
    const previous = this.#previous?.seq === seq - 1 ? this.#previous : await this.#parts.readRecord(seq - 1, signal)
    if (root.inodes?.hash !== previous.root.inodes?.hash) return true
    return record.operations.length === 0 && (record.operationPages ?? []).length === 0 && treeHashOf(record) !== treeHashOf(previous)
  }

  async #addPage(told: Told, pointer: Pointer, signal: AbortSignal | undefined): Promise<void> {
    try {
      for (const operation of decodeOperations(await this.#parts.loadPage(pointer, signal))) told.add(operation)
    } catch (error) {
      if (codeOf(error) !== 'corrupt') throw error
      told.all()
    }
  }
}

function treeHashOf({ root: { directory } }: CommitRecord): string | undefined {
  return directory.content.kind === 'tree' ? directory.content.root.pointer?.hash : undefined
}

/** What is told of one commit: no more than stands in a record, and one `subtree` of the whole path at most. */
class Told {
  readonly #prefix: string
  readonly #found: CommitOperation[] = []
  #length = 0
  #isAll = false

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get operations(): readonly CommitOperation[] {
    return this.#isAll ? [...this.#found, { op: 'subtree', path: this.#prefix }] : this.#found
  }

  /** Anything may have changed. */
  all(): void {
    this.#isAll = true
  }

  add(operation: CommitOperation): void {
    const shown = operationWithin(operation, this.#prefix)
    if (shown === undefined) return
    this.#length += JSON.stringify(shown).length
    if ((shown.op === 'subtree' && shown.path === this.#prefix) || this.#length > inlineOperationsBytesMax) this.all()
    else this.#found.push(shown)
  }
}
