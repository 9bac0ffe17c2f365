/**
 * An import as people see it: the bar while it runs, what could not be read, and the summary. Shared by `import` and `start`.
 */
import { systemClock, systemMonotonicMs } from '../../shared/clock.ts'
import { messageOf } from '../../shared/error.ts'
import type { Settings } from '../config.ts'
import { compileExcludes } from '../upload/exclude.ts'
import { importFolder, type ImportResult } from '../upload/import-folder.ts'
import type { LocalPath } from '../upload/local-path.ts'
import type { OwnPacks } from '../upload/own-packs.ts'
import { ImportReport, type Problem } from '../upload/report.ts'
import { type Scan, scanFolder } from '../upload/scan.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { bar, Meter } from './meter.ts'
import type { OpenVolume } from './open.ts'
import { counted, formatBytes, formatCount, formatDuration } from './quantity.ts'
import { plainText, type Terminal } from './terminal.ts'

export interface ImportRequest {
  readonly opened: OpenVolume
  readonly folder: LocalPath
  readonly protectedPaths: ReadonlySet<LocalPath>
  readonly settings: Pick<Settings, 'exclude' | 'delete' | 'checksum' | 'one-file-system' | 'dry-run' | 'jobs' | 'message' | 'quiet' | 'json'>
  readonly terminal: Terminal
}

export interface ImportOutcome extends ImportResult {
  readonly report: ImportReport
  readonly elapsedMs: number
  readonly code: ExitCode
}

const problemLinesMax = 100

/** Ctrl-C is to end soon, also when the store is slow. */
const discardMs = 2000

/** Takes away what an import that was given up has stored, and says what is left. */
export async function discardImport(packs: OwnPacks | undefined, { wasCreated, place }: Pick<OpenVolume, 'wasCreated' | 'place'>): Promise<string> {
  const left = await packs?.giveUp(systemClock, discardMs)
  const unused = left === undefined || left.count === 0 ? '' : `. Left in the store, unused: ${counted(left.count, 'pack')} (${formatBytes(left.bytes)})`
  return wasCreated ? `${unused}. The volume "${place.volume}", which this import made, is left empty` : unused
}

export async function runImport({ opened, folder, protectedPaths, settings, terminal }: ImportRequest): Promise<ImportOutcome> {
  const report = new ImportReport()
  const startMs = systemMonotonicMs()
  const elapsedMs = (): number => systemMonotonicMs() - startMs
  const scan: Scan = { fileCount: 0, bytes: 0, isWhole: false }
  const excludes = compileExcludes(settings.exclude)
  const scanning = new AbortController()
  const meter = new Meter(systemClock, terminal.remarks, settings.quiet || settings.json, () => plainText(progressLine(report, scan, elapsedMs(), opened.packs?.trouble), terminal.remarks))
  const scanned = terminal.remarks.isTerminal ? scanFolder(scan, folder, { excludes, protectedPaths }, scanning.signal).catch(() => undefined) : Promise.resolve()
  try {
    const result = await importFolder(opened.volume, opened.snapshot, report, {
      folder,
      path: opened.place.path,
      excludes,
      protectedPaths,
      isDelete: settings.delete,
      isChecksum: settings.checksum,
      isOneFileSystem: settings['one-file-system'],
      isDryRun: settings['dry-run'],
      jobCount: settings.jobs,
      now: systemMonotonicMs,
      signal: terminal.signal,
      message: settings.message,
      discard: () => discardImport(opened.packs, opened),
    })
    return { ...result, report, elapsedMs: elapsedMs(), code: report.isComplete ? exitCode.ok : exitCode.partly }
  } finally {
    scanning.abort()
    await scanned
    await meter.stop()
  }
}

/** Says what went wrong with single files, on standard error. */
export async function printProblems(problems: readonly Problem[], terminal: Terminal): Promise<void> {
  const lines = problems.slice(0, problemLinesMax).map(problemLine)
  if (problems.length > problemLinesMax) lines.push(`… and ${problems.length - problemLinesMax} more`)
  for (const line of lines) await terminal.remarks.write(`${plainText(line, terminal.remarks)}\n`)
}

