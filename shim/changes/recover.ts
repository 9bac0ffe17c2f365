/**
 * The changes of a mount that ended, from its journal: ready to be shown, and to be published.
 */
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { FileId } from '../../shared/format/entry.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { ChangeState } from './change-state.ts'
import type { ChangedBody, NodePut } from './edit.ts'
import { Labels } from './labels.ts'
import { LocalChanges, type LocalChangesParts } from './local-changes.ts'
import { Replay, type WrittenRange } from './replay.ts'

export interface RecoverParts extends LocalChangesParts {
  /** The disk is full: false when there is nothing that could make way. */
  readonly makeRoom?: (() => boolean) | undefined
}

/** The body of a state and of what was written after it; undefined when its backing file is gone. */
export type RestoreBody<Body> = (state: Uint8Array, noted: readonly WrittenRange[]) => Body | undefined

/** What was found. */
export interface Recovered<Body extends ChangedBody> {
  readonly changes: LocalChanges<Body>
  readonly recordCount: number
  /** Names that lead elsewhere than in the snapshot. */
  readonly nameCount: number
  readonly inodeCount: number
  readonly bodyCount: number
  /** Files whose bytes never reached the disk: they hold what was published last. */
  readonly lost: readonly string[]
  /** Inodes that had no name any more, and that nobody can have open. */
  readonly unnamedCount: number
}

/**
 * Reads a journal. `seq` of what it gives says over which snapshot its changes lie. Throws `corrupt` for a journal that is none.
 */
export function replayChanges(replay: (visit: (record: Uint8Array, isUnsynced?: boolean) => void) => void): Replay {
  const replayed = new Replay()
  replay((record, isUnsynced) => replayed.add(record, isUnsynced))
  return replayed
}

/**
 * Call it once with what `replayChanges` gave. `parts.seq` is its `seq`, where it has one. Throws when the journal cannot take down what was found of the bodies:
 * then it and they are as they were.
 */
export function recoverChanges<Body extends ChangedBody = LocalBody>(parts: RecoverParts, replayed: Replay, restore: RestoreBody<Body>): Recovered<Body> {
  const { recordCount, hasUnsynced, state: saved } = replayed
  const puts: NodePut<Body>[] = []
  const losers: FileId[] = []
  const forgets: FileId[] = []
  for (const { entry } of saved.nodes.values()) if (entry.linkCount === 0) forgets.push(entry.id)
  const state = saved.withBodies<Body>((body, { entry, contentSize, published }) => {
    if (entry.linkCount === 0) return undefined
    const restored = restore(body.state, body.noted)
    if (restored?.isLess === true) puts.push({ entry, base: undefined, body: restored })
    if (restored !== undefined) return restored
    puts.push({ entry: { ...entry, size: contentSize }, base: undefined, body: null })
    if (published === undefined) losers.push(entry.id)
    return undefined
  })
  const { movedCount: nameCount, bodyCount } = state
  const inodeCount = state.nodes.size - forgets.length
  const lost = losers.length === 0 ? [] : labelsOf(state, losers)
  const changes = new LocalChanges<Body>(parts, state)
  if (hasUnsynced) changes.noteUnsynced()
  const write = (): number => (puts.length + forgets.length === 0 ? 0 : changes.apply({ nodes: puts, forgets }))
  let result = write()
  while (result === -errno.ENOSPC && parts.makeRoom?.() === true) result = write()
  // What is less than the records say must be known before anything is written to it: the next start could not tell any more.
  if (result < 0) throw unwritable(result)
  return { changes, recordCount, nameCount, inodeCount, bodyCount, lost, unnamedCount: forgets.length }
}

function unwritable(result: number): EdgemountError {
  const isFull = result === -errno.ENOSPC || result === -errno.EDQUOT
  const why = isFull ? 'the local disk is full' : `its journal cannot be written, error ${-result}`
  const what = isFull ? 'make room there' : 'look at that disk'
  return new EdgemountError(isFull ? 'exhausted' : 'unavailable', `Cannot take up what was written and is not published: ${why}; nothing of it is lost: ${what} and mount again`)
}

function labelsOf(state: ChangeState<unknown>, ids: readonly FileId[]): string[] {
  const labels = new Labels(state)
  return ids.map((id) => labels.of(id))
}
