/**
 * Makes a directory of a volume equal to a local folder, in one commit. Called by `edgemount import` and `start`.
 *
 * The folder and the volume are walked side by side; what differs becomes operations, contents are read by a few jobs at once while the walk goes
 * on, and nothing is visible before the commit. A file that cannot be read is reported and left as the volume has it.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import { codeOf } from '../../shared/error.ts'
import type { Content, Entry, Run } from '../../shared/format/entry.ts'
import { childPath, rootPath } from '../../shared/path.ts'
import { isSameContent } from '../../shared/volume/merge.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { NamedEntry } from '../../shared/volume/snapshot-names.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { failure, failureName, reasonOf } from '../sys/failure.ts'
import { BodyReader, type BodyTarget } from './body-reader.ts'
import { adjusting, type Body, making, removing, timing } from './change.ts'
import { decide, hasSameAttributes } from './compare.ts'
import { excludeNothing, type Excludes } from './exclude.ts'
import { ExistingNames } from './existing.ts'
import { HardLinks, type LinkPlan } from './hard-links.ts'
import { Jobs } from './jobs.ts'
import { type LocalEntry, readEntry, readNames, readRoot } from './local-entry.ts'
import { LocalFileError } from './local-file.ts'
import { joinLocal, nameOf, type LocalPath } from './local-path.ts'
import { type GoneDirectory, hasRemains, type Remains, removingRest } from './remains.ts'
import type { ImportReport, ProblemKind } from './report.ts'
import { Turns } from './turns.ts'

const reasonOfUnsteady: Readonly<Record<'grew' | 'changed', string>> = {
  grew: 'it grew while it was read; the bytes it had at first are in',
  changed: 'it was written to each time it was read; what is in may be half old, half new',
}

/** A million chunks are the content writer's own limit. */
const rememberedRunsMax = 1_000_000

export interface FolderImportOptions {
  /** An absolute path without symbolic links. */
  readonly folder: LocalPath
  /** Canonical path in the volume. */
  readonly path: string
  readonly excludes: Excludes
  /** Absolute local paths that are never looked at: the store itself, its cache, mounts of this command. */
  readonly protectedPaths: ReadonlySet<LocalPath>
  readonly isDelete: boolean
  readonly isChecksum: boolean
  readonly isOneFileSystem: boolean
  readonly isDryRun: boolean
  readonly jobCount: number
  /** Milliseconds that only grow. */
  readonly now: () => number
  readonly signal: AbortSignal
}

export interface FolderImportParts {
  readonly snapshot: Snapshot
  readonly writer: BodyTarget & { remember(run: Run): void }
  readonly report: ImportReport
}

/** A directory under way; its time is set at the end. */
interface Directory {
  readonly local: LocalEntry
  readonly path: string
  /** Relative to the folder, with a slash at the end; '' for the folder itself. */
  readonly prefix: string
  readonly existing: Entry | undefined
  /** Names were made or removed in it. */
  isTouched: boolean
}

type Sharing = Pick<LinkPlan & { readonly kind: 'alone' }, 'isShared' | 'isTaken'>

/** A name of the folder and what stands there in the volume. */
interface Candidate {
  readonly directory: Directory
  readonly local: LocalEntry
  readonly path: string
  /** What the name keeps, changes, or simply replaces. */
  readonly existing: Entry | undefined
  /** A directory where there is to be something else, or the other way round. INVARIANT: it goes with what replaces it, never before that was read. */
  readonly inTheWay: Entry | undefined
}

interface PendingLink {
  readonly candidate: Candidate
  /** The name of the same file that came first. */
  readonly path: string
}

export class FolderImport {
  readonly #parts: FolderImportParts
  readonly #options: FolderImportOptions
  readonly #report: ImportReport
  readonly #bodies: BodyReader
  readonly #jobs: Jobs
  readonly #remains: Remains
  readonly #links = new HardLinks()
  readonly #turns: Turns
  readonly #operations: Operation[] = []
  readonly #directories: Directory[] = []
  readonly #pendingLinks: PendingLink[] = []
  /** Paths of files that did not get in. */
  readonly #unread = new Set<string>()
  #remembering: Promise<void> | undefined

