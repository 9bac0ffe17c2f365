/**
 * What operations do to a volume's tree, by the rules of POSIX: which entries they need and refuse, and whose times and link counts they move.
 *
 * Called with operations whose paths were located first, so that whoever decides about conflicts and whoever applies see the same entry.
 * Times are the commit's: applying an operation again to the same tree gives the same tree.
 */
import { EdgemountError } from '../error.ts'
import { linkEntry } from '../format/entry-codec.ts'
import type { Content, Entry, FileId, FileKind, Time } from '../format/entry.ts'
import { encodeName } from '../name.ts'
import { splitPath } from '../path.ts'
import type {
  ChosenAttributes,
  Create,
  Link,
  MakeDirectory,
  MakeNode,
  MakeSymlink,
  Operation,
  RemoveDirectory,
  Rename,
  SetAttributes,
  SetExtendedAttribute,
  Unlink,
  Write,
} from './operation.ts'
import { DirectoryNode, type Found, type Overlay } from './overlay.ts'
import { type Past, countName } from './restore.ts'

/** Where an operation points: a name in a directory, and what stands there. */
export interface Place {
  readonly path: string
  /** Undefined for the root, and when the directory does not exist. */
  readonly directory: DirectoryNode | undefined
  readonly name: string
  readonly found: Found | undefined
  /** The whole entry of what was found, also of a file with several names. */
  readonly entry: Entry | undefined
  /** Why there is no directory: the first part of the path that is missing or is no directory. */
  readonly fault: { readonly part: string; readonly isMissing: boolean } | undefined
}

type Making = Create | MakeDirectory | MakeSymlink | MakeNode

const defaultModes: Readonly<Record<Making['op'], number>> = { create: 0o644, mkdir: 0o755, symlink: 0o777, mknod: 0o644 }
const noXattrs: ReadonlyMap<string, Uint8Array> = new Map()

export class Transaction {
  readonly #overlay: Overlay
  readonly #now: Time
  readonly #newFileId: () => FileId
  /** Directories by path, so that a thousand files of one directory walk to it once. */
  readonly #directories = new Map<string, DirectoryNode>()

  constructor(overlay: Overlay, context: { readonly now: Time; readonly newFileId: () => FileId }) {
    this.#overlay = overlay
    this.#now = context.now
    this.#newFileId = context.newFileId
  }

