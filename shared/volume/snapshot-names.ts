/**
 * The names of a volume as one commit left them: everything that reads paths and directories, over verified pages. Immutable; any number may exist side by side.
 */
import { EdgemountError, messageOf } from '../error.ts'
import type { CommitRecord } from '../format/commit.ts'
import { decodeEntry } from '../format/entry-codec.ts'
import type { Entry, FileId, Root } from '../format/entry.ts'
import { inodeKey } from '../format/inode-key.ts'
import { findInTree, listTree } from '../format/tree-page.ts'
import { decodeName, encodeName } from '../name.ts'
import { checkName, childPath, isWithin, rootPath, splitPath } from '../path.ts'
import { treeRootOf } from './overlay.ts'
import { readPages } from './page-loop.ts'
import type { PageStore } from './page-store.ts'

/** As many symlinks as Linux follows in one path (path_resolution(7)). */
const symlinksMax = 40
const walkPageEntries = 1000

export interface NamedEntry {
  readonly name: string
  /** Whole, also for a file with several hard links. */
  readonly entry: Entry
}

export interface Listing {
  readonly items: readonly NamedEntry[]
  /** True when nothing comes after the last item. */
  readonly isLast: boolean
}

export interface ListRequest {
  /** Only names after this one. */
  readonly after?: string | undefined
  /** 1000 unless given. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface FollowOptions {
  readonly signal?: AbortSignal | undefined
  /** A canonical path that the way must not leave; the root unless given. */
  readonly within?: string | undefined
}

export class SnapshotNames {
  readonly record: CommitRecord
  readonly pages: PageStore

  constructor(record: CommitRecord, pages: PageStore) {
    this.record = record
    this.pages = pages
  }

  get seq(): number {
    return this.record.seq
  }

  get root(): Root {
    return this.record.root
  }

  /** What stands at a path; the last part and all before it are taken as they are, without following symlinks. Throws `not-found`. */
  async resolve(path: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Entry> {
    let entry = this.root.directory
    const names = splitPath(path)
    for (const [index, name] of names.entries()) {
      if (entry.kind !== 'directory') throw notFound(path, `"/${names.slice(0, index).join('/')}" is not a directory`)
      const found = await this.child(entry, name, options)
      if (found === undefined) throw notFound(path, index === names.length - 1 ? undefined : `"/${names.slice(0, index + 1).join('/')}" does not exist`)
      entry = found
    }
    return entry
  }

  /**
   * What a path leads to when symlinks are followed, within the volume. Throws `not-found` (also for a dangling link), `invalid` for a loop, and `denied`
   * where the way leaves `within`, before anything is looked up there: only that directory, what is in it and the directories above it are ever looked at.
   */
  async follow(path: string, options: FollowOptions = {}): Promise<{ readonly path: string; readonly entry: Entry }> {
    const { within = rootPath } = options
    const pending = splitPath(path).toReversed()
    const reached: { readonly name: string; readonly entry: Entry }[] = []
    let linkCount = 0
    const current = (): Entry => reached.at(-1)?.entry ?? this.root.directory
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue
      if (current().kind !== 'directory') throw notFound(path, `"/${reached.map((part) => part.name).join('/')}" is not a directory`)
      if (name === '..') {
        reached.pop()
        continue
      }
      if (within !== rootPath) checkStep(`/${[...reached.map((part) => part.name), name].join('/')}`, path, within)
      const entry = await this.child(current(), name, options)
      if (entry === undefined) throw notFound(path, linkCount > 0 ? `the symlink on the way leads to "${name}", which does not exist` : undefined)
      if (entry.content.kind !== 'target') {
        reached.push({ name, entry })
        continue
      }
      linkCount += 1
      if (linkCount > symlinksMax) throw new EdgemountError('invalid', `Cannot open "${path}": more than ${symlinksMax} symlinks on the way`)
      if (entry.content.target.startsWith('/')) reached.length = 0
      pending.push(...entry.content.target.split('/').toReversed())
    }
    return { path: `/${reached.map((part) => part.name).join('/')}`, entry: current() }
  }

