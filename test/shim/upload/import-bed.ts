/** A volume in memory and a folder on disk, to import one into the other and compare them. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock, systemMonotonicMs } from '../../../shared/clock.ts'
import type { Entry } from '../../../shared/format/entry.ts'
import { systemRandom } from '../../../shared/random.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { compileExcludes } from '../../../shim/upload/exclude.ts'
import type { FolderImportOptions } from '../../../shim/upload/folder-import.ts'
import { importFolder, type ImportResult } from '../../../shim/upload/import-folder.ts'
import { type LocalPath, localPathOf } from '../../../shim/upload/local-path.ts'
import { ImportReport } from '../../../shim/upload/report.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

export class ImportBed {
  readonly folder: string
  readonly store = new MemoryStore()
  readonly volume: Volume

  static async make(): Promise<ImportBed> {
    const store = new MemoryStore()
    const volume = await Volume.create({ store, clock: systemClock, random: systemRandom }, { name: 'v' })
    return new ImportBed(path.join(await tempDirectory()), store, volume)
  }

  private constructor(folder: string, store: MemoryStore, volume: Volume) {
    this.folder = folder
    this.store = store
    this.volume = volume
  }

  at(name: string): string {
    return path.join(this.folder, name)
  }

  async import(options: Partial<FolderImportOptions> & { readonly report?: ImportReport } = {}): Promise<ImportResult & { readonly report: ImportReport }> {
    const report = options.report ?? new ImportReport()
    const result = await importFolder(this.volume, await this.volume.head(), report, {
      folder: localPathOf(this.folder),
      path: '/',
      excludes: compileExcludes([]),
      protectedPaths: new Set<LocalPath>(),
      isDelete: true,
      isChecksum: false,
      isOneFileSystem: false,
      isDryRun: false,
      jobCount: 3,
      now: systemMonotonicMs,
      signal: new AbortController().signal,
      ...options,
    })
    return { ...result, report }
  }

  /** Every path of the volume below `top`, with what matters about it. */
  async volumeTree(top = '/'): Promise<Record<string, string>> {
    const snapshot = await this.volume.head()
    const tree: Record<string, string> = {}
    const groups = new Map<number, string>()
    for await (const { path: found, entry } of snapshot.walk(top)) {
      const parts: Uint8Array[] = []
      if (entry.kind === 'file') for await (const bytes of snapshot.read(entry)) parts.push(bytes)
      const relative = found === top ? '.' : found.slice(top === '/' ? 1 : top.length + 1)
      tree[relative] = describe(entry, Buffer.concat(parts).toString('latin1'), groupOf(groups, entry.linkCount > 1 ? entry.id : undefined, relative))
    }
    return tree
  }

  /** The same of the folder; names must be UTF-8. */
  folderTree(): Record<string, string> {
    const tree: Record<string, string> = {}
    const groups = new Map<number, string>()
    const walk = (relative: string): void => {
      const file = path.join(this.folder, relative)
      const stat = lstatSync(file, { bigint: true })
      const kind = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : stat.isFIFO() ? 'fifo' : 'file'
      const body = kind === 'file' ? readFileSync(file, 'latin1') : kind === 'symlink' ? readlinkSync(file) : ''
      const group = groupOf(groups, kind === 'file' && stat.nlink > 1n ? Number(stat.ino) : undefined, relative)
      tree[relative] = [kind, (stat.mode & 0o7777n).toString(8), stat.mtimeNs, body, group].join('|')
      if (kind !== 'directory') return
      const names = readdirSync(file).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      for (const name of names) walk(relative === '.' ? name : `${relative}/${name}`)
    }
    walk('.')
    return tree
  }
}

function describe(entry: Entry, body: string, group: string): string {
  const time = BigInt(entry.mtime.seconds) * 1_000_000_000n + BigInt(entry.mtime.nanoseconds)
  return [entry.kind, entry.mode.toString(8), time, entry.content.kind === 'target' ? entry.content.target : body, group].join('|')
}

/** Names of one file are told by the first of them. */
function groupOf(groups: Map<number, string>, id: number | undefined, name: string): string {
  if (id === undefined) return ''
  const first = groups.get(id) ?? name
  groups.set(id, first)
  return `=${first}`
}
