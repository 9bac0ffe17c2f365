/**
 * Checks a volume from its log down, and then its leases and peers: that everything is there, is what its hash says, and says nothing that is not so. It changes nothing.
 * `edgemount fsck` calls it through `Volume.check`.
 *
 * What is wrong is a finding, and the check goes on with what can still be reached. A store that does not answer is no finding: the check ends with its error,
 * for nothing is known then. Memory is 8 bytes a file and hard link, and a few dozen a pack.
 */
import type { CommitRecord } from '../format/commit.ts'
import { checkLeases } from './check-leases.ts'
import { checkLog } from './check-log.ts'
import { checkPacks } from './check-packs.ts'
import { checkUploads } from './check-uploads.ts'
import { TreeCheck } from './check-tree.ts'
import { type CheckOptions, type CheckProgress, type CheckRun, type Finding, tellProgress } from './finding.ts'
import { PackUses } from './pack-uses.ts'
import type { VolumeParts } from './parts.ts'
import { Snapshot } from './snapshot.ts'

export async function* checkVolume(parts: VolumeParts, head: CommitRecord, options: CheckOptions): AsyncGenerator<Finding, CheckProgress> {
  const run: CheckRun = { parts, options, packs: new PackUses(), counts: { recordCount: 0, entryCount: 0, packCount: 0, readBytes: 0 } }
  const record = yield* checkLog(run, head)
  if (record !== undefined) yield* new TreeCheck(run, new Snapshot(record, parts)).check()
  yield* checkPacks(run)
  yield* checkLeases(run)
  yield* checkUploads(run)
  tellProgress(run)
  return run.counts
}
