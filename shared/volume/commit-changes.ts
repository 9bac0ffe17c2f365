/**
 * Commits a change set: plans it on the head, carries the plan out, and takes the next slot of the log. `ContentWriter.commitChanges` calls it.
 */
import type { FileId } from '../format/entry.ts'
import { applyPlan, committedNodes } from './change-apply.ts'
import { tellPlan } from './change-feed.ts'
import { Ground } from './change-ground.ts'
import { ChangeIndex } from './change-index.ts'
import { ChangePlan } from './change-plan.ts'
import type { ChangeSet, CommitChangesOptions, CommittedChanges } from './change-set.ts'
import { type Attempt, type CommitSession, runCommit } from './commit.ts'
import type { LoggedRecord } from './commit-log.ts'
import { DirectorySearch } from './directory-search.ts'
import { Whereabouts } from './moves.ts'
import { Overlay } from './overlay.ts'
import type { VolumeParts } from './parts.ts'
import { faultsOf } from './plan-faults.ts'
import type { Snapshot } from './snapshot.ts'

interface PlannedChanges extends Attempt {
  readonly plan: ChangePlan
  readonly conflicts: CommittedChanges['conflicts']
}

export async function commitChangeSet(
  parts: VolumeParts,
  session: CommitSession,
  set: ChangeSet,
  options: CommitChangesOptions,
  readHead: () => Promise<LoggedRecord>,
): Promise<CommittedChanges> {
  const { base, shown = base, author = parts.author, signal } = options
  const index = new ChangeIndex(set, base)
  const { record, snapshot, attempt } = await runCommit(parts, session, options, readHead, (head) => planOn(head, index, { parts, session, author, shown, signal }))
  const { plan, conflicts, isChanged } = attempt
  const merged = Array.from(plan.merged, ([id, into]) => ({ id, into: into.id }))
  return { seq: record.seq, record, snapshot, isNew: isChanged, conflicts, nodes: committedNodes(plan), merged }
}

interface World {
  readonly parts: VolumeParts
  readonly session: CommitSession
  readonly author: string
  readonly shown: Snapshot
  readonly signal: AbortSignal | undefined
}

/** Plans until nothing more has to be kept: each time on a fresh overlay, since a plan depends on what was there. */
async function planOn(head: Snapshot, index: ChangeIndex, { parts, session, author, shown, signal }: World): Promise<PlannedChanges> {
  const moves = head.seq === index.base.seq ? undefined : new Whereabouts(index.base, shown, head)
  const search = new DirectorySearch(head, signal)
  const [kept, lifted] = [new Set<FileId>(), new Set<FileId>()]
  for (;;) {
    const overlay = new Overlay(head.root, parts.pages)
    const ground = new Ground(index, overlay, moves, search)
    const plan = new ChangePlan(index, ground, { author, seq: head.seq + 1, pages: parts.pages, newFileId: () => session.newFileId(), kept, lifted })
    await plan.decide()
    const faults = await faultsOf(plan)
    for (const id of faults.kept) kept.add(id)
    for (const id of faults.lifted) lifted.add(id)
    if (faults.kept.length + faults.lifted.length > 0) continue
    const { performed, conflicts } = tellPlan(plan)
    return { overlay, isChanged: applyPlan(plan), performed, conflicts, plan }
  }
}
