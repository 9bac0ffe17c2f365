/**
 * Checks the tree of a snapshot: pages and their order, entries, the counts of directories, the names of files that have several, and that no id is given
 * twice. Goes through it once, depth first; a second time only to find the names of what is wrong with ids.
 */
import { throwIfAborted } from '../abort.ts'
import { decodeEntry } from '../format/entry-codec.ts'
import type { Entry, FileId } from '../format/entry.ts'
import { idOfInodeKey } from '../format/inode-key.ts'
import { decodeName } from '../name.ts'
import { checkName, rootPath } from '../path.ts'
import { type CheckRun, type Finding, findingOf, tellProgress } from './finding.ts'
import { checkBody } from './check-body.ts'
import { leavesOf } from './check-pages.ts'
import { IdList, type IdCount } from './id-list.ts'
import { treeRootOf } from './overlay.ts'
import type { Snapshot } from './snapshot.ts'

/** Of so many wrong ids the names are looked for. */
const wrongIdsMax = 10_000

type Visit = (path: string, entry: Entry) => AsyncIterable<Finding> | Iterable<Finding>

interface OpenDirectory {
  readonly path: string
  readonly entry: Entry
  readonly leaves: ReturnType<typeof leavesOf>
  /** Directories of the leaf that was read last, still to be entered. */
  pending: { readonly path: string; readonly entry: Entry }[]
  entryCount: number
  directoryCount: number
  /** False when a part of it could not be read: what it counts is not known then. */
  isWhole: boolean
}

export class TreeCheck {
  readonly #run: CheckRun
  readonly #snapshot: Snapshot
  /** Of everything that does not stand in the inode tree. */
  readonly #ids = new IdList()
  /** One for each name that leads into the inode tree. */
  readonly #linkIds = new IdList()
  readonly #wrong = new Map<FileId, string>()
  #isWhole = true

  constructor(run: CheckRun, snapshot: Snapshot) {
    this.#run = run
    this.#snapshot = snapshot
  }

