/**
 * Follows a volume's log on behalf of a mount: each newer commit becomes a `Change`, and whether commits would be seen at once is told too.
 *
 * Called by the daemon. It looks for the next record every `pollMs`, or when somebody announces a commit. Failures are retried with backoff for as
 * long as the mount stands; meanwhile the mount is told that it does not follow.
 */
import { untilAborted } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { type ErrorCode, codeOf, messageOf } from '../../shared/error.ts'
import { encodeRoot } from '../../shared/format/entry-codec.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { Logger } from '../../shared/log.ts'
import { type Random, randomFraction } from '../../shared/random.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import type { Change } from '../fs/backend.ts'
import type { VolumeSource } from './mounted-volume.ts'
import { changeBetween } from './change.ts'

export interface FollowerParts {
  readonly volume: Pick<Volume, 'head' | 'at'>
  readonly from: Snapshot
  /** False when the mount began from what was remembered, without having reached the store. */
  readonly isConnected: boolean
  /** `from` is not the newest that is known: the newest is asked for at once, not one commit after the other. */
  readonly isBehind?: boolean | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly pollMs: number
  /** Announces commits. While it does, the log is looked at rarely. */
  readonly events?: VolumeSource['events']
  readonly deadlineMs: number
  /** Whether the store leads to this volume still: asked after each break, before a commit is taken from it. Throws when it does not. */
  confirm?(signal: AbortSignal): Promise<void>
  onChange(change: Change): void
  onFollowing(isFollowing: boolean): void
}

/** The safety net below announced commits. */
const announcedPollMs = 15_000
const backoffMsMin = 250
const backoffMsMax = 5000
/** A comparison that passed its deadline is tried once more: it may have been the network. */
const slowCountMax = 2
/** Failures of the way to the store. Any other will be the same the next time. */
const passingCodes: ReadonlySet<ErrorCode> = new Set(['unavailable', 'exhausted', 'aborted', 'closed', 'denied'])

export class Follower {
  readonly #parts: FollowerParts
  readonly #stop = new AbortController()
  #current: Snapshot
  #isConnected: boolean
  #isBehind: boolean
  #pausing: AbortController | undefined
  #running: Promise<unknown> | undefined
  readonly #waiters = new Set<{ readonly seq: number; readonly resolve: () => void }>()
  #isAnnounced = false
  /** Somebody announced a commit since the log was last looked at. */
  #isDue = false
  /** Comparisons in a row that took too long. */
  #slowCount = 0

  constructor(parts: FollowerParts) {
    this.#parts = parts
    this.#current = parts.from
    this.#isConnected = parts.isConnected
    this.#isBehind = parts.isBehind ?? false
  }

