/**
 * What `start` brings into its volume. The first time the folder; later what changed in it, as long as nobody else has written there. What somebody wrote, through
 * the mount or with another command, is never taken away by starting again: that would need a word (`--mirror`).
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { EdgemountError } from '../../shared/error.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import type { Settings } from '../config.ts'
import { failure } from '../sys/failure.ts'
import { nameOf } from '../upload/local-path.ts'
import { numberOf, textOf } from './answer-field.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { type ImportOutcome, type ImportRequest, printProblems, runImport, summaryLine } from './import-run.ts'
import { formatCount } from './quantity.ts'
import { typedInSource } from './target.ts'

export interface StartImport {
  readonly request: Omit<ImportRequest, 'settings'> & { readonly settings: ImportRequest['settings'] & Pick<Settings, 'mirror'> }
  /** Where it is noted what the volume was made equal to. */
  readonly stateDirectory: string
  say(line: string): Promise<void>
}

/** The commit that has the folder as it was, and nothing else. */
interface Imported {
  readonly volumeId: string
  readonly folder: string
  readonly seq: number
}

const noteFile = 'imported.json'

export async function importForStart(parts: StartImport): Promise<ExitCode> {
  const { request, stateDirectory } = parts
  const { opened, folder, settings } = request
  const volumeId = opened.volume.config.id
  const note = readNote(stateDirectory)
  const last = note?.volumeId === volumeId ? note : undefined
  const { seq } = opened.snapshot
  // Commit 1 makes the volume.
  const isUntouched = seq === 1 || last?.seq === seq
  if (!isUntouched && !settings.mirror) {
    const differing = await runImport({ ...request, settings: { ...settings, 'dry-run': true } })
    if (differing.operationCount > 0) return await leaveAlone(parts, last, differing)
  }
  const outcome = await runImport(request)
  // A commit that was merged with somebody else's holds that, too.
  if (outcome.seq === undefined || outcome.seq === seq + 1) writeNote(stateDirectory, { volumeId, folder, seq: outcome.seq ?? seq })
  await printProblems(outcome.report.problems, request.terminal)
  await parts.say(summaryLine(outcome, opened.place.volume, false))
  return outcome.code
}

async function leaveAlone(parts: StartImport, last: Imported | undefined, { report }: ImportOutcome): Promise<ExitCode> {
  const { folder, opened } = parts.request
  const { place, snapshot } = opened
  if (last !== undefined && last.folder !== folder) {
    throw new EdgemountError('conflict', `Cannot show "${nameOf(folder)}" here: the volume holds "${nameOf(last.folder)}", and was written to. Start where there is no .edgemount yet, or with --mirror to make the volume equal to the folder (older commits keep the rest)`)
  }
  const counts = `${formatCount(report.addedCount)} to add, ${formatCount(report.changedCount)} to change, ${formatCount(report.deletedCount)} to remove`
  const since = last === undefined ? '' : ` since commit ${last.seq}`
  const look = last === undefined ? '' : ` What was written: edgemount diff ${typedInSource(place.source, place.volume)} ${last.seq} ${snapshot.seq}`
  await parts.say(`The volume was written to${since}, so it is shown as it is, and "${nameOf(folder)}" is not imported again (${counts}). To make it equal to the folder: --mirror; older commits keep the rest.${look}`)
  return exitCode.ok
}

function readNote(directory: string): Imported | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path.join(directory, noteFile), 'utf8'))
    const folder = fieldOf(value, 'folder')
    return typeof folder === 'string' ? { volumeId: textOf(value, 'volumeId') ?? '', folder, seq: numberOf(value, 'seq') } : undefined
  } catch {
    // None, or not one of ours: then nothing is known, and nothing is taken away.
    return undefined
  }
}

function writeNote(directory: string, note: Imported): void {
  const file = path.join(directory, noteFile)
  try {
    writeFileSync(`${file}.new`, `${JSON.stringify(note)}\n`)
    renameSync(`${file}.new`, file)
  } catch (error) {
    throw failure(`write "${file}"`, error)
  }
}