  /** One name of a directory. */
  async child(directory: Entry, name: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Entry | undefined> {
    const { pointer } = treeRootOf(directory)
    const key = encodeName(name)
    const value = await readPages(this.pages, (source) => findInTree(pointer, key, source), options.signal)
    return value === undefined ? undefined : this.#whole(decodeEntry(value), options.signal)
  }

  /** Names of a directory, in byte order, a part at a time. Throws `invalid` for what is no directory, `corrupt` for a name that no file can have. */
  async list(directory: string | Entry, request: ListRequest = {}): Promise<Listing> {
    const entry = typeof directory === 'string' ? await this.resolve(directory, request) : directory
    const label = typeof directory === 'string' ? directory : `directory ${entry.id}`
    if (entry.kind !== 'directory') throw new EdgemountError('invalid', `Cannot list "${label}": it is a ${entry.kind}`)
    const { pointer } = treeRootOf(entry)
    const after = request.after === undefined ? undefined : encodeName(request.after)
    const limit = request.limit ?? walkPageEntries
    const listing = await readPages(this.pages, (source) => listTree(pointer, after, limit, source), request.signal)
    const items: NamedEntry[] = []
    for (const { key, value } of listing.items) items.push({ name: nameOf(key, label), entry: await this.#whole(decodeEntry(value), request.signal) })
    return { items, isLast: listing.done }
  }

  /** Everything at and below a path, directories before what is in them, names in byte order. */
  async *walk(path: string = rootPath, options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<{ path: string; entry: Entry }> {
    const top = await this.resolve(path, options)
    yield { path, entry: top }
    const open: { readonly path: string; readonly entries: AsyncGenerator<NamedEntry> }[] = []
    if (top.kind === 'directory') open.push({ path, entries: this.#entriesOf(top, options.signal) })
    for (let directory = open.at(-1); directory !== undefined; directory = open.at(-1)) {
      const next = await directory.entries.next()
      if (next.done === true) {
        open.pop()
        continue
      }
      const { name, entry } = next.value
      const entryPath = childPath(directory.path, name)
      yield { path: entryPath, entry }
      if (entry.kind === 'directory') open.push({ path: entryPath, entries: this.#entriesOf(entry, options.signal) })
    }
  }

  /** An inode of the inode tree. */
  async inode(id: FileId, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Entry | undefined> {
    const key = inodeKey(id)
    const value = await readPages(this.pages, (source) => findInTree(this.root.inodes, key, source), options.signal)
    return value === undefined ? undefined : decodeEntry(value)
  }

  async *#entriesOf(directory: Entry, signal: AbortSignal | undefined): AsyncGenerator<NamedEntry> {
    let after: string | undefined
    for (;;) {
      const listing = await this.list(directory, { after, signal })
      yield* listing.items
      if (listing.isLast) return
      after = listing.items.at(-1)!.name
    }
  }

  async #whole(entry: Entry, signal: AbortSignal | undefined): Promise<Entry> {
    if (entry.content.kind !== 'link') return entry
    const inode = await this.inode(entry.id, { signal })
    if (inode !== undefined) return inode
    throw new EdgemountError('corrupt', `Cannot find inode ${entry.id}: a name links to it, the inode tree does not have it`)
  }
}

/** A page's hash says that a writer made it, not that the writer was right: `..` in a listing would lead its readers elsewhere. */
function nameOf(key: Uint8Array, label: string): string {
  const name = decodeName(key)
  try {
    checkName(name)
  } catch (cause) {
    throw new EdgemountError('corrupt', `Cannot list "${label}": ${messageOf(cause)}`, { cause })
  }
  return name
}

/** Whether something is there, too, is told only to who may see it. */
function checkStep(step: string, path: string, within: string): void {
  if (isWithin(step, within) || isWithin(within, step)) return
  throw new EdgemountError('denied', `Cannot open "${path}": a symlink on the way leads out of "${within}"`)
}

function notFound(path: string, why = 'it does not exist'): EdgemountError {
  return new EdgemountError('not-found', `Cannot open "${path}": ${why}`)
}