  /** With `maker`, missing directories on the way are made, owned as the maker says. */
  async locate(path: string, maker?: ChosenAttributes): Promise<Place> {
    const slash = path.lastIndexOf('/')
    const known = slash > 0 ? this.#directories.get(path.slice(0, slash)) : undefined
    const names = splitPath(path)
    const name = names.at(-1)
    if (name === undefined) return placeOf(path, undefined, '', this.#overlay.root, this.#overlay.root.entry)
    const reached = known ?? (await this.#walk(names.slice(0, -1), maker))
    if (!(reached instanceof DirectoryNode)) return { path, directory: undefined, name, found: undefined, entry: undefined, fault: reached }
    if (slash > 0) this.#directories.set(path.slice(0, slash), reached)
    const found = await this.#overlay.find(reached, name)
    const entry = found === undefined || found instanceof DirectoryNode ? found?.entry : await this.#overlay.whole(found)
    return placeOf(path, reached, name, found, entry)
  }

  /** Applies an operation at places that `locate` gave with nothing applied in between. */
  async apply(operation: Operation, place: Place, target: Place | undefined, id: FileId): Promise<void> {
    switch (operation.op) {
      case 'create':
      case 'symlink':
      case 'mknod':
      case 'mkdir':
        return this.#make(operation, place, id)
      case 'write':
        return this.#write(operation, place)
      case 'setattr':
        return this.#setAttributes(operation, place)
      case 'setxattr':
        return this.#setExtendedAttribute(operation, place)
      case 'unlink':
        return this.#unlink(operation, place)
      case 'rmdir':
        return this.#removeDirectory(operation, place)
      case 'rename':
        return this.#rename(operation, place, target!)
      case 'link':
        return this.#link(operation, place, target!)
    }
  }

  /** The names of the directory at a place; none for what is no directory. */
  async namesIn(place: Place): Promise<readonly string[]> {
    return place.found instanceof DirectoryNode ? this.#overlay.names(place.found) : []
  }

  /**
   * Brings back what another commit removed: an entry of the older snapshot, in place of what is there, which is no directory. A directory
   * comes with all that its tree holds.
   */
  async restore(place: Place, entry: Entry, past: Past): Promise<void> {
    if (place.directory === undefined || place.found instanceof DirectoryNode) throw new EdgemountError('internal', `Cannot restore "${place.path}": a directory is there`)
    if (place.found !== undefined) await this.#dropName(place.found)
    const found = entry.kind === 'directory' ? new DirectoryNode(entry, undefined) : entry
    this.#overlay.put(place.directory, place.name, found, place.found)
    place.directory.touch(this.#now)
    if (found instanceof DirectoryNode) await this.#reconcile(found, past)
  }

  /** Names in a tree that comes back count as links again, and what lives on elsewhere under its id gets another id here. */
  async #reconcile(top: DirectoryNode, past: Past): Promise<void> {
    const pending = [top]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const name of await this.#overlay.names(directory)) {
        const found = await this.#overlay.find(directory, name)
        if (found instanceof DirectoryNode) {
          if (await past.isElsewhere(found.entry.id)) found.entry = { ...found.entry, id: this.#newFileId() }
          found.markDirty()
          pending.push(found)
        } else if (found?.content.kind === 'link') {
          await countName(this.#overlay, found.id, past)
        } else if (found !== undefined && (await past.isElsewhere(found.id))) {
          this.#overlay.put(directory, name, { ...found, id: this.#newFileId() }, found)
        }
      }
    }
  }

  async #walk(names: readonly string[], maker: ChosenAttributes | undefined): Promise<DirectoryNode | NonNullable<Place['fault']>> {
    let directory = this.#overlay.root
    for (const [index, name] of names.entries()) {
      let found = await this.#overlay.find(directory, name)
      if (found === undefined && maker !== undefined) {
        const { uid, gid } = maker
        found = new DirectoryNode(this.#newEntry('directory', { uid, gid }, 0o755, this.#newFileId(), emptyTree, 0), undefined)
        this.#overlay.put(directory, name, found, undefined)
        directory.touch(this.#now)
      }
      if (!(found instanceof DirectoryNode)) return { part: `/${names.slice(0, index + 1).join('/')}`, isMissing: found === undefined }
      directory = found
    }
    return directory
  }

  async #make(operation: Making, place: Place, id: FileId): Promise<void> {
    const { found, entry: old } = place
    if (operation.op === 'mkdir' && operation.parents === true && found instanceof DirectoryNode) return
    const directory = directoryOf(operation, place)
    if (found !== undefined && (operation.replace !== true || operation.op === 'mkdir')) throw refuse(operation, 'conflict', 'it exists already')
    if (found instanceof DirectoryNode) throw refuse(operation, 'conflict', 'a directory is there')
    const isRewrite = operation.op === 'create' && old?.kind === 'file'
    const keptId = isRewrite && found?.content.kind !== 'link' ? old.id : undefined
    if (found !== undefined) await this.#dropName(found)
    const chosen = isRewrite ? { mode: old.mode, uid: old.uid, gid: old.gid, xattrs: old.xattrs, ...given(operation) } : operation
    const { kind, content, size } = bodyOf(operation)
    const entry = this.#newEntry(kind, chosen, defaultModes[operation.op], operation.id ?? keptId ?? id, content, size)
    this.#overlay.put(directory, place.name, kind === 'directory' ? new DirectoryNode(entry, undefined) : entry, found)
    directory.touch(this.#now)
  }

  #newEntry(kind: FileKind, chosen: ChosenAttributes, defaultMode: number, id: FileId, content: Content, size: number): Entry {
    return {
      kind,
      id,
      mode: (chosen.mode ?? defaultMode) & 0o7777,
      uid: chosen.uid ?? 0,
      gid: chosen.gid ?? 0,
      mtime: chosen.mtime ?? this.#now,
      ctime: chosen.ctime ?? this.#now,
      atime: chosen.atime,
      size,
      linkCount: 1,
      xattrs: chosen.xattrs ?? noXattrs,
      content,
    }
  }

  #write(operation: Write, place: Place): void {
    const entry = entryOf(operation, place)
    if (entry.kind !== 'file') throw refuse(operation, 'invalid', `it is a ${entry.kind}`)
    const { content, size } = operation
    this.#change(place, { ...entry, content, size, mtime: operation.mtime ?? this.#now, ctime: this.#now })
  }

  #setAttributes(operation: SetAttributes, place: Place): void {
    const entry = entryOf(operation, place)
    const { mode = entry.mode, uid = entry.uid, gid = entry.gid, mtime = entry.mtime, ctime = this.#now, atime = entry.atime } = operation
    this.#change(place, { ...entry, mode: mode & 0o7777, uid, gid, mtime, ctime, atime })
  }

  #setExtendedAttribute(operation: SetExtendedAttribute, place: Place): void {
    const entry = entryOf(operation, place)
    const xattrs = new Map(entry.xattrs)
    if (operation.value !== undefined) xattrs.set(operation.name, operation.value)
    else if (!xattrs.delete(operation.name)) throw refuse(operation, 'not-found', `it has no attribute "${operation.name}"`)
    this.#change(place, { ...entry, xattrs, ctime: this.#now })
  }

