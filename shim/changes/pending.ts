/**
 * How much waits to be published, and which files: for the publisher's plan and the status.
 */
import type { FileId } from '../../shared/format/entry.ts'
import type { BodyLooks } from './batch.ts'
import type { ChangeState, NodeState } from './change-state.ts'
import type { ChangedBody } from './edit.ts'
import { areSameEntries } from './entry-merge.ts'
import { Labels } from './labels.ts'
import type { Pending } from './publishing.ts'

export interface PendingTimes {
  oldestMs: number | undefined
  newestMs: number | undefined
  /** When the last batch was taken: what is left after it is younger. */
  takenMs: number | undefined
}

export interface WaitingFile {
  readonly id: FileId
  readonly label: string
  readonly size: number
  readonly isOpen: boolean
}

export function pendingOf<Body extends ChangedBody>(state: ChangeState<Body>, { oldestMs, newestMs }: PendingTimes): Pending {
  let changeCount = state.movedCount
  let dirtyFileCount = state.bodyCount
  let dirtyBytes = state.bodyBytes
  for (const node of state.nodes.values()) {
    const { body, entry, base } = node
    if (isClean(node)) {
      dirtyFileCount -= 1
      dirtyBytes -= node.bodyBytes
      if (base !== undefined && areSameEntries({ ...entry, size: node.contentSize }, base)) continue
    } else if (body !== undefined && state.bodyCount <= lookedAtMax) {
      // A file that grows while it is open: what was counted is of before.
      const stat = body.fstat()
      if (typeof stat !== 'number') dirtyBytes += stat.size - node.bodyBytes
    }
    changeCount += 1
  }
  const isNone = changeCount === 0
  return {
    changeCount,
    dirtyBytes: Math.max(0, dirtyBytes),
    dirtyFileCount,
    oldestMs: isNone ? undefined : oldestMs,
    newestMs: isNone ? undefined : newestMs,
    counter: state.counter,
  }
}

/** So many backing files are asked for their size each time. */
const lookedAtMax = 256

/** Its body holds what is published. */
export function isClean<Body extends ChangedBody>({ body, published }: NodeState<Body>): boolean {
  return body !== undefined && published !== undefined && body.isAt(published)
}

export function waitingOf<Body extends ChangedBody>(state: ChangeState<Body>, looks: BodyLooks<Body>, limit: number): WaitingFile[] {
  const labels = new Labels(state)
  const files: WaitingFile[] = []
  for (const node of state.nodes.values()) {
    const { body, entry } = node
    if (files.length >= limit) break
    if (body === undefined || entry.linkCount === 0 || isClean(node)) continue
    const stat = body.fstat()
    files.push({ id: entry.id, label: labels.of(entry.id), size: typeof stat === 'number' ? entry.size : stat.size, isOpen: looks.isOpen(entry.id) })
  }
  return files
}
