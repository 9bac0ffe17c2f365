/**
 * One commit: apply operations to the head, write what that made, and take the next slot of the log; again on the newer head while others are
 * faster.
 *
 * Ordering law: data packs are durable before the metadata packs that name them, and those before the record.
 */
import { throwIfAborted } from '../abort.ts'
import { toHex } from '../bytes.ts'
import { EdgemountError } from '../error.ts'
import type { CommitRecord } from '../format/commit.ts'
import type { FileId, Pointer, Time } from '../format/entry.ts'
import { type CommitOperation, planOperations } from '../format/commit-operation.ts'
import type { PageIo } from '../format/page.ts'
import { deadline } from '../lifetime.ts'
import { randomFraction } from '../random.ts'
import type { LoggedRecord } from './commit-log.ts'
import { Moves } from './moves.ts'
import type { Conflict, Operation } from './operation.ts'
import { Overlay } from './overlay.ts'
import type { VolumeParts } from './parts.ts'
import { type Prepared, Replay } from './replay.ts'
import { Snapshot } from './snapshot.ts'
import { Transaction } from './transaction.ts'

/** With random waits in between, a hundred lost races in a row mean a log that nobody can write to, not bad luck. */
const triesMax = 100
const backoffMs = 4
const backoffMsMax = 1000

/** Where a commit's pages go: the content writer. */
export interface CommitSession {
  newFileId(): FileId
  storePage(bytes: Uint8Array): Promise<Pointer>
  /** Everything that was stored is durable when it resolves. The signal ends the waiting. */
  flush(signal?: AbortSignal): Promise<void>
}

export interface CommitOptions {
  readonly message?: string | undefined
  /** Instead of the engine's. */
  readonly author?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** What the operations were made from: what changed after it is merged as after a lost race. The head unless given. */
  readonly base?: Snapshot | undefined
  /** `keep-both` (the default) merges and gives losers a conflict name; `refuse` throws `stale` and commits nothing. */
  readonly onConflict?: 'keep-both' | 'refuse' | undefined
  /** Of the record, by which a commit is found whose answer was lost; random unless given. Never one that another commit had. */
  readonly nonce?: string | undefined
}

export interface CommitResult {
  readonly seq: number
  readonly record: CommitRecord
  readonly snapshot: Snapshot
  readonly conflicts: readonly Conflict[]
}

interface RecordOptions extends Pick<CommitOptions, 'author' | 'message' | 'signal'> {
  readonly nonce?: string | undefined
}

/** What a try makes of the head. */
export interface Attempt {
  readonly overlay: Overlay
  /** False: the head is as it should be, and nothing is committed. */
  readonly isChanged: boolean
  readonly performed: readonly CommitOperation[]
}

interface Committed<A extends Attempt> {
  readonly record: CommitRecord
  readonly snapshot: Snapshot
  /** The try that went through. */
  readonly attempt: A
}

export async function commitOperations(
  parts: VolumeParts,
  session: CommitSession,
  operations: readonly Operation[],
  options: CommitOptions,
  readHead: () => Promise<LoggedRecord>,
): Promise<CommitResult> {
  const batch = new Batch(parts, session, operations, options)
  const { record, snapshot, attempt } = await runCommit(parts, session, options, readHead, (head) => batch.apply(head))
  return { seq: record.seq, record, snapshot, conflicts: attempt.conflicts }
}