  async #unlink(operation: Unlink, place: Place): Promise<void> {
    const directory = directoryOf(operation, place)
    if (place.found === undefined) throw refuse(operation, 'not-found', 'it does not exist')
    if (place.found instanceof DirectoryNode) throw refuse(operation, 'invalid', 'it is a directory')
    await this.#dropName(place.found)
    this.#overlay.remove(directory, place.name, place.found)
    directory.touch(this.#now)
  }

  async #removeDirectory(operation: RemoveDirectory, place: Place): Promise<void> {
    const directory = directoryOf(operation, place)
    if (place.found === undefined) throw refuse(operation, 'not-found', 'it does not exist')
    if (!(place.found instanceof DirectoryNode)) throw refuse(operation, 'invalid', 'it is not a directory')
    if (!place.found.isEmpty) {
      if (operation.recursive !== true) throw refuse(operation, 'conflict', 'the directory is not empty')
      if (this.#overlay.hasInodes) await this.#dropNamesBelow(place.found)
    }
    this.#directories.clear()
    this.#overlay.remove(directory, place.name, place.found)
    directory.touch(this.#now)
  }

  async #rename(operation: Rename, place: Place, target: Place): Promise<void> {
    const from = directoryOf(operation, place)
    const { found } = place
    if (found === undefined) throw refuse(operation, 'not-found', 'it does not exist')
    const to = directoryOf(operation, target)
    const replaced = target.found
    if (operation.path === operation.to || (replaced !== undefined && isSameInode(found, replaced))) return
    if (replaced !== undefined && operation.replace === false) throw refuse(operation, 'conflict', `"${operation.to}" exists already`)
    if (found instanceof DirectoryNode && to.isWithin(found)) throw refuse(operation, 'invalid', `"${operation.to}" lies inside it`)
    if (replaced instanceof DirectoryNode) {
      if (!(found instanceof DirectoryNode)) throw refuse(operation, 'invalid', `"${operation.to}" is a directory`)
      if (!replaced.isEmpty) throw refuse(operation, 'conflict', `the directory "${operation.to}" is not empty`)
    } else if (replaced !== undefined) {
      if (found instanceof DirectoryNode) throw refuse(operation, 'invalid', `"${operation.to}" is not a directory`)
      await this.#dropName(replaced)
    }
    if (found instanceof DirectoryNode) this.#directories.clear()
    this.#overlay.remove(from, place.name, found)
    this.#overlay.put(to, target.name, await this.#changedNow(found), replaced)
    from.touch(this.#now)
    to.touch(this.#now)
  }

  async #link(operation: Link, place: Place, target: Place): Promise<void> {
    const from = directoryOf(operation, place)
    const entry = entryOf(operation, place)
    const { found } = place
    if (found === undefined || found instanceof DirectoryNode) throw refuse(operation, 'invalid', 'it is a directory')
    const to = directoryOf(operation, target)
    const replaced = target.found
    if (replaced instanceof DirectoryNode) throw refuse(operation, 'conflict', `the directory "${operation.to}" is there`)
    if (replaced !== undefined) {
      if (operation.replace !== true) throw refuse(operation, 'conflict', `"${operation.to}" exists already`)
      if (operation.path === operation.to || isSameInode(found, replaced)) return
      await this.#dropName(replaced)
    }
    const name = linkEntry(entry.kind, entry.id)
    this.#overlay.setInode(entry.id, { ...entry, linkCount: entry.linkCount + 1, ctime: this.#now })
    if (found.content.kind !== 'link') this.#overlay.put(from, place.name, name, found)
    this.#overlay.put(to, target.name, name, replaced)
    to.touch(this.#now)
  }

  /** Stores new attributes or content of what was found, wherever its inode lives. */
  #change(place: Place, entry: Entry): void {
    const { found, directory } = place
    if (found instanceof DirectoryNode) {
      found.entry = entry
      found.markDirty()
    } else if (found!.content.kind === 'link') this.#overlay.setInode(entry.id, entry)
    else this.#overlay.put(directory!, place.name, entry, found)
  }

  /** A rename changes the ctime of what is renamed. */
  async #changedNow(found: Found): Promise<Found> {
    if (found instanceof DirectoryNode) {
      found.entry = { ...found.entry, ctime: this.#now }
      return found
    }
    if (found.content.kind !== 'link') return { ...found, ctime: this.#now }
    const inode = await this.#overlay.whole(found)
    this.#overlay.setInode(inode.id, { ...inode, ctime: this.#now })
    return found
  }

  /** One name less for a file that may have others. */
  async #dropName(found: Found): Promise<void> {
    if (found instanceof DirectoryNode || found.content.kind !== 'link') return
    const inode = await this.#overlay.whole(found)
    const isLast = inode.linkCount <= 1
    this.#overlay.setInode(inode.id, isLast ? null : { ...inode, linkCount: inode.linkCount - 1, ctime: this.#now })
  }

  async #dropNamesBelow(top: DirectoryNode): Promise<void> {
    const pending = [top]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const name of await this.#overlay.names(directory)) {
        const found = await this.#overlay.find(directory, name)
        if (found instanceof DirectoryNode) pending.push(found)
        else if (found !== undefined) await this.#dropName(found)
      }
    }
  }
}

