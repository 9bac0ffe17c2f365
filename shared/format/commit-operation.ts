/**
 * The operations that a commit record tells: the event feed. Coarse on purpose, since what exactly changed is the difference of two trees.
 *
 * Few operations stand in the record; more in pages of the commit's metadata pack; and beyond `operationsMax` one `subtree` event says
 * where to look.
 */
import { EdgemountError } from '../error.ts'
import { joinPath, splitPath } from '../path.ts'
import { type FileId, isFileId } from './entry.ts'
import { JsonFields, parseJson, printJson } from './json-fields.ts'

export const commitOperationNames = [
  'create',
  'write',
  'mkdir',
  'rename',
  'unlink',
  'rmdir',
  'symlink',
  'link',
  'setattr',
  'setxattr',
  'mknod',
  'conflict', // two commits changed `path`: one version was kept as `to`
  'subtree', // anything below `path` may have changed
] as const

export interface CommitOperation {
  readonly op: (typeof commitOperationNames)[number]
  /** Canonical volume path. */
  readonly path: string
  /** The other path of a rename, link or conflict. */
  readonly to?: string | undefined
  readonly id?: FileId | undefined
}

/** Up to so many bytes of JSON stand in the record, which every follower reads whole. */
export const inlineOperationsBytesMax = 64 * 1024
/** A page of operations is as long as the segment that readers of metadata packs fetch at once. */
export const operationPageBytesMax = 256 * 1024
/** Beyond this a follower is faster by comparing trees. */
export const operationsMax = 100_000

/** Pages that a record names at most: room for `operationsMax` operations of two long paths; bounds what a record can make a reader fetch. */
export const operationPagesMax = 1024

/** One operation is at most two paths; longer ones (PATH_MAX bytes as \u escapes) do not pay. */
const pathUnitsMax = 65_536

export type OperationPlan = { readonly inline: readonly CommitOperation[] } | { readonly pages: readonly Uint8Array[] }

/** Where a commit's operations go, and the bytes of their pages. What does not fit into the record's pages is told as one `subtree`. */
export function planOperations(operations: readonly CommitOperation[]): OperationPlan {
  const ends = operations.length > operationsMax ? undefined : pageEndsOf(operations)
  if (ends === undefined) return { inline: [{ op: 'subtree', path: commonPath(operations) }] }
  if (ends === 'inline') return { inline: operations }
  return { pages: ends.map((end, index) => encodeOperations(operations.slice(ends[index - 1] ?? 0, end))) }
}

/** Where each page ends, `inline` for operations that need none, undefined when there are too many pages or one operation is too long. */
function pageEndsOf(operations: readonly CommitOperation[]): readonly number[] | 'inline' | undefined {
  const ends: number[] = []
  let length = 2
  for (const [index, operation] of operations.entries()) {
    if (operation.path.length > pathUnitsMax || (operation.to ?? '').length > pathUnitsMax) return undefined
    const added = printJson(orderKeys(operation)).length + 1
    if (length + added > operationPageBytesMax) {
      ends.push(index)
      length = 2
      if (ends.length === operationPagesMax || length + added > operationPageBytesMax) return undefined
    }
    length += added
  }
  if (ends.length === 0 && length <= inlineOperationsBytesMax) return 'inline'
  return [...ends, operations.length]
}

/** A page of operations: a JSON array. */
export function encodeOperations(operations: readonly CommitOperation[]): Uint8Array {
  return printJson(operations.map(orderKeys))
}

export function decodeOperations(bytes: Uint8Array): readonly CommitOperation[] {
  const value = parseJson(bytes, operationPageBytesMax, 'page of operations')
  if (!Array.isArray(value)) throw new EdgemountError('corrupt', 'Cannot read a page of operations: it is not a list')
  return value.map(readOperation)
}

/** Fixed key order, nothing undefined. */
export function orderKeys({ op, path, to, id }: CommitOperation): object {
  return { op, path, ...(to === undefined ? {} : { to }), ...(id === undefined ? {} : { id }) }
}

export function readOperation(value: unknown): CommitOperation {
  const fields: JsonFields = new JsonFields(value, 'logged operation')
  const name = fields.string('op', 1, 16)
  const op = commitOperationNames.find((known) => known === name)
  if (op === undefined) fields.fail(`"${name}" is none`)
  const path = readPath(fields, 'path')
  const to = fields.has('to') ? readPath(fields, 'to') : undefined
  const id = fields.has('id') ? readId(fields) : undefined
  fields.end()
  return { op, path, ...(to === undefined ? {} : { to }), ...(id === undefined ? {} : { id }) }
}

function readId(fields: JsonFields): FileId {
  const id = fields.integer('id', 0)
  return isFileId(id) ? id : fields.fail(`${id} is no file id`)
}

function readPath(fields: JsonFields, name: string): string {
  const path = fields.string(name, 1, pathUnitsMax)
  try {
    splitPath(path)
  } catch {
    fields.fail(`its ${name} is no path of a volume`)
  }
  return path
}

/** The deepest directory that has all the operations' paths below it. */
function commonPath(operations: readonly CommitOperation[]): string {
  let common: readonly string[] | undefined
  for (const { path, to } of operations) {
    for (const each of to === undefined ? [path] : [path, to]) {
      const names = splitPath(each).slice(0, -1)
      const shared: readonly string[] = common ?? names
      let length = 0
      while (length < shared.length && shared[length] === names[length]) length += 1
      common = shared.slice(0, length)
      if (length === 0) return '/'
    }
  }
  return joinPath(common ?? [])
}
