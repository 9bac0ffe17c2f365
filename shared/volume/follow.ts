/**
 * The log as a stream of records: every one once, in order, without gaps.
 */
import { throwIfAborted } from '../abort.ts'
import type { CommitRecord } from '../format/commit.ts'
import type { Clock } from '../clock.ts'
import type { CommitLog } from './commit-log.ts'

export interface FollowRequest {
  /** The first record is the one after this seq. */
  readonly after: number
  /** Ends the stream, with the signal's error. */
  readonly signal: AbortSignal
  /** How long to wait before looking again; a commit of this process is seen at once. 1000 unless given. */
  readonly pollMs?: number | undefined
}

/** Never ends by itself. Failures of the store are the caller's: it follows again from where it was. */
export async function* followLog(commits: CommitLog, clock: Clock, request: FollowRequest): AsyncGenerator<CommitRecord, never> {
  const { signal, pollMs = 1000 } = request
  for (let seq = request.after + 1; ; ) {
    throwIfAborted(signal)
    const seenSeq = commits.latest?.record.seq ?? 0
    const logged = await commits.read(seq, signal)
    if (logged === undefined) {
      await waitForNewer(commits, clock, { seenSeq, pollMs, signal })
      continue
    }
    yield logged.record
    seq += 1
  }
}

/** Until the time is over or this process learns of a newer record. */
async function waitForNewer(commits: CommitLog, clock: Clock, wait: { seenSeq: number; pollMs: number; signal: AbortSignal }): Promise<void> {
  const woken = new AbortController()
  const stop = commits.onNewer(() => woken.abort())
  try {
    if ((commits.latest?.record.seq ?? 0) > wait.seenSeq) return
    await clock.sleep(wait.pollMs, AbortSignal.any([wait.signal, woken.signal]))
  } catch (error) {
    if (!woken.signal.aborted || wait.signal.aborted) throw error
  } finally {
    stop()
  }
}