export function summaryLine({ report, seq, elapsedMs }: ImportOutcome, volume: string, isDryRun: boolean): string {
  const { addedCount, changedCount, deletedCount, excludedCount, readBytes, newBytes } = report
  const left = excludedCount === 0 ? '' : `, ${excludedCount} left out`
  const looked = lookedText(report)
  const missing = missingText(report)
  const changes = `${addedCount} added, ${changedCount} changed, ${deletedCount} removed${left}`
  if (isDryRun) return `Would import ${looked} into "${volume}": ${changes}${missing}.`
  if (seq === undefined) return `${missing === '' ? 'Nothing has changed' : 'Nothing that can be read has changed'}: ${looked} are in "${volume}" already${left}${missing}. Looked for ${formatDuration(elapsedMs)}.`
  const stored = `${formatBytes(newBytes)} stored of ${formatBytes(readBytes)} read (${dedupText(report)} known)`
  return `Imported ${looked} into "${volume}": ${changes}; ${stored}, in ${formatDuration(elapsedMs)} (${speedText(report, elapsedMs)})${missing}. Commit ${seq}.`
}

function lookedText({ fileCount, unreadFileCount, bytes, unreadBytes }: ImportReport): string {
  const of = unreadFileCount === 0 ? '' : `${formatCount(fileCount - unreadFileCount)} of `
  return `${of}${counted(fileCount, 'file')} (${formatBytes(bytes - unreadBytes)})`
}

function missingText({ unreadFileCount, otherUnreadCount }: ImportReport): string {
  const files = unreadFileCount === 0 ? '' : `; ${formatCount(unreadFileCount)} could not be read`
  return otherUnreadCount === 0 ? files : `${files}; ${counted(otherUnreadCount, 'folder or other entry')} could not be read`
}

export function outcomeJson({ report, seq, conflicts, elapsedMs }: ImportOutcome, volume: string, path: string): Readonly<Record<string, unknown>> {
  return {
    volume,
    path,
    seq: seq ?? null,
    files: report.fileCount,
    bytes: report.bytes,
    unreadFiles: report.unreadFileCount,
    unreadBytes: report.unreadBytes,
    entries: report.entryCount,
    readFiles: report.readFileCount,
    readBytes: report.readBytes,
    newBytes: report.newBytes,
    added: report.addedCount,
    changed: report.changedCount,
    deleted: report.deletedCount,
    excluded: report.excludedCount,
    seconds: Math.round(elapsedMs) / 1000,
    problems: report.problems,
    conflicts,
  }
}

export function progressLine(report: ImportReport, scan: Scan, elapsedMs: number, trouble: unknown): string {
  const { fileCount, bytes, newBytes, readBytes, current } = report
  const numbers = `${formatBytes(readBytes)} read, ${formatBytes(newBytes)} new (${dedupText(report)} known), ${speedText(report, elapsedMs)}`
  if (trouble !== undefined) return `waiting for the store (${formatBytes(newBytes)} new so far): ${messageOf(trouble)}`
  if (!scan.isWhole) return `${counted(fileCount, 'file')}, ${numbers}  ${current}`
  const fraction = scan.bytes === 0 ? fileCount / Math.max(1, scan.fileCount) : bytes / scan.bytes
  return `${bar(fraction, 20)} ${fileCount}/${counted(scan.fileCount, 'file')}, ${numbers}  ${current}`
}

function dedupText({ readBytes, newBytes }: ImportReport): string {
  return readBytes === 0 ? '0 %' : `${Math.max(0, Math.round((1 - newBytes / readBytes) * 100))} %`
}

function speedText({ readBytes, fileCount }: ImportReport, elapsedMs: number): string {
  const seconds = Math.max(elapsedMs, 1) / 1000
  return `${(readBytes / 1e6 / seconds).toFixed(0)} MB/s, ${(fileCount / seconds).toFixed(0)} files/s`
}

function problemLine({ kind, path, reason }: Problem): string {
  const what = { unread: 'Cannot read', changed: 'Cannot be sure of', grew: 'Note on', vanished: 'Cannot find any more' }[kind]
  return `${what} "${path}": ${reason}`
}
