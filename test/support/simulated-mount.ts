/**
 * A mount as the engine sees it: a tree by ids that starts as a snapshot, is changed as programs change one, and gives the net difference as a change set.
 * As simple as it can be said, so that it can be the truth.
 */
import type { Content, Entry, FileId, FileKind, Time } from '../../shared/format/entry.ts'
import type { ChangeSet, NameChange, NodeChange, Place } from '../../shared/volume/change-set.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { utf8 } from './test-volume.ts'

/** A ring ends somewhere. */
const pathLengthMax = 100

export interface Body {
  readonly content: Content
  readonly size: number
}

type Names = Map<string, FileId>

export class SimulatedMount {
  /** The oldest snapshot that a change was made from. */
  readonly base: Snapshot
  readonly nodes: Map<FileId, Entry>
  readonly names: Map<FileId, Names>
  /** What each change was made from; what is not changed is as in the newest snapshot that the mount shows. */
  readonly #baseNodes: Map<FileId, Entry>
  readonly #baseNames: Map<FileId, Names>
  /** Where each directory was last. */
  readonly #known = new Map<FileId, Place>()
  /** Names that were changed, also back to what they were, or that say where a changed inode stands; as `directory/name`. */
  readonly #marks = new Set<string>()
  readonly #newFileId: () => FileId
  #seconds: number

  private constructor(base: Snapshot, nodes: Map<FileId, Entry>, names: Map<FileId, Names>, newFileId: () => FileId) {
    this.base = base
    this.nodes = nodes
    this.names = names
    this.#baseNodes = new Map(nodes)
    this.#baseNames = new Map(Array.from(names, ([id, each]) => [id, new Map(each)]))
    this.#newFileId = newFileId
    this.#seconds = base.seq * 1000
    this.#know(names)
  }

  static async of(base: Snapshot, newFileId: () => FileId): Promise<SimulatedMount> {
    const { nodes, names } = await readTree(base)
    return new SimulatedMount(base, nodes, names, newFileId)
  }

