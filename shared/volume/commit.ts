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
  /** Everything that was stored is durable when it resolves. */
  flush(): Promise<void>
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

export async function commitOperations(
  parts: VolumeParts,
  session: CommitSession,
  operations: readonly Operation[],
  options: CommitOptions,
  readHead: () => Promise<LoggedRecord>,
): Promise<CommitResult> {
  const commit = new Commit(parts, session, operations, options)
  const release = await parts.turns.acquire(options.signal)
  try {
    let head = await readHead()
    if (options.base !== undefined && options.base.seq !== head.record.seq) await commit.look(options.base)
    for (let attempt = 1; attempt <= triesMax; attempt += 1) {
      const result = await commit.attempt(head)
      if (result !== undefined) return result
      const waitMs = Math.min(backoffMs * 2 ** attempt, backoffMsMax) * randomFraction(parts.random)
      await parts.clock.sleep(waitMs, options.signal)
      head = await readHead()
    }
  } finally {
    release()
  }
  throw new EdgemountError('unavailable', `Cannot commit to "${parts.config.name}": lost the next slot of the log to others ${triesMax} times`)
}

class Commit {
  readonly #parts: VolumeParts
  readonly #session: CommitSession
  readonly #options: CommitOptions
  readonly #prepared: readonly Prepared[]
  readonly #now: Time
  readonly #nonce: string
  /** What the operations were applied to first. */
  #base: Snapshot | undefined

  constructor(parts: VolumeParts, session: CommitSession, operations: readonly Operation[], options: CommitOptions) {
    this.#parts = parts
    this.#session = session
    this.#options = options
    this.#prepared = operations.map((operation) => ({ operation, id: session.newFileId(), seen: undefined }))
    this.#now = timeOf(parts.clock.now())
    this.#nonce = options.nonce ?? toHex(parts.random.bytes(16))
  }

  /** Applies the operations to what they were made from, to see what they expect; nothing is written. */
  async look(base: Snapshot): Promise<void> {
    await this.#apply(base)
  }

  /** One try for the slot after `head`; undefined when somebody else got it. */
  async attempt(head: LoggedRecord): Promise<CommitResult | undefined> {
    const { pages, commits, clock } = this.#parts
    const { signal, message } = this.#options
    const seq = head.record.seq + 1
    const { overlay, replay } = await this.#apply(new Snapshot(head.record, this.#parts))
    const io: PageIo = { load: (pointer) => pages.load(pointer, signal), store: (page) => this.#session.storePage(page) }
    const root = await overlay.flush(io)
    const told = await this.#tell(replay.performed)
    await this.#session.flush()
    throwIfAborted(signal)
    const record: CommitRecord = {
      seq,
      parent: head.hash,
      root,
      nonce: this.#nonce,
      author: this.#author,
      time: clock.now(),
      ...(message === undefined ? {} : { message }),
      ...told,
    }
    const logged = await commits.append(record, signal)
    if (logged === undefined) return undefined
    return { seq, record, snapshot: new Snapshot(record, this.#parts), conflicts: replay.conflicts }
  }

  get #author(): string {
    return this.#options.author ?? this.#parts.author
  }

  async #apply(snapshot: Snapshot): Promise<{ readonly overlay: Overlay; readonly replay: Replay }> {
    const overlay = new Overlay(snapshot.root, this.#parts.pages)
    const transaction = new Transaction(overlay, { now: this.#now, newFileId: () => this.#session.newFileId() })
    const moves = this.#base === undefined ? undefined : new Moves(this.#base, snapshot)
    const refusesConflicts = this.#options.onConflict === 'refuse'
    const replay = new Replay(transaction, { hash: this.#parts.hash, author: this.#author, seq: snapshot.seq + 1, moves, refusesConflicts })
    for (const prepared of this.#prepared) await replay.run(prepared)
    this.#base ??= snapshot
    return { overlay, replay }
  }

  /** The event feed: in the record, or in pages of the metadata pack. */
  async #tell(performed: readonly CommitOperation[]): Promise<Pick<CommitRecord, 'operations' | 'operationPages'>> {
    const plan = planOperations(performed)
    if ('inline' in plan) return { operations: plan.inline }
    const operationPages: Pointer[] = []
    for (const page of plan.pages) operationPages.push(await this.#session.storePage(page))
    return { operations: [], operationPages }
  }
}

export function timeOf(ms: number): Time {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanoseconds: Math.round((ms - seconds * 1000) * 1_000_000) }
}
