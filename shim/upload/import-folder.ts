/**
 * One import from beginning to end: compare, read, commit.
 */
import { codeOf, EdgemountError } from '../../shared/error.ts'
import type { Conflict } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import { FolderImport, type FolderImportOptions } from './folder-import.ts'
import type { ImportReport } from './report.ts'

export interface ImportResult {
  /** The commit that was made; undefined when nothing differed, or for a dry run. */
  readonly seq: number | undefined
  readonly operationCount: number
  readonly conflicts: readonly Conflict[]
}

/**
 * Until the commit nothing is visible. After an abort `discard` takes away what was stored, and gives what is to be said of what it left. The commit itself is not cut: it would be unknown whether it landed.
 */
export async function importFolder(
  volume: Volume,
  snapshot: Snapshot,
  report: ImportReport,
  options: FolderImportOptions & { readonly message?: string | undefined; readonly discard?: () => Promise<string> },
): Promise<ImportResult> {
  const writer = volume.writer()
  const operations = await new FolderImport({ snapshot, writer, report }, options).run().catch(async (error: unknown) => {
    if (codeOf(error) !== 'aborted') throw error
    throw new EdgemountError('aborted', `Cannot finish the import: interrupted. Nothing of it is in the volume${(await options.discard?.()) ?? ''}`, { cause: error })
  })
  if (operations.length === 0 || options.isDryRun) return { seq: undefined, operationCount: operations.length, conflicts: [] }
  report.current = 'writing the commit'
  const { seq, conflicts } = await writer.commit(operations, { base: snapshot, message: options.message })
  return { seq, operationCount: operations.length, conflicts }
}