  /** A newer snapshot is shown: what is changed here stays as it is, and remembers what it was made from. */
  async show(snapshot: Snapshot): Promise<void> {
    const newer = await readTree(snapshot)
    this.#know(newer.names)
    for (const id of new Set([...newer.nodes.keys(), ...this.nodes.keys(), ...this.#baseNodes.keys()])) {
      if (this.nodes.get(id) !== this.#baseNodes.get(id)) continue
      setOrDelete(this.nodes, id, newer.nodes.get(id))
      setOrDelete(this.#baseNodes, id, newer.nodes.get(id))
    }
    for (const id of new Set([...newer.names.keys(), ...this.names.keys(), ...this.#baseNames.keys()])) {
      // What comes into a directory that we removed is not seen, and so not taken away.
      if (!this.nodes.has(id) && this.#baseNodes.has(id)) continue
      const now = this.names.get(id) ?? new Map<string, FileId>()
      const before = this.#baseNames.get(id) ?? new Map<string, FileId>()
      const next = newer.names.get(id)
      for (const name of new Set([...(next?.keys() ?? []), ...now.keys(), ...before.keys()])) {
        if (now.get(name) !== before.get(name) || this.#marks.has(`${id}/${name}`)) continue
        setOrDelete(now, name, next?.get(name))
        setOrDelete(before, name, next?.get(name))
      }
      if (this.nodes.has(id)) this.names.set(id, now)
      else this.names.delete(id)
      this.#baseNames.set(id, before)
    }
  }

  /** Undefined where there is nothing, as all of the following give false for what a program would be refused. */
  find(path: string): FileId | undefined {
    let id: FileId | undefined = this.base.root.directory.id
    for (const name of path.split('/').filter((part) => part !== '')) id = id === undefined ? undefined : this.names.get(id)?.get(name)
    return id !== undefined && this.nodes.has(id) ? id : undefined
  }

  make(path: string, kind: FileKind, body: Body = { content: emptyContent(kind), size: 0 }): boolean {
    const at = this.#parent(path)
    if (at === undefined || at.names.has(at.name)) return false
    const id = this.#newFileId()
    const now = this.#tick()
    const attributes = { mode: kind === 'directory' ? 0o755 : 0o644, uid: 0, gid: 0, mtime: now, ctime: now, linkCount: 1, xattrs: new Map<string, Uint8Array>() }
    this.nodes.set(id, { kind, id, ...attributes, ...body })
    if (kind === 'directory') this.names.set(id, new Map())
    this.#set(at, id, now)
    return true
  }

  write(path: string, body: Body): boolean {
    const entry = this.#entry(path)
    if (entry?.kind !== 'file') return false
    this.#mark(path)
    const now = this.#tick()
    this.nodes.set(entry.id, { ...entry, ...body, mtime: now, ctime: now })
    return true
  }

  setAttributes(path: string, change: Partial<Pick<Entry, 'mode' | 'uid' | 'mtime' | 'atime' | 'xattrs'>>): boolean {
    const entry = this.#entry(path)
    if (entry === undefined) return false
    this.#mark(path)
    this.nodes.set(entry.id, { ...entry, ...change, ctime: this.#tick() })
    return true
  }

  link(path: string, to: string): boolean {
    const entry = this.#entry(path)
    const at = this.#parent(to)
    if (entry === undefined || entry.kind === 'directory' || at === undefined || at.names.has(at.name)) return false
    this.#mark(path, true)
    const now = this.#tick()
    this.nodes.set(entry.id, { ...entry, linkCount: entry.linkCount + 1, ctime: now })
    this.#set(at, entry.id, now)
    return true
  }

  /** unlink(2) and rmdir(2). */
  remove(path: string): boolean {
    const at = this.#parent(path)
    const id = at?.names.get(at.name)
    if (at === undefined || id === undefined || !this.nodes.has(id) || (this.names.get(id)?.size ?? 0) > 0) return false
    const now = this.#tick()
    this.#drop(id, now)
    this.#set(at, undefined, now)
    return true
  }

  /** As `rm -r`. */
  removeAll(path: string): boolean {
    const id = path === '/' ? undefined : this.find(path)
    if (id === undefined || path.length > pathLengthMax) return false
    for (const name of Array.from(this.names.get(id)?.keys() ?? [])) this.removeAll(`${path}/${name}`)
    return this.remove(path)
  }

  /** rename(2). */
  rename(path: string, to: string): boolean {
    const from = this.#parent(path)
    const target = this.#parent(to)
    const id = from?.names.get(from.name)
    if (from === undefined || target === undefined || id === undefined || !this.nodes.has(id) || this.#isWithin(target.directoryId, id)) return false
    const replaced = target.names.get(target.name)
    if (replaced === id || (replaced !== undefined && !this.nodes.has(replaced))) return false
    if (replaced !== undefined && (this.names.has(replaced) !== this.names.has(id) || (this.names.get(replaced)?.size ?? 0) > 0)) return false
    const now = this.#tick()
    if (replaced !== undefined) this.#drop(replaced, now)
    this.#set(from, undefined, now)
    this.#set(target, id, now)
    this.#changeTime(id, now)
    return true
  }

  /** renameat2(2) with RENAME_EXCHANGE. */
  exchange(path: string, other: string): boolean {
    const from = this.#parent(path)
    const to = this.#parent(other)
    const a = from?.names.get(from.name)
    const b = to?.names.get(to.name)
    if (from === undefined || to === undefined || a === undefined || b === undefined || a === b) return false
    if (!this.nodes.has(a) || !this.nodes.has(b)) return false
    if (this.#isWithin(to.directoryId, a) || this.#isWithin(from.directoryId, b)) return false
    const now = this.#tick()
    this.#set(from, b, now)
    this.#set(to, a, now)
    this.#changeTime(a, now)
    this.#changeTime(b, now)
    return true
  }

  changeSet(): ChangeSet {
    const nodes: NodeChange[] = []
    for (const id of new Set([...this.#baseNodes.keys(), ...this.nodes.keys()])) {
      const before = this.#baseNodes.get(id)
      const after = this.nodes.get(id)
      if (before !== after) nodes.push({ id, before, after })
    }
    const changes = this.#nameChanges()
    const wanted = [...changes.flatMap(({ directoryId, before, after }) => [directoryId, before, after]), ...nodes.map(({ id }) => id)]
    return { names: changes, nodes, places: this.#places(wanted) }
  }

  /** All that can be seen, a line each, in the order of paths. */
  lines(): string[] {
    const lines: string[] = []
    const above = new Set<FileId>()
    const visit = (id: FileId, path: string): void => {
      // Until it is merged, what we removed and others moved leads nowhere, and what both moved may lead round in a ring.
      if (!this.nodes.has(id) || above.has(id)) return
      above.add(id)
      const names = this.names.get(id)
      const directoryCount = Array.from(names?.values() ?? []).filter((each) => this.names.has(each)).length
      lines.push(lineOf(path, this.nodes.get(id)!, names === undefined ? undefined : { entryCount: names.size, directoryCount }))
      for (const [name, child] of [...(names ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1))) visit(child, path === '/' ? `/${name}` : `${path}/${name}`)
      above.delete(id)
    }
    visit(this.base.root.directory.id, '/')
    return lines
  }

  /** Every change of a name; with those that say where a changed inode stands. */
  #nameChanges(): NameChange[] {
    const changes: NameChange[] = []
    for (const id of new Set([...this.#baseNames.keys(), ...this.names.keys()])) {
      const before = this.#baseNames.get(id) ?? new Map<string, FileId>()
      const after = this.names.get(id) ?? new Map<string, FileId>()
      for (const name of new Set([...before.keys(), ...after.keys()])) {
        const change = { directoryId: id, name, before: before.get(name), after: after.get(name) }
        if (change.before !== change.after || (change.before !== undefined && this.#marks.has(`${id}/${name}`))) changes.push(change)
      }
    }
    return changes
  }

  #know(directories: ReadonlyMap<FileId, Names>): void {
    for (const [parentId, names] of directories) for (const [name, id] of names) if (directories.has(id)) this.#known.set(id, { id, parentId, name })
  }

  #places(ids: readonly (FileId | undefined)[]): Place[] {
    const places = new Map<FileId, Place>()
    for (const id of ids) {
      for (let place = this.#known.get(id!); place !== undefined && !places.has(place.id); place = this.#known.get(place.parentId)) places.set(place.id, place)
    }
    return [...places.values()]
  }

  #parent(path: string): { readonly directoryId: FileId; readonly names: Names; readonly name: string } | undefined {
    const slash = path.lastIndexOf('/')
    const directoryId = this.find(path.slice(0, slash))
    const names = directoryId === undefined ? undefined : this.names.get(directoryId)
    return path === '/' || names === undefined ? undefined : { directoryId: directoryId!, names, name: path.slice(slash + 1) }
  }

  /** The first change of an inode that is no directory comes with the name through which it was changed, and so does a link. */
  #mark(path: string, isLinked = false): void {
    const at = this.#parent(path)
    const id = at?.names.get(at.name)
    if (at === undefined || id === undefined || this.names.has(id)) return
    if (isLinked || this.nodes.get(id) === this.#baseNodes.get(id)) this.#marks.add(`${at.directoryId}/${at.name}`)
  }

  #entry(path: string): Entry | undefined {
    const id = this.find(path)
    return id === undefined ? undefined : this.nodes.get(id)
  }

  #set(at: { readonly directoryId: FileId; readonly names: Names; readonly name: string }, id: FileId | undefined, now: Time): void {
    this.#marks.add(`${at.directoryId}/${at.name}`)
    if (id === undefined) at.names.delete(at.name)
    else at.names.set(at.name, id)
    this.nodes.set(at.directoryId, { ...this.nodes.get(at.directoryId)!, mtime: now, ctime: now })
  }

  #drop(id: FileId, now: Time): void {
    const entry = this.nodes.get(id)!
    if (entry.kind === 'directory' || entry.linkCount === 1) {
      this.nodes.delete(id)
      this.names.delete(id)
    } else this.nodes.set(id, { ...entry, linkCount: entry.linkCount - 1, ctime: now })
  }

  #changeTime(id: FileId, now: Time): void {
    this.nodes.set(id, { ...this.nodes.get(id)!, ctime: now })
  }

  #isWithin(id: FileId, ancestor: FileId, seen = new Set<FileId>()): boolean {
    if (id === ancestor) return true
    seen.add(ancestor)
    return Array.from(this.names.get(ancestor)?.values() ?? []).some((child) => this.names.has(child) && !seen.has(child) && this.#isWithin(id, child, seen))
  }

  #tick(): Time {
    this.#seconds += 1
    return { seconds: this.#seconds, nanoseconds: 5 }
  }
}

async function readTree(snapshot: Snapshot): Promise<{ readonly nodes: Map<FileId, Entry>; readonly names: Map<FileId, Names> }> {
  const root = snapshot.root.directory
  const nodes = new Map<FileId, Entry>([[root.id, root]])
  const names = new Map<FileId, Names>()
  const pending = [root]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const here: Names = new Map()
    for (const { name, entry } of (await snapshot.list(directory, { limit: 100_000 })).items) {
      here.set(name, entry.id)
      nodes.set(entry.id, entry)
      if (entry.kind === 'directory') pending.push(entry)
    }
    names.set(directory.id, here)
  }
  return { nodes, names }
}

function setOrDelete<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

export function inlineBody(text: string): Body {
  return { content: { kind: 'inline', bytes: utf8(text) }, size: utf8(text).length }
}

/** The lines that a simulated mount gives, of a snapshot. */
export async function mountLines(snapshot: Snapshot): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, entry } of snapshot.walk()) {
    lines.push(lineOf(path, entry, entry.content.kind === 'tree' ? entry.content.root : undefined))
  }
  return lines
}

function lineOf(path: string, entry: Entry, counts: { readonly entryCount: number; readonly directoryCount: number } | undefined): string {
  const { kind, id, mode, uid, mtime, ctime, atime = mtime, size, linkCount, content } = entry
  const xattrs = Array.from(entry.xattrs, ([name, value]) => `${name}=${new TextDecoder().decode(value)}`).toSorted().join()
  const times = [mtime, ctime, atime].map(({ seconds, nanoseconds }) => `${seconds}.${nanoseconds}`).join(' ')
  const text =
    counts !== undefined
      ? `${counts.entryCount} entries ${counts.directoryCount} directories`
      : content.kind === 'inline'
        ? new TextDecoder().decode(content.bytes)
        : content.kind === 'manifest'
          ? content.root.contentId
          : content.kind === 'target'
            ? content.target
            : content.kind
  return `${path} ${kind} ${id} ${mode.toString(8)} ${uid} ${times} ${size} ${linkCount} [${xattrs}] ${text}`
}

function emptyContent(kind: FileKind): Content {
  if (kind === 'directory') return { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } }
  if (kind === 'symlink') return { kind: 'target', target: '' }
  return kind === 'file' ? { kind: 'inline', bytes: new Uint8Array(0) } : { kind: 'none' }
}