  async *check(): AsyncGenerator<Finding> {
    const { directory } = this.#snapshot.root
    this.#ids.add(directory.id)
    yield* this.#walk((path, entry) => this.#checkEntry(path, entry))
    yield* this.#checkInodes()
    for (const { id, count } of this.#ids.counted()) if (count > 1) this.#note(id, `its id ${id} is that of ${count} entries`)
    if (this.#wrong.size > 0) yield* this.#findWrong()
  }

  /** Every name, directories before what is in them. */
  async *#walk(visit: Visit): AsyncGenerator<Finding> {
    const { signal } = this.#run.options
    const open: OpenDirectory[] = [this.#openDirectory(rootPath, this.#snapshot.root.directory)]
    for (let directory = open.at(-1); directory !== undefined; directory = open.at(-1)) {
      const inner = directory.pending.pop()
      if (inner !== undefined) {
        open.push(this.#openDirectory(inner.path, inner.entry))
        continue
      }
      throwIfAborted(signal)
      const leaf = await directory.leaves.next()
      if (leaf.done === true) {
        yield* this.#closeDirectory(directory)
        open.pop()
      } else if ('why' in leaf.value) {
        directory.isWhole = false
        this.#isWhole = false
        yield leaf.value
      } else for (const item of leaf.value.items) yield* this.#visitItem(directory, item, visit)
      directory.pending.reverse()
    }
  }

  #openDirectory(path: string, entry: Entry): OpenDirectory {
    const { pointer } = treeRootOf(entry)
    const leaves = leavesOf(this.#run, pointer, path, 'directory')
    return { path, entry, leaves, pending: [], entryCount: 0, directoryCount: 0, isWhole: true }
  }

  async *#visitItem(
    directory: OpenDirectory,
    item: { readonly key: Uint8Array; readonly value: Uint8Array },
    visit: Visit,
  ): AsyncGenerator<Finding> {
    const name = decodeName(item.key)
    const path = `${directory.path === rootPath ? '' : directory.path}/${name}`
    directory.entryCount += 1
    try {
      checkName(name)
      const entry = decodeEntry(item.value)
      if (entry.kind === 'directory') {
        directory.directoryCount += 1
        directory.pending.push({ path, entry })
      }
      yield* visit(path, entry)
    } catch (error) {
      directory.isWhole = false
      yield findingOf(error, path, 'entry')
    }
  }

  /** By its own count, unless a part of it is lost. */
  *#closeDirectory({ path, entry, entryCount, directoryCount, isWhole }: OpenDirectory): Generator<Finding> {
    const root = treeRootOf(entry)
    const finding = { severity: 'error', path, what: 'directory' } as const
    if (!isWhole) return
    if (root.entryCount !== entryCount) yield { ...finding, why: `its entries are counted as ${root.entryCount}, and there are ${entryCount}` }
    if (root.directoryCount !== directoryCount) yield { ...finding, why: `the directories in it are counted as ${root.directoryCount}, and there are ${directoryCount}` }
  }

  async *#checkEntry(path: string, entry: Entry): AsyncGenerator<Finding> {
    const { counts } = this.#run
    counts.entryCount += 1
    if (counts.entryCount % 1000 === 0) tellProgress(this.#run)
    if (entry.content.kind === 'link') {
      this.#linkIds.add(entry.id)
      return
    }
    this.#ids.add(entry.id)
    if (entry.linkCount !== 1) yield { severity: 'error', path, what: entry.kind, why: `it has one name, and counts ${entry.linkCount}` }
    yield* checkBody(this.#run, path, entry)
  }

  /** The inode tree and the names that lead there, both in the order of ids. */
  async *#checkInodes(): AsyncGenerator<Finding> {
    const names = this.#linkIds.counted()[Symbol.iterator]()
    let next = nextOf(names)
    for await (const leaf of leavesOf(this.#run, this.#snapshot.root.inodes, 'inode tree', 'inode tree')) {
      if ('why' in leaf) {
        this.#isWhole = false
        yield leaf
        continue
      }
      for (const { key, value } of leaf.items) {
        const inode = this.#readInode(key, value)
        if ('why' in inode) {
          yield inode
          continue
        }
        for (; next !== undefined && next.id < inode.id; next = nextOf(names)) this.#noteLost(next)
        const count = next?.id === inode.id ? next.count : 0
        if (next?.id === inode.id) next = nextOf(names)
        yield* this.#checkInode(inode, count)
      }
    }
    for (; next !== undefined; next = nextOf(names)) this.#noteLost(next)
  }

  #readInode(key: Uint8Array, value: Uint8Array): Entry | Finding {
    let label = 'inode'
    try {
      const id = idOfInodeKey(key)
      label = `inode ${id}`
      const entry = decodeEntry(value)
      if (entry.id !== id) return { severity: 'error', path: label, what: 'inode', why: `it says that it is inode ${entry.id}` }
      if (entry.content.kind === 'link' || entry.content.kind === 'tree') {
        return { severity: 'error', path: label, what: 'inode', why: `a ${entry.kind} with content "${entry.content.kind}" cannot stand in the inode tree` }
      }
      return entry
    } catch (error) {
      return findingOf(error, label, 'inode')
    }
  }

  async *#checkInode(inode: Entry, nameCount: number): AsyncGenerator<Finding> {
    this.#ids.add(inode.id)
    if (nameCount === 0 && this.#isWhole) yield { severity: 'warning', path: `inode ${inode.id}`, what: inode.kind, why: 'no name leads to it' }
    else if (inode.linkCount !== nameCount && this.#isWhole) this.#note(inode.id, `it counts ${inode.linkCount} names, and has ${nameCount}`)
    yield* checkBody(this.#run, `inode ${inode.id}`, inode)
  }

  #noteLost({ id }: IdCount): void {
    this.#note(id, `the inode tree has no inode ${id}`)
  }

  #note(id: FileId, why: string): void {
    if (this.#wrong.size < wrongIdsMax) this.#wrong.set(id, why)
  }

  /** The same walk once more, for the names of ids that are wrong; what the first has found is not told again. */
  async *#findWrong(): AsyncGenerator<Finding> {
    const { directory } = this.#snapshot.root
    const found: Finding[] = []
    const look = (path: string, { id, kind }: Entry): void => {
      const why = this.#wrong.get(id)
      if (why !== undefined) found.push({ severity: 'error', path, what: kind, why })
    }
    look(rootPath, directory)
    const known = this.#walk((path, entry) => {
      look(path, entry)
      return []
    })
    for await (const finding of known) void finding
    yield* found
  }
}

function nextOf(counts: Iterator<IdCount>): IdCount | undefined {
  const step = counts.next()
  return step.done === true ? undefined : step.value
}
