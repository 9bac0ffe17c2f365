/**
 * Publishes what a mount has changed, on the network thread: takes batches from the file system when it is time (`publish-plan.ts`), makes a commit of each,
 * and says what came of it. Called by the daemon, which carries the messages.
 *
 * INVARIANT: nothing is dropped here. What cannot be published stays with the file system, in its journal, and is tried again for as long as the mount
 * stands. A batch whose commit may have happened is looked for in the log by its nonce, and committed again if it is not there, before another is taken.
 */
import type { Clock } from '../../shared/clock.ts'
import { type ErrorCode, EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import type { FileId } from '../../shared/format/entry.ts'
import { deadline } from '../../shared/lifetime.ts'
import type { Logger } from '../../shared/log.ts'
import { type Random, randomFraction } from '../../shared/random.ts'
import type { ChangeConflict, ChangeSet } from '../../shared/volume/change-set.ts'
import type { Batch, Pending, Published, ToChanges, ToPublisher } from '../changes/publishing.ts'
import { type Commit, type PreparedBatch, prepareBatch, publishedOf } from './batch-commit.ts'
import type { BodyContents } from './body-contents.ts'
import { MessageLink } from './changes-link.ts'
import { type Amount, type PublishSettings, type PublishState, isFirm, planPublishing } from './publish-plan.ts'
import { PublishWaiters } from './publish-waiters.ts'

export interface PublisherParts {
  readonly settings: PublishSettings
  readonly contents: BodyContents
  /** Makes one commit of the set. */
  commit(set: ChangeSet, options: CommitName & { readonly shownSeq: number; readonly signal: AbortSignal }): Promise<Commit>
  /** What the commit did that has this nonce, if there is one up to the newest. */
  find(name: CommitName, signal: AbortSignal): Promise<Commit | undefined>
  /** A session that has failed is ended, and another one begun, which knows of nothing that the first had brought. True when it was so. */
  startOver(): boolean
  /** Resolves once the file system has been told of that commit: the next batch compares with it, or with a newer one. */
  untilShown(seq: number, signal: AbortSignal): Promise<void>
  /** To the file-system thread. */
  send(message: ToChanges): void
  readonly clock: Clock
  /** Milliseconds that only grow. */
  readonly now: () => number
  readonly random: Random
  readonly log: Logger
}

export interface CommitName {
  /** The oldest snapshot that one of the changes was made from. */
  readonly baseSeq: number
  readonly nonce: string
}

export interface PublisherStatus {
  readonly dirtyBytes: number
  readonly dirtyFileCount: number
  readonly changeCount: number
  readonly oldestAgeMs: number | undefined
  /** A round is under way. */
  readonly isPublishing: boolean
  readonly lastError: { readonly code: ErrorCode; readonly message: string; readonly sinceMs: number } | undefined
  /** The newest. */
  readonly conflicts: readonly (ChangeConflict & { readonly seq: number })[]
  readonly conflictCount: number
  /** Files that the last round left out, and why. */
  readonly leftOut: readonly { readonly path: string; readonly size: number; readonly why: string }[]
  readonly commitCount: number
  /** The newest commit of ours. */
  readonly publishedSeq: number
  /** Rounds that are over, whatever came of them. */
  readonly roundCount: number
  /** Of changed files, to publish them. */
  readonly readBytes: number
}

interface Taken {
  readonly prepared: PreparedBatch
  /** Of a batch of everything: its number. */
  readonly taken: number | undefined
}

const nothing: Amount = { changeCount: 0, dirtyBytes: 0 }
const listedMax = 100
const changesWhileRead = 'it changes while it is read'

export class Publisher {
  readonly #parts: PublisherParts
  readonly #link: MessageLink
  readonly #waiters = new PublishWaiters()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #pausing: AbortController | undefined
  #pending: Pending | undefined
  #left: Amount = nothing
  #newestMs: number | undefined
  #oldestMs: number | undefined
  #endedMs: number
  #failure: (NonNullable<PublishState['failure']> & { readonly code: ErrorCode; readonly message: string; readonly sinceMs: number }) | undefined
  /** Its commit may have happened. */
  #held: Taken | undefined
  #isPublishing = false
  #conflicts: PublisherStatus['conflicts'] = []
  #conflictCount = 0
  #commitCount = 0
  #publishedSeq = 0
  #roundCount = 0
  #leftOut: PublisherStatus['leftOut'] = []

  constructor(parts: PublisherParts) {
    this.#parts = parts
    this.#endedMs = parts.now()
    this.#link = new MessageLink((message) => parts.send(message))
  }

  get status(): PublisherStatus {
    const { dirtyBytes = 0, dirtyFileCount = 0, changeCount = 0, oldestMs } = this.#pending ?? {}
    const { code, message, sinceMs } = this.#failure ?? {}
    return {
      dirtyBytes,
      dirtyFileCount,
      changeCount,
      oldestAgeMs: oldestMs === undefined ? undefined : Math.max(0, this.#parts.clock.now() - oldestMs),
      isPublishing: this.#isPublishing,
      lastError: code === undefined ? undefined : { code, message: message!, sinceMs: sinceMs! },
      conflicts: this.#conflicts,
      conflictCount: this.#conflictCount,
      leftOut: this.#leftOut,
      commitCount: this.#commitCount,
      publishedSeq: this.#publishedSeq,
      roundCount: this.#roundCount,
      readBytes: this.#parts.contents.readBytes,
    }
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** From the file-system thread. */
  receive(message: ToPublisher): void {
    if (this.#link.receive(message)) return
    if (message.kind === 'pending') this.#notePending(message.pending)
  }

  /**
   * Publishes everything that was acknowledged before the call, `id`'s content at least where it is given. Throws `unavailable`, with the reason, when that
   * has not come about in time; it is still tried then.
   */
  async flush(options: { readonly id?: FileId | undefined; readonly deadlineMs: number; readonly signal?: AbortSignal | undefined }): Promise<void> {
    const { deadlineMs, signal } = options
    const limit = deadline(this.#parts.clock, deadlineMs, 'publish everything', signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]))
    try {
      const published = this.#waiters.wait(options.id, limit.signal)
      this.#wake()
      await published
    } catch (error) {
      if (signal?.aborted === true || this.#stop.signal.aborted) throw error
      throw new EdgemountError('unavailable', `Cannot publish everything within ${deadlineMs / 1000} s: ${this.#reason()}`, { cause: error })
    } finally {
      limit.dispose()
    }
  }

  /** Ends what is under way; what is not published stays where it is. */
  async close(): Promise<void> {
    this.#stop.abort(new EdgemountError('closed', 'Cannot publish: the mount ends'))
    this.#link.close()
    this.#wake()
    await this.#running
  }

  #notePending(pending: Pending): void {
    const nowMs = this.#parts.now()
    if (pending.changeCount > 0 && pending.counter !== this.#pending?.counter) {
      this.#newestMs = nowMs
      this.#oldestMs ??= nowMs
    }
    // What a round has left shows in the first word after it.
    if (this.#newestMs === undefined) this.#left = pending
    this.#pending = pending
    this.#wake()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const plan = planPublishing(this.#state(), this.#parts.settings)
      if (plan.kind === 'publish') await this.#round(plan.isEverything)
      else await this.#pause(plan.kind === 'wait' ? plan.ms : undefined)
    }
  }

  #state(): PublishState {
    const { changeCount = 0, dirtyBytes = 0 } = this.#pending ?? {}
    return {
      nowMs: this.#parts.now(),
      amount: { changeCount, dirtyBytes },
      left: this.#left,
      newestMs: this.#newestMs,
      oldestMs: this.#oldestMs,
      endedMs: this.#endedMs,
      isAsked: !this.#waiters.isEmpty,
      isAskedAnew: this.#waiters.isAskedAnew,
      failure: this.#failure,
    }
  }

  /** Never rejects. */
  async #round(isEverything: boolean): Promise<void> {
    this.#waiters.noteTry()
    this.#isPublishing = true
    try {
      const taken = this.#held ?? (await this.#take(isEverything))
      if (taken !== undefined) await this.#commit(taken)
      if (this.#failure !== undefined) this.#parts.log.info('Publishing again')
      this.#failure = undefined
    } catch (error) {
      if (this.#parts.startOver()) this.#parts.contents.forgetAll()
      if (!this.#stop.signal.aborted) this.#noteFailure(error)
    }
    this.#isPublishing = false
    this.#roundCount += 1
    this.#endedMs = this.#parts.now()
  }

  /** Undefined when there is nothing. */
  async #take(isEverything: boolean): Promise<Taken | undefined> {
    const { signal } = this.#stop
    const number = isEverything ? this.#waiters.noteTaken() : undefined
    this.#newestMs = undefined
    this.#oldestMs = undefined
    const batch = await this.#takeBatch(isEverything)
    if (batch === undefined) {
      this.#noteLeft([])
      if (number !== undefined) this.#waiters.settle(number, new Set())
      return undefined
    }
    try {
      const prepared = await prepareBatch(batch, { contents: this.#parts.contents, link: this.#link, restless: this.#waiters.missed }, signal)
      if (batch.changes.names.length + batch.changes.nodes.length > 0) return { prepared, taken: number }
      // All that there is cannot be looked at.
      this.#link.tell({ kind: 'not-published' })
      this.#noteLeft(prepared.unread)
      if (number !== undefined) this.#waiters.settle(number, new Set(prepared.unread.map(({ body }) => body.id)))
      return undefined
    } catch (error) {
      this.#link.tell({ kind: 'not-published' })
      throw error
    }
  }

  /** What became of a batch that nobody remembers here is found out first. */
  async #takeBatch(isEverything: boolean): Promise<Batch | undefined> {
    for (let lastNonce: string | undefined; ; ) {
      const answer = await this.#link.takeBatch(isEverything)
      if (answer === undefined || 'changes' in answer) return answer
      if (answer.nonce === lastNonce) throw new EdgemountError('unavailable', 'Cannot publish more: the file system has not taken in yet what was published last')
      lastNonce = answer.nonce
      const found = await this.#parts.find(answer, this.#stop.signal)
      this.#parts.log.info(found === undefined ? 'What was to be published before the restart is published now' : `What was published before the restart is commit ${found.seq}`)
      if (found === undefined) this.#link.tell({ kind: 'not-published' })
      else await this.#tellPublished(publishedOf(answer, [], found))
    }
  }

  async #commit(taken: Taken): Promise<void> {
    const { batch, bodies, unread } = taken.prepared
    const committed = await this.#commitOnce(taken)
    this.#commitCount += 1
    this.#parts.contents.forget(bodies.map(({ id }) => id))
    this.#noteConflicts(committed)
    const missed = new Set(unread.map(({ body }) => body.id))
    this.#noteLeft(unread)
    const shown = this.#tellPublished(publishedOf(batch, bodies, committed))
    if (taken.taken !== undefined) this.#waiters.settle(taken.taken, missed)
    await shown
  }

  /** While it is open whether a commit happened, it is looked for, and else tried again, the same. */
  async #commitOnce(taken: Taken): Promise<Commit> {
    const { signal } = this.#stop
    const { set, batch } = taken.prepared
    try {
      const found = this.#held === taken ? await this.#parts.find(batch, signal) : undefined
      const committed = found ?? (await this.#parts.commit(set, { baseSeq: batch.baseSeq, shownSeq: batch.shownSeq, nonce: batch.nonce, signal }))
      this.#held = undefined
      return committed
    } catch (error) {
      this.#held = signal.aborted || !isFirm(codeOf(error)) ? taken : undefined
      if (this.#held === undefined) this.#link.tell({ kind: 'not-published' })
      throw error
    }
  }

  /** The next batch is to compare with that commit, or with a newer one. */
  async #tellPublished(published: Published): Promise<void> {
    this.#link.tell({ kind: 'published', published })
    this.#publishedSeq = published.seq
    this.#left = nothing
    await this.#parts.untilShown(published.seq, this.#stop.signal)
  }

  #noteLeft(unread: PreparedBatch['unread']): void {
    this.#leftOut = unread.slice(0, listedMax).map(({ body, why = changesWhileRead }) => ({ path: body.label, size: body.size, why }))
    for (const { body, why } of unread) if (why !== undefined) this.#parts.log.error(`Cannot publish "${body.label}": ${why}`)
  }

  #noteConflicts({ conflicts, seq }: Commit): void {
    this.#conflictCount += conflicts.length
    this.#conflicts = [...this.#conflicts, ...conflicts.slice(-listedMax).map((conflict) => ({ ...conflict, seq }))].slice(-listedMax)
    for (const { path, keptAs } of conflicts) this.#parts.log.warn(`"${path}" was changed elsewhere too: what was written here is kept as "${keptAs}"`, { seq })
  }

  #noteFailure(error: unknown): void {
    const code = codeOf(error)
    const message = messageOf(error)
    const { random, now, log, clock } = this.#parts
    const count = (this.#failure?.count ?? 0) + 1
    const isNew = this.#failure?.code !== code
    const sinceMs = this.#failure?.sinceMs ?? clock.now()
    this.#failure = { count, isFirm: isFirm(code), atMs: now(), chance: randomFraction(random), code, message, sinceMs }
    if (isFirm(code)) log.error(`Cannot publish what was changed here, it is kept and tried again: ${message}`, { code })
    else if (isNew) log.warn(`Cannot publish what was changed here yet: ${message}`, { code })
  }

  #reason(): string {
    if (this.#failure !== undefined) return this.#failure.message
    const [first] = this.#leftOut
    if (first !== undefined) return `"${first.path}": ${first.why}`
    return this.#isPublishing ? 'it is still being sent' : 'the file system does not answer'
  }

  /** Until the time is over, or something happens. */
  async #pause(ms: number | undefined): Promise<void> {
    const pausing = new AbortController()
    this.#pausing = pausing
    const signal = AbortSignal.any([pausing.signal, this.#stop.signal])
    await this.#parts.clock.sleep(ms ?? idleMs, signal).catch(() => undefined)
    this.#pausing = undefined
  }

  #wake(): void {
    this.#pausing?.abort()
  }
}

/** Nothing is due: it is looked again this seldom. */
const idleMs = 60_000