  get seq(): number {
    return this.#current.seq
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  start(): void {
    this.#running ??= Promise.all([this.#run(), this.#listen()])
  }

  /** Resolves once `onChange` was called for that commit or a newer one. */
  async until(seq: number, signal: AbortSignal): Promise<void> {
    if (this.#current.seq >= seq) return
    const reached = Promise.withResolvers<undefined>()
    const waiter = { seq, resolve: () => reached.resolve(undefined) }
    this.#waiters.add(waiter)
    try {
      this.announce()
      await untilAborted(reached.promise, AbortSignal.any([signal, this.#stop.signal]))
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  /** Resolves once the log was looked at after this call, and what was newer has been given to `onChange`. Throws when that is impossible now. */
  async revalidate(signal: AbortSignal): Promise<void> {
    const head = await this.#parts.volume.head({ signal })
    await this.until(head.seq, signal)
  }

  /** Somebody says that there is a newer commit: look now. */
  announce(): void {
    this.#isDue = true
    this.#pausing?.abort()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    this.#pausing?.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let backoffMs = backoffMsMin
    while (!signal.aborted) {
      this.#isDue = false
      try {
        // After a break there may be many: the newest is asked for. Then they come one by one.
        const next = this.#isConnected && !this.#isBehind ? await this.#next() : await this.#newest()
        this.#isBehind = false
        backoffMs = backoffMsMin
        if (next !== undefined && next.seq > this.#current.seq) await this.#advance(next)
        this.#setConnected(true)
        if (next === undefined) await this.#pause(this.#isAnnounced ? Math.max(announcedPollMs, this.#parts.pollMs) : this.#parts.pollMs)
      } catch (error) {
        if (signal.aborted) return
        this.#noteFailure(error)
        await this.#pause(backoffMs * (0.5 + randomFraction(this.#parts.random)))
        backoffMs = Math.min(backoffMsMax, backoffMs * 2)
      }
    }
  }

  /** Each announcement makes `#run` look; what is announced is not used, so that there is one way for commits to come in. */
  async #listen(): Promise<void> {
    const { events, log } = this.#parts
    const onConnected = (isConnected: boolean): void => {
      this.#isAnnounced = isConnected
      this.announce()
    }
    try {
      const stream = events?.({ after: this.#current.seq, signal: this.#stop.signal, onConnected })
      for await (const { seq } of stream ?? []) if (seq > this.#current.seq) this.announce()
    } catch (error) {
      if (!this.#stop.signal.aborted) log.warn(`Commits are not announced, the log is looked at instead: ${messageOf(error)}`)
    }
  }

  async #newest(): Promise<Snapshot> {
    const { volume } = this.#parts
    await this.#deadline('read the configuration', async (limit) => this.#parts.confirm?.(limit))
    return this.#deadline('read the newest commit', (limit) => volume.head({ signal: limit }))
  }

  async #next(): Promise<Snapshot | undefined> {
    try {
      return await this.#deadline('read the next commit', (limit) => this.#parts.volume.at(this.#current.seq + 1, { signal: limit }))
    } catch (error) {
      if (codeOf(error) === 'not-found') return undefined
      throw error
    }
  }

  async #advance(next: Snapshot): Promise<void> {
    const change = await this.#compare(next)
    this.#slowCount = 0
    this.#current = next
    this.#parts.onChange(change)
    for (const { seq, resolve } of this.#waiters) if (seq <= next.seq) resolve()
  }

  /** What cannot be compared must not hold the mount at an old commit for ever: then everything counts as changed. */
  async #compare(next: Snapshot): Promise<Change> {
    const { clock, deadlineMs, log } = this.#parts
    const startMs = clock.now()
    try {
      return await this.#deadline('compare commits', (limit) => changeBetween(this.#current, next, limit))
    } catch (error) {
      if (this.#stop.signal.aborted) throw error
      if (clock.now() - startMs >= deadlineMs) this.#slowCount += 1
      if (passingCodes.has(codeOf(error)) && this.#slowCount < slowCountMax) throw error
      log.warn(`Cannot compare commit ${this.#current.seq} with ${next.seq}, everything is looked up again: ${messageOf(error)}`, { code: codeOf(error) })
      return { seq: next.seq, root: encodeRoot(next.root), names: undefined, inodes: [] }
    }
  }

  #noteFailure(error: unknown): void {
    if (this.#isConnected) this.#parts.log.warn(`Cannot follow the volume, trying again: ${messageOf(error)}`, { code: codeOf(error) })
    this.#setConnected(false)
  }

  #setConnected(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return
    this.#isConnected = isConnected
    if (isConnected) this.#parts.log.info('Following the volume again', { seq: this.#current.seq })
    this.#parts.onFollowing(isConnected)
  }

  #deadline<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(this.#parts.clock, this.#parts.deadlineMs, what, this.#stop.signal, work)
  }

  /** Until the time is over, a commit is announced, or the end. */
  async #pause(ms: number): Promise<void> {
    if (this.#stop.signal.aborted || this.#isDue) return
    const pausing = new AbortController()
    this.#pausing = pausing
    // It rejects when it is woken, which is as good as the end of the time.
    await this.#parts.clock.sleep(ms, pausing.signal).catch(() => undefined)
    this.#pausing = undefined
  }
}