const emptyTree: Content = { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } }
const emptyFile: Content = { kind: 'inline', bytes: new Uint8Array(0) }

function bodyOf(operation: Making): { kind: FileKind; content: Content; size: number } {
  switch (operation.op) {
    case 'create':
      return { kind: 'file', content: operation.content ?? emptyFile, size: operation.size ?? 0 }
    case 'mkdir':
      return { kind: 'directory', content: emptyTree, size: 0 }
    case 'symlink':
      return { kind: 'symlink', content: { kind: 'target', target: operation.target }, size: encodeName(operation.target).length }
    default: {
      const isDevice = operation.kind === 'character-device' || operation.kind === 'block-device'
      const content: Content = isDevice ? { kind: 'device', major: operation.major ?? 0, minor: operation.minor ?? 0 } : { kind: 'none' }
      return { kind: operation.kind, content, size: 0 }
    }
  }
}

/** The attributes that the caller gave, without those left undefined. */
function given(chosen: ChosenAttributes): ChosenAttributes {
  const names = ['mode', 'uid', 'gid', 'mtime', 'ctime', 'atime', 'xattrs'] as const
  return Object.fromEntries(names.filter((name) => chosen[name] !== undefined).map((name) => [name, chosen[name]]))
}

function isSameInode(a: Found, b: Found): boolean {
  if (a instanceof DirectoryNode || b instanceof DirectoryNode) return false
  return a.content.kind === 'link' && b.content.kind === 'link' && a.id === b.id
}

function placeOf(path: string, directory: DirectoryNode | undefined, name: string, found: Found | undefined, entry: Entry | undefined): Place {
  return { path, directory, name, found, entry, fault: undefined }
}

function directoryOf(operation: Operation, place: Place): DirectoryNode {
  if (place.directory !== undefined) return place.directory
  const { fault } = place
  if (fault === undefined) throw refuse(operation, 'invalid', 'it is the root')
  if (fault.isMissing) throw refuse(operation, 'not-found', `"${fault.part}" does not exist`)
  throw refuse(operation, 'invalid', `"${fault.part}" is not a directory`)
}

function entryOf(operation: Operation, place: Place): Entry {
  if (place.entry !== undefined) return place.entry
  if (place.fault !== undefined) directoryOf(operation, place)
  throw refuse(operation, 'not-found', 'it does not exist')
}

const verbs: Readonly<Record<Operation['op'], string>> = {
  create: 'create',
  write: 'write',
  mkdir: 'make the directory',
  symlink: 'make the symlink',
  mknod: 'make the node',
  rename: 'rename',
  link: 'link',
  unlink: 'remove',
  rmdir: 'remove the directory',
  setattr: 'change the attributes of',
  setxattr: 'change the attributes of',
}

function refuse(operation: Operation, code: 'not-found' | 'conflict' | 'invalid', why: string): EdgemountError {
  return new EdgemountError(code, `Cannot ${verbs[operation.op]} "${operation.path}": ${why}`)
}
