/**
 * A directory of a volume onto the local disk, with everything in it: modes, times, links, holes, and as far as whoever calls may set them, owners and extended
 * attributes. What cannot be copied is told, and does not stop the others.
 *
 * Done again it goes on where it was: a file that is there with its size and time is not read. What is in the folder besides stays.
 */
import { chmodSync, type BigIntStats, lchownSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { errno } from '../../shared/errno.ts'
import { codeOf, EdgemountError, type ErrorCode, messageOf } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { failure } from '../sys/failure.ts'
import { makeNode, setTimes, setXattr } from '../sys/file-making.ts'
import { Jobs } from '../upload/jobs.ts'
import { timeOf } from '../upload/local-entry.ts'
import { diskPath, joinLocal, type LocalPath, localPathOf, nameOf, pathBytes } from '../upload/local-path.ts'
import { Turns } from '../upload/turns.ts'
import { besides, saveFile } from './save-file.ts'

export interface CopyOutParts {
  readonly snapshot: Snapshot
  /** A directory of the snapshot. */
  readonly from: string
  /** What it becomes; it may be there. */
  readonly to: LocalPath
  readonly jobCount: number
  /** Files belong to whom they belong in the volume. */
  readonly keepsOwners: boolean
  /** Milliseconds that only grow. */
  readonly now: () => number
  readonly signal: AbortSignal
}

export interface CopyOutProblem {
  readonly path: string
  readonly code: ErrorCode
  readonly reason: string
}

/** What one file cannot help, and what no other file would fare better with. */
const endsAll: ReadonlySet<ErrorCode> = new Set(['unavailable', 'aborted', 'exhausted', 'closed', 'internal'])
const problemsMax = 10_000

export class CopyOut {
  entryCount = 0
  fileCount = 0
  bytes = 0
  /** Files that were there, with their size and time. */
  unchangedCount = 0
  /** Entries of which the owner, the mode, a time or an attribute could not be kept. */
  incompleteCount = 0
  readonly problems: CopyOutProblem[] = []
  /** The path that is under way. */
  current = ''
  readonly #parts: CopyOutParts
  readonly #jobs: Jobs
  readonly #directories: { readonly local: LocalPath; readonly entry: Entry }[] = []
  /** Where a file with several names was copied to first, and its further names. */
  readonly #first = new Map<number, LocalPath>()
  readonly #links: { readonly id: number; readonly path: string; readonly local: LocalPath }[] = []
  /** Below it nothing can be copied. */
  #refused: string | undefined

  constructor(parts: CopyOutParts) {
    this.#parts = parts
    this.#jobs = new Jobs(parts.jobCount)
  }

  /** Throws what ends all of it; what was copied stays. */
  async run(): Promise<void> {
    const { snapshot, from, to, signal, now } = this.#parts
    const turns = new Turns(now)
    const places: { readonly path: string; readonly local: LocalPath }[] = []
    try {
      for await (const { path, entry } of snapshot.walk(from, { signal })) {
        await turns.due()
        if (this.#refused !== undefined && path.startsWith(this.#refused)) continue
        this.current = path
        const slash = path.lastIndexOf('/')
        const above = path.slice(0, slash)
        while (places.length > 0 && places.at(-1)!.path !== above) places.pop()
        const parent = places.at(-1)
        const local = parent === undefined ? to : joinLocal(parent.local, localPathOf(path.slice(slash + 1)))
        this.entryCount += 1
        if (entry.kind === 'directory') places.push({ path: path === '/' ? '' : path, local })
        await this.#copy(path, entry, local)
      }
      await this.#jobs.drain()
      await this.#linkAll(turns)
    } finally {
      await this.#jobs.settle()
    }
    // Innermost first: making what is in a directory moves its time.
    for (const { local, entry } of this.#directories.toReversed()) {
      await turns.due()
      this.#attempt(nameOf(local), () => this.#setAttributes(local, entry))
    }
  }

  async #copy(path: string, entry: Entry, local: LocalPath): Promise<void> {
    if (entry.kind === 'directory') {
      this.#attempt(path, () => this.#makeDirectory(path, entry, local))
      return
    }
    if (entry.linkCount > 1) {
      if (this.#first.has(entry.id)) {
        this.#links.push({ id: entry.id, path, local })
        return
      }
      this.#first.set(entry.id, local)
    }
    if (entry.kind === 'file') await this.#jobs.start(() => this.#saveOne(path, entry, local))
    else this.#attempt(path, () => this.#make(path, entry, local))
  }

  #makeDirectory(path: string, entry: Entry, local: LocalPath): void {
    const there = look(local)
    if (there !== undefined && !there.isDirectory()) {
      this.#refused = `${path === '/' ? '' : path}/`
      throw new EdgemountError('conflict', 'something else is there, and no folder')
    }
    if (there === undefined) mkdirSync(diskPath(local), { mode: 0o700 })
    this.#directories.push({ local, entry })
  }

  async #saveOne(path: string, entry: Entry, local: LocalPath): Promise<void> {
    try {
      const there = look(local)
      if (there?.isDirectory() === true) throw new EdgemountError('conflict', 'a folder is there')
      this.fileCount += 1
      if (there?.isFile() === true && isUnchanged(entry, there)) {
        this.unchangedCount += 1
        return
      }
      const { snapshot, signal } = this.#parts
      const bytes = snapshot.read(entry, undefined, { label: path, signal })
      await saveFile(local, { size: entry.size, mode: 0o600, bytes }, (staged) => this.#setAttributes(staged, entry), (count) => (this.bytes += count))
    } catch (error) {
      this.#note(path, error)
    }
  }

  #make(path: string, { kind, content, ...entry }: Entry, local: LocalPath): void {
    if (look(local)?.isDirectory() === true) throw new EdgemountError('conflict', 'a folder is there')
    const staged = besides(local)
    try {
      if (content.kind === 'target') symlinkSync(diskPath(localPathOf(content.target)), diskPath(staged))
      else {
        if (kind === 'file' || kind === 'directory' || kind === 'symlink') throw new EdgemountError('internal', `Cannot copy "${path}": its inode was not looked up`)
        const { major, minor } = content.kind === 'device' ? content : { major: 0, minor: 0 }
        const result = makeNode(pathBytes(staged), kind, major, minor)
        if (result < 0) throw new EdgemountError(result === -errno.EPERM ? 'denied' : 'unsupported', `a ${kind} cannot be made here (errno ${-result})`)
      }
      this.#setAttributes(staged, { ...entry, kind, content })
      renameSync(diskPath(staged), diskPath(local))
    } catch (error) {
      rmSync(diskPath(staged), { force: true })
      throw error
    }
  }

  /** Owner before mode, because a new owner takes set-user-id away; times last. */
  #setAttributes(local: LocalPath, { kind, mode, uid, gid, xattrs, mtime, atime = mtime }: Entry): void {
    let isWhole = true
    try {
      if (this.#parts.keepsOwners) lchownSync(diskPath(local), uid, gid)
      if (kind !== 'symlink') chmodSync(diskPath(local), mode)
    } catch {
      // A file system that has no owners or modes keeps the rest.
      isWhole = false
    }
    for (const [name, value] of xattrs) if (setXattr(pathBytes(local), name, value) < 0) isWhole = false
    if (setTimes(pathBytes(local), atime, mtime) < 0) isWhole = false
    if (!isWhole) this.incompleteCount += 1
  }

  async #linkAll(turns: Turns): Promise<void> {
    for (const { id, path, local } of this.#links) {
      await turns.due()
      const first = this.#first.get(id)!
      const [a, b] = [look(first), look(local)]
      if (a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev) continue
      this.#attempt(path, () => {
        if (a === undefined) throw new EdgemountError('not-found', `its other name "${nameOf(first)}" could not be copied`)
        if (b?.isDirectory() === true) throw new EdgemountError('conflict', 'a folder is there')
        const staged = besides(local)
        linkSync(diskPath(first), diskPath(staged))
        renameSync(diskPath(staged), diskPath(local))
      })
    }
  }

  #attempt(path: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#note(path, error)
    }
  }

  /** Throws what is not about this one alone. */
  #note(path: string, cause: unknown): void {
    const error = cause instanceof EdgemountError ? cause : failure('copy it', cause)
    const code = codeOf(error)
    if (endsAll.has(code)) throw error
    if (this.problems.length >= problemsMax) throw new EdgemountError('exhausted', `Cannot copy the rest: ${problemsMax} files could not be copied`)
    this.problems.push({ path, code, reason: messageOf(error).replace('Cannot copy it: ', '') })
  }
}

function look(local: LocalPath): BigIntStats | undefined {
  return lstatSync(diskPath(local), { bigint: true, throwIfNoEntry: false })
}

function isUnchanged({ size, mtime }: Entry, there: BigIntStats): boolean {
  const found = timeOf(there.mtimeNs)
  return Number(there.size) === size && found.seconds === mtime.seconds && found.nanoseconds === mtime.nanoseconds
}
