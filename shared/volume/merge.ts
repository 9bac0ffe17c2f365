/**
 * What becomes of an operation whose ground has changed: the rules of conflict, as pure functions over what the operation expected and what is there.
 *
 * Two rules make all the others: operations that touch different things both happen, and no content is ever lost. An edit survives a deletion;
 * of two edits the one that came first keeps the name, the other one gets a name beside it.
 */
import { equalBytes } from '../bytes.ts'
import type { Content, Entry } from '../format/entry.ts'
import { encodeName, nameBytesMax } from '../name.ts'
import type { Operation } from './operation.ts'

export type Verdict =
  /** As it stands. */
  | 'apply'
  /** Nothing to do: the other commit did the same, or the thing is gone. */
  | 'skip'
  /** What the other commit made stays, this operation does not happen. */
  | 'yield'
  /** What was to be changed or moved is gone: it is made anew, with what this operation knows. */
  | 'make'
  /** Both are kept: this operation's result gets a conflict name. */
  | 'divert'

export interface Ground {
  /** What stands at the operation's path, and whether that is what it expected. */
  readonly entry: Entry | undefined
  readonly isExpected: boolean
  /** The same file or directory as expected, perhaps with other content. */
  readonly isSame: boolean
}

/** The verdict on the entry that an operation makes or changes (for a rename or link, on its source). */
export function judge(operation: Operation, ground: Ground): Verdict {
  const { entry, isExpected, isSame } = ground
  const isAny = operation.expected === 'any'
  switch (operation.op) {
    case 'create':
    case 'symlink':
    case 'mknod':
      if (entry === undefined || isExpected) return 'apply'
      if (isAny && entry.kind !== 'directory') return 'apply'
      return makesTheSame(operation, entry) ? 'skip' : 'divert'
    case 'mkdir':
      if (entry === undefined) return 'apply'
      return entry.kind === 'directory' ? 'skip' : 'divert'
    case 'write':
      if (entry === undefined) return 'make'
      if (entry.kind === 'file' && (isExpected || isAny)) return 'apply'
      return entry.kind === 'file' && isSameContent(entry.content, operation.content) ? 'skip' : 'divert'
    case 'unlink':
      if (entry === undefined) return 'skip'
      return entry.kind !== 'directory' && (isExpected || isAny) ? 'apply' : 'yield'
    case 'rmdir':
      if (entry === undefined) return 'skip'
      return entry.kind === 'directory' && (isSame || isAny) ? 'apply' : 'yield'
    case 'setattr':
    case 'setxattr':
      return entry === undefined ? 'skip' : 'apply'
    default: // a rename or a link
      return entry !== undefined && (isSame || isAny) ? 'apply' : 'make'
  }
}

/** The verdict on the place that a rename or link puts a name in. */
export function judgeTarget(operation: Operation, ground: Ground): 'apply' | 'divert' {
  const { entry, isExpected } = ground
  if (entry === undefined || isExpected) return 'apply'
  const isReplaced = !('replace' in operation && operation.replace === false)
  return operation.expected === 'any' && isReplaced && entry.kind !== 'directory' ? 'apply' : 'divert'
}

/** Is what is there what was seen before? Directories may change inside, files may change their attributes. */
export function compareSeen(seen: Entry | undefined, actual: Entry | undefined): Ground {
  const isSame = seen?.id === actual?.id && seen?.kind === actual?.kind
  const isExpected = isSame && (seen === undefined || isSameContent(seen.content, actual!.content))
  return { entry: actual, isSame, isExpected }
}

/** Equal by identity of content, without reading any; directories by being directories. */
export function isSameContent(a: Content, b: Content): boolean {
  if (a === b) return true
  if (a.kind === 'inline' && b.kind === 'inline') return equalBytes(a.bytes, b.bytes)
  if (a.kind === 'manifest' && b.kind === 'manifest') return a.root.contentId === b.root.contentId
  if (a.kind === 'target' && b.kind === 'target') return a.target === b.target
  if (a.kind === 'device' && b.kind === 'device') return a.major === b.major && a.minor === b.minor
  return a.kind === b.kind && (a.kind === 'tree' || a.kind === 'none')
}

/** The name beside `name` for the version of `author` that lost commit `seq`'s race; `count` tells further ones apart. Cut to NAME_MAX. */
export function conflictName(name: string, author: string, seq: number, count: number): string {
  const suffix = `${conflictMark(author)}${seq}${count === 0 ? '' : `-${count + 1}`}`
  return cutName(name, suffix.length) + suffix
}

/** What tells names that `conflictName` has given to versions of `name`: how all of them begin, and whether one of these is one. */
export function conflictNamesOf(name: string, author: string): { readonly stem: string; readonly isOne: (candidate: string) => boolean } {
  const mark = conflictMark(author)
  // The longest number of a commit and a counter.
  const stem = cutName(name, mark.length + 24)
  const isOne = (candidate: string): boolean => {
    const at = candidate.lastIndexOf(mark)
    return at >= stem.length && name.startsWith(candidate.slice(0, at)) && /^\d+(-\d+)?$/.test(candidate.slice(at + mark.length))
  }
  return { stem, isOne }
}

function conflictMark(author: string): string {
  return `.conflict-${author.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64)}-`
}

/** As much of a name as leaves room for so many bytes. */
function cutName(name: string, roomBytes: number): string {
  const characters = Array.from(name)
  while (encodeName(characters.join('')).length + roomBytes > nameBytesMax) characters.pop()
  return characters.join('')
}

function makesTheSame(operation: Operation, entry: Entry): boolean {
  if (operation.op === 'symlink') return entry.content.kind === 'target' && entry.content.target === operation.target
  if (operation.op === 'mknod') return false
  if (operation.op !== 'create' || entry.kind !== 'file') return false
  return operation.content === undefined ? entry.size === 0 : isSameContent(operation.content, entry.content)
}