/** One commit of this process at a time: applies, stores, and takes the slot after the head; again on the newer head while somebody else gets it. */
export async function runCommit<A extends Attempt>(
  parts: VolumeParts,
  session: CommitSession,
  options: RecordOptions,
  readHead: () => Promise<LoggedRecord>,
  apply: (head: Snapshot) => Promise<A>,
): Promise<Committed<A>> {
  const { signal } = options
  const nonce = options.nonce ?? toHex(parts.random.bytes(16))
  // Behind a store that is silent nobody waits for as many deadlines as there are commits before his.
  const turn = deadline(parts.clock, parts.waitMs, `commit to "${parts.config.name}": others are before it`, signal)
  const release = await parts.turns.acquire(turn.signal).finally(() => turn.dispose())
  try {
    for (let count = 1; count <= triesMax; count += 1) {
      const head = await readHead()
      const snapshot = new Snapshot(head.record, parts)
      const attempt = await apply(snapshot)
      if (!attempt.isChanged) return { record: head.record, snapshot, attempt }
      const record = await makeRecord(parts, session, options, { head, attempt, nonce })
      throwIfAborted(signal)
      if ((await parts.commits.append(record, signal)) !== undefined) return { record, snapshot: new Snapshot(record, parts), attempt }
      const waitMs = Math.min(backoffMs * 2 ** count, backoffMsMax) * randomFraction(parts.random)
      await parts.clock.sleep(waitMs, signal)
    }
  } finally {
    release()
  }
  throw new EdgemountError('unavailable', `Cannot commit to "${parts.config.name}": lost the next slot of the log to others ${triesMax} times`)
}

/** Everything that the record points to is durable when it resolves. */
async function makeRecord(
  parts: VolumeParts,
  session: CommitSession,
  { author = parts.author, message, signal }: RecordOptions,
  { head, attempt, nonce }: { readonly head: LoggedRecord; readonly attempt: Attempt; readonly nonce: string },
): Promise<CommitRecord> {
  const io: PageIo = { load: (pointer) => parts.pages.load(pointer, signal), store: (page) => session.storePage(page) }
  const root = await attempt.overlay.flush(io)
  const told = await tell(session, attempt.performed)
  await session.flush(signal)
  const time = parts.clock.now()
  return { seq: head.record.seq + 1, parent: head.hash, root, nonce, author, time, ...(message === undefined ? {} : { message }), ...told }
}

/** The event feed: in the record, or in pages of the metadata pack. */
async function tell(session: CommitSession, performed: readonly CommitOperation[]): Promise<Pick<CommitRecord, 'operations' | 'operationPages'>> {
  const plan = planOperations(performed)
  if ('inline' in plan) return { operations: plan.inline }
  const operationPages: Pointer[] = []
  for (const page of plan.pages) operationPages.push(await session.storePage(page))
  return { operations: [], operationPages }
}

/** Operations, and what they were applied to first. */
class Batch {
  readonly #parts: VolumeParts
  readonly #session: CommitSession
  readonly #options: CommitOptions
  readonly #prepared: readonly Prepared[]
  readonly #now: Time
  #base: Snapshot | undefined

  constructor(parts: VolumeParts, session: CommitSession, operations: readonly Operation[], options: CommitOptions) {
    this.#parts = parts
    this.#session = session
    this.#options = options
    this.#prepared = operations.map((operation) => ({ operation, id: session.newFileId(), seen: undefined }))
    this.#now = timeOf(parts.clock.now())
  }

  async apply(head: Snapshot): Promise<Attempt & { readonly conflicts: readonly Conflict[] }> {
    const { base } = this.#options
    // To what they were made from, to see what they expect; nothing of it is written.
    if (this.#base === undefined && base !== undefined && base.seq !== head.seq) await this.#replay(base)
    return this.#replay(head)
  }

  async #replay(snapshot: Snapshot): Promise<Attempt & { readonly conflicts: readonly Conflict[] }> {
    const overlay = new Overlay(snapshot.root, this.#parts.pages)
    const transaction = new Transaction(overlay, { now: this.#now, newFileId: () => this.#session.newFileId() })
    const moves = this.#base === undefined ? undefined : new Moves(this.#base, snapshot)
    const author = this.#options.author ?? this.#parts.author
    const refusesConflicts = this.#options.onConflict === 'refuse'
    const replay = new Replay(transaction, { hash: this.#parts.hash, author, seq: snapshot.seq + 1, moves, refusesConflicts })
    for (const prepared of this.#prepared) await replay.run(prepared)
    this.#base ??= snapshot
    return { overlay, isChanged: true, performed: replay.performed, conflicts: replay.conflicts }
  }
}

export function timeOf(ms: number): Time {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanoseconds: Math.round((ms - seconds * 1000) * 1_000_000) }
}
