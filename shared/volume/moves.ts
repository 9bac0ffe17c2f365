/**
 * Where things went between two snapshots: asked when an operation does not find what it was made for, because another commit renamed it or a
 * directory above it.
 */
import { decodeEntry } from '../format/entry-codec.ts'
import type { Entry, FileId } from '../format/entry.ts'
import { diffTrees } from '../format/tree-diff.ts'
import { decodeName } from '../name.ts'
import { childPath, joinPath, rootPath, splitPath } from '../path.ts'
import { treeRootOf } from './overlay.ts'
import type { Snapshot } from './snapshot.ts'

/** With more changes than this nothing is looked for: what is missing counts as deleted, and is kept as such. */
const changesMax = 100_000

export class Moves {
  readonly base: Snapshot
  readonly #head: Snapshot
  /** Undefined: too many. Read once, when first asked for. */
  #found: Promise<FoundMoves | undefined> | undefined

  constructor(base: Snapshot, head: Snapshot) {
    this.base = base
    this.#head = head
  }

  get hasChangedInodes(): boolean {
    return this.base.root.inodes?.hash !== this.#head.root.inodes?.hash
  }

  /** The file or directory stands under this path now, and under another one before. */
  async pathOf(id: FileId): Promise<string | undefined> {
    return (await this.#read())?.paths.get(id)
  }

  /** A directory as the older snapshot has it, under a name that does not lead to it now. */
  async directoryBefore(id: FileId): Promise<Entry | undefined> {
    return (await this.#read())?.gone.get(id)
  }

  /** False when too much changed to look for anything: what is not found may be there. */
  async isComplete(): Promise<boolean> {
    return (await this.#read()) !== undefined
  }

  /** The path as it is now that a directory on the way was renamed; undefined when none was. */
  async relocate(path: string): Promise<string | undefined> {
    const paths = (await this.#read())?.paths
    if (paths === undefined || paths.size === 0) return undefined
    const names = splitPath(path)
    let best: string | undefined
    let entry = this.base.root.directory
    for (let depth = 1; depth < names.length; depth += 1) {
      const found = await this.base.child(entry, names[depth - 1]!)
      if (found === undefined || found.kind !== 'directory') break
      entry = found
      const moved = paths.get(found.id)
      if (moved !== undefined) best = joinPath([...splitPath(moved), ...names.slice(depth)])
    }
    return best
  }

  #read(): Promise<FoundMoves | undefined> {
    this.#found ??= readMoves(this.base, this.#head)
    return this.#found
  }
}

/**
 * Where things went since any of the snapshots that changes were made from. What was moved and moved back in between is found from the newest of them,
 * which knows where directories were last.
 */
export class Whereabouts {
  readonly #moves: readonly Moves[]
  readonly #isOneBase: boolean

  /** `oldest` and `shown` may be the same snapshot. */
  constructor(oldest: Snapshot, shown: Snapshot, head: Snapshot) {
    this.#isOneBase = shown.seq === oldest.seq
    const bases = this.#isOneBase ? [oldest] : [oldest, shown]
    this.#moves = bases.filter(({ seq }) => seq !== head.seq).map((base) => new Moves(base, head))
  }

  async pathOf(id: FileId): Promise<string | undefined> {
    for (const moves of this.#moves.toReversed()) {
      const path = await moves.pathOf(id)
      if (path !== undefined) return path
    }
    return undefined
  }

  /** See `Moves`. */
  async directoryBefore(id: FileId): Promise<Entry | undefined> {
    for (const moves of this.#moves.toReversed()) {
      const entry = await moves.directoryBefore(id)
      if (entry !== undefined) return entry
    }
    return undefined
  }

  /** False when too much changed to look for anything. */
  async isKnown(): Promise<boolean> {
    for (const moves of this.#moves) if (!(await moves.isComplete())) return false
    return true
  }

  /** False when what is not found may yet be there: between two bases it may have come and gone. */
  async isExact(): Promise<boolean> {
    return this.#isOneBase && this.isKnown()
  }
}

interface FoundMoves {
  /** Paths of what the newer snapshot has under a name that had something else before. */
  readonly paths: ReadonlyMap<FileId, string>
  /** Directories that the older snapshot has under a name that has something else now. */
  readonly gone: ReadonlyMap<FileId, Entry>
}

/** A directory of the newer snapshot, and the same one (or none) of the older. */
interface Pair {
  readonly path: string
  readonly before: Entry | undefined
  readonly after: Entry
}

/**
 * Directories are compared with themselves, wherever they went; those that are new are read whole, because what was renamed may be in them. So
 * the cost is what changed, and what is in new directories.
 */
async function readMoves(base: Snapshot, head: Snapshot): Promise<FoundMoves | undefined> {
  const paths = new Map<FileId, string>()
  const gone = new Map<FileId, Entry>()
  const added: Pair[] = []
  const pending: Pair[] = [{ path: rootPath, before: base.root.directory, after: head.root.directory }]
  let count = 0
  for (;;) {
    const pair = pending.pop() ?? pairUp(added.pop(), gone)
    if (pair === undefined) return { paths, gone }
    const from = pair.before === undefined ? undefined : treeRootOf(pair.before).pointer
    for await (const difference of diffTrees(from, treeRootOf(pair.after).pointer, (pointer) => head.pages.load(pointer))) {
      count += 1
      if (count > changesMax) return undefined
      const before = difference.before === undefined ? undefined : decodeEntry(difference.before)
      const after = difference.after === undefined ? undefined : decodeEntry(difference.after)
      if (before?.kind === 'directory' && before.id !== after?.id) gone.set(before.id, before)
      if (after === undefined) continue
      const path = childPath(pair.path, decodeName(difference.key))
      if (after.id !== before?.id) paths.set(after.id, path)
      if (after.kind !== 'directory') continue
      if (after.id === before?.id) pending.push({ path, before, after })
      else added.push({ path, before: undefined, after })
    }
  }
}

function pairUp(added: Pair | undefined, gone: ReadonlyMap<FileId, Entry>): Pair | undefined {
  return added === undefined ? undefined : { ...added, before: gone.get(added.after.id) }
}