  constructor(parts: FolderImportParts, options: FolderImportOptions) {
    this.#parts = parts
    this.#options = options
    this.#report = parts.report
    this.#turns = new Turns(options.now)
    this.#bodies = new BodyReader(parts.writer, parts.report, this.#turns, options.signal)
    this.#remains = { snapshot: parts.snapshot, excludes: options.excludes, signal: options.signal }
    this.#jobs = new Jobs(options.jobCount)
  }

  /** Reads everything and gives the operations of the commit. Throws when the folder itself or the store cannot be read, or on an abort. */
  async run(): Promise<readonly Operation[]> {
    const local = readRoot(this.#options.folder)
    const existing = await this.#destination()
    if (existing === undefined) this.#operations.push({ op: 'mkdir', path: this.#options.path, parents: true, mode: local.mode, uid: local.uid, gid: local.gid, xattrs: local.xattrs })
    try {
      await this.#walk({ local, path: this.#options.path, prefix: '', existing, isTouched: existing === undefined }, readNames(local.local))
      await this.#jobs.drain()
      await this.#link()
      await this.#jobs.drain()
    } finally {
      await this.#jobs.settle()
    }
    for (const directory of this.#directories) this.#finish(directory)
    return this.#operations
  }

  async #destination(): Promise<Entry | undefined> {
    const { path } = this.#options
    try {
      const entry = await this.#parts.snapshot.resolve(path)
      if (entry.kind === 'directory') return entry
      throw failure(`import into "${path}"`, Object.assign(new Error(), { code: 'ENOTDIR' }), 'Choose another path, or remove it first')
    } catch (error) {
      if (path !== rootPath && codeOf(error) === 'not-found') return undefined
      throw error
    }
  }

  async #walk(directory: Directory, names: readonly string[]): Promise<void> {
    this.#directories.push(directory)
    const existing = new ExistingNames(this.#parts.snapshot, directory.existing)
    const passed = (item: NamedEntry): Promise<void> | undefined => this.#gone(directory, item)
    for (const rawName of names) {
      await this.#turns.due()
      throwIfAborted(this.#options.signal)
      const local = this.#readEntry(directory, rawName)
      if (local === undefined) continue
      if (local === 'unread') {
        // What cannot even be looked at is left as the volume has it.
        await existing.advanceTo(nameOf(rawName), passed)
        continue
      }
      const entry = await existing.advanceTo(local.name, passed)
      if (this.#isLeftOut(directory, local)) this.#report.excludedCount += 1
      else await this.#entry(directory, local, entry)
    }
    await existing.rest(passed)
  }

  /** undefined: it is not there any more, or must not be looked at. */
  #readEntry(directory: Directory, rawName: string): LocalEntry | 'unread' | undefined {
    if (this.#options.protectedPaths.has(joinLocal(directory.local.local, rawName))) {
      this.#report.excludedCount += 1
      return 'unread'
    }
    try {
      return readEntry(directory.local.local, rawName)
    } catch (error) {
      if (failureName(error) === 'ENOENT' || codeOf(error) === 'not-found') return undefined
      this.#problem('unread', `${directory.prefix}${nameOf(rawName)}`, error)
      return 'unread'
    }
  }

  #isLeftOut(directory: Directory, local: LocalEntry): boolean {
    if (this.#options.isOneFileSystem && local.kind === 'directory' && local.device !== directory.local.device) return true
    return this.#options.excludes(directory.prefix + local.name, local.name, local.kind === 'directory')
  }

  /** A name that only the volume has. */
  #gone(directory: Directory, { name, entry }: NamedEntry): Promise<void> | undefined {
    const { isDelete, excludes } = this.#options
    if (!isDelete || excludes(directory.prefix + name, name, entry.kind === 'directory')) return undefined
    const path = childPath(directory.path, name)
    if (entry.kind === 'directory' && excludes !== excludeNothing) return this.#goneDirectory(directory, { entry, path, prefix: `${directory.prefix}${name}/` })
    this.#remove(directory, [removing(entry, path)])
    return undefined
  }

  async #goneDirectory(parent: Directory, gone: GoneDirectory): Promise<void> {
    this.#remove(parent, await removingRest(this.#remains, gone))
  }

  #remove(directory: Directory, operations: readonly Operation[]): void {
    for (const operation of operations) this.#operations.push(operation)
    directory.isTouched = true
    this.#report.deletedCount += operations.length
  }

  async #entry(directory: Directory, local: LocalEntry, found: Entry | undefined): Promise<void> {
    this.#report.entryCount += 1
    this.#report.current = directory.prefix + local.name
    const path = childPath(directory.path, local.name)
    const decision = decide(local, found, this.#options.isChecksum)
    const isCleared = decision === 'clear'
    const existing = isCleared ? undefined : found
    if (isCleared && (await this.#isHeld(directory, local, path, found))) return
    const candidate: Candidate = { directory, local, path, existing, inTheWay: isCleared ? found : undefined }
    if (local.kind === 'file') return await this.#file(candidate)
    const names = local.kind === 'directory' ? this.#readNames(candidate) : []
    if (names === undefined && isCleared) return
    if (existing === undefined || decision === 'make') {
      this.#make(candidate)
      this.#count(directory, found)
    } else if (decision === 'attributes' && local.kind !== 'directory') {
      this.#operations.push(...adjusting(local, path, existing))
      this.#report.changedCount += 1
    }
    if (local.kind !== 'directory' || names === undefined) return
    await this.#walk({ local, path, prefix: prefixOf(candidate), existing, isTouched: existing === undefined }, names)
  }

  /** A directory that holds what is left out cannot give way. */
  async #isHeld(parent: Directory, local: LocalEntry, path: string, entry: Entry | undefined): Promise<boolean> {
    if (entry?.kind !== 'directory' || this.#options.excludes === excludeNothing) return false
    const relative = parent.prefix + local.name
    if (!(await hasRemains(this.#remains, { entry, path, prefix: `${relative}/` }))) return false
    this.#problem('unread', relative, 'the volume has a directory there that holds what is left out')
    return true
  }

  #readNames(candidate: Candidate): readonly string[] | undefined {
    try {
      return readNames(candidate.local.local)
    } catch (error) {
      this.#problem('unread', prefixOf(candidate), error)
      return undefined
    }
  }

  #make({ local, path, existing, inTheWay }: Candidate, body?: Body): void {
    if (inTheWay !== undefined) this.#operations.push(removing(inTheWay, path))
    this.#operations.push(making(local, path, existing !== undefined, body))
  }

  async #file(candidate: Candidate): Promise<void> {
    const { local, path, existing } = candidate
    this.#report.fileCount += 1
    this.#report.bytes += local.size
    const plan = this.#links.plan(local, path, existing)
    if (plan.kind === 'again') {
      this.#pendingLinks.push({ candidate, path: plan.path })
      return
    }
    const decision = plan.isTaken ? 'read' : decide(local, existing, this.#options.isChecksum)
    if (decision === 'keep') return
    if (decision === 'attributes' && existing !== undefined) return this.#adjust(candidate, existing, plan.isShared)
    await this.#remember()
    await this.#jobs.start(() => this.#readFile(candidate, plan))
  }

  /** A file with other names is not changed for them too: it becomes a file of its own, with the content it has. */
  #adjust(candidate: Candidate, existing: Entry, isShared: boolean): void {
    const { directory, local, path } = candidate
    this.#report.changedCount += 1
    if (!isShared) {
      this.#operations.push(...adjusting(local, path, existing))
      return
    }
    const { content, size } = existing
    this.#make(candidate, { content, size })
    this.#links.replaced(local)
    directory.isTouched = true
  }

  async #readFile(candidate: Candidate, { isShared, isTaken }: Sharing): Promise<void> {
    const { directory, local: listed, path, existing } = candidate
    if (this.#options.isDryRun) return this.#count(directory, existing)
    const previous: Content | undefined = existing?.kind === 'file' ? existing.content : undefined
    try {
      const { body, mtime, steadiness } = await this.#bodies.read(listed.local, previous)
      const local = { ...listed, mtime, size: body.size }
      this.#report.readFileCount += 1
      this.#report.newBytes += body.newBytes
      if (steadiness !== 'steady') this.#problem(steadiness, `${directory.prefix}${local.name}`, reasonOfUnsteady[steadiness])
      const isSame = existing !== undefined && previous !== undefined && !isTaken && isSameContent(previous, body.content)
      if (isSame && hasSameAttributes(local, existing)) return
      if (isSame && !isShared) {
        this.#operations.push(...adjusting(local, path, existing))
        this.#report.changedCount += 1
        return
      }
      this.#make({ ...candidate, local }, body)
      this.#links.replaced(local)
      this.#count(directory, existing)
    } catch (error) {
      if (!(error instanceof LocalFileError)) throw error
      this.#unread.add(path)
      this.#missed(error, listed.size)
      this.#problem(error.isGone ? 'vanished' : 'unread', `${directory.prefix}${listed.name}`, error)
    }
  }

  /** Further names of files, once it is known which files got in. Where the first name did not, the next one is tried. */
  async #link(): Promise<void> {
    for (const { candidate, path } of this.#pendingLinks) {
      const { directory, local, path: to, existing, inTheWay } = candidate
      if (this.#unread.has(path)) {
        await this.#jobs.start(() => this.#readFile(candidate, { isShared: true, isTaken: true }))
        continue
      }
      if (this.#links.isLinked(local, existing)) continue
      if (inTheWay !== undefined) this.#operations.push(removing(inTheWay, to))
      this.#operations.push({ op: 'link', path, to, replace: existing !== undefined })
      this.#count(directory, existing)
    }
  }

  #finish(directory: Directory): void {
    const { local, path, existing, isTouched } = directory
    if (existing !== undefined && !hasSameAttributes(local, existing)) this.#operations.push(...adjusting(local, path, existing))
    else if (isTouched) this.#operations.push(timing(local, path))
  }

  /** What is gone was no file of the folder, in the end. */
  #missed({ isGone }: LocalFileError, bytes: number): void {
    if (isGone) {
      this.#report.fileCount -= 1
      this.#report.bytes -= bytes
    } else {
      this.#report.unreadFileCount += 1
      this.#report.unreadBytes += bytes
    }
  }

  #count(directory: Directory, replaced: Entry | undefined): void {
    directory.isTouched = true
    if (replaced === undefined) this.#report.addedCount += 1
    else this.#report.changedCount += 1
  }

  /** Before the first read: what the destination has needs no uploading, wherever in it it lies. */
  #remember(): Promise<void> {
    this.#remembering ??= this.#rememberAll()
    return this.#remembering
  }

  async #rememberAll(): Promise<void> {
    if (this.#options.isDryRun || this.#directories[0]?.existing === undefined) return
    let count = 0
    for await (const { path, entry } of this.#parts.snapshot.walk(this.#options.path, { signal: this.#options.signal })) {
      if (entry.kind !== 'file') continue
      for await (const run of this.#parts.snapshot.runs(entry, undefined, { label: path, signal: this.#options.signal })) {
        this.#parts.writer.remember(run.run)
        count += 1
        if (count >= rememberedRunsMax) return
      }
    }
  }

  #problem(kind: ProblemKind, path: string, error: unknown): void {
    const { code } = typeof error === 'string' ? { code: 'stale' as const } : failure('read it', error)
    this.#report.problems.push({ kind, path, code, reason: typeof error === 'string' ? error : reasonOf(error) })
  }
}

function prefixOf({ directory, local }: Candidate): string {
  return `${directory.prefix}${local.name}/`
}
