/**
 * The publisher of a mount, put together on the network thread: the volume it writes to, the patience of its uploads, and the answers to what the
 * file-system thread asks of it.
 */
import { type Clock, systemMonotonicMs } from '../../shared/clock.ts'
import { errno, errnoOfCode } from '../../shared/errno.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { Logger } from '../../shared/log.ts'
import type { Random } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import type { ToChanges, ToPublisher } from '../changes/publishing.ts'
import { BodyContents } from '../publish/body-contents.ts'
import { PatientStore } from '../publish/patient-store.ts'
import { Publisher, type PublisherStatus } from '../publish/publisher.ts'
import { type Progress, getsOn } from '../publish/progress.ts'
import { delayMsMaxDefault } from '../publish/publish-plan.ts'
import { UploadMeter } from '../publish/upload-meter.ts'
import { VolumeTarget } from '../publish/volume-target.ts'
import type { Follower } from '../volume/follower.ts'

export interface PublishingStatus extends PublisherStatus {
  readonly uploadBytesPerSecond: number
  readonly uploadedBytes: number
  /** Why an upload is tried again. */
  readonly uploadError: string | undefined
}

/** What was not published when the mount ended. It is kept for the next mount of the volume here. */
export interface Unpublished {
  readonly changeCount: number
  readonly dirtyBytes: number
  readonly why: string
  /** Where it is kept. */
  readonly directory: string | undefined
}

/** With `discards` what is not published is dropped for ever; else it is published for `waitMs`, and what is left then is kept for the next mount. */
export interface Ending {
  readonly discards?: boolean | undefined
  readonly waitMs?: number | undefined
}

export interface PublishingWait {
  readonly waitMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface UploadParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** The store that a writable mount's volume works with. It outlives the volume. */
export class Uploads {
  readonly store: PatientStore
  readonly meter: UploadMeter
  readonly #end = new AbortController()
  #failure: string | undefined

  constructor({ store, clock, random, log }: UploadParts) {
    this.meter = new UploadMeter(systemMonotonicMs)
    this.store = new PatientStore({
      store,
      clock,
      random,
      signal: this.#end.signal,
      onOutcome: (error) => {
        const message = error === undefined ? undefined : messageOf(error)
        if (message !== undefined && this.#failure === undefined) log.warn(`Cannot upload what was changed here yet, it is kept and tried again: ${message}`, { code: codeOf(error) })
        if (message === undefined && this.#failure !== undefined) log.info('Uploading again')
        this.#failure = message
      },
      onStored: (bytes) => this.meter.add(bytes),
    })
  }

  get failure(): string | undefined {
    return this.#failure
  }

  /** What is not stored by now is given up. */
  close(): void {
    this.#end.abort(new EdgemountError('closed', 'Cannot upload: the mount ends'))
  }
}

/** The snapshot that was published last is in memory here. */
const shownMsMax = 2000
/** The file system says this late what it has left. */
const drainMsMin = 500

export interface MountPublishingParts {
  readonly volume: Volume
  readonly uploads: Uploads
  readonly author: string
  readonly delayMs: number
  /** How long programs wait for the store. */
  readonly deadlineMs: number
  readonly send: (message: ToChanges) => void
  readonly follower: () => Pick<Follower, 'until' | 'revalidate'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export class MountPublishing {
  readonly #parts: MountPublishingParts
  readonly #publisher: Publisher
  readonly #target: VolumeTarget
  readonly #end = new AbortController()
  readonly #leaving = new AbortController()
  #isStarted = false
  #isDraining = false
  #ending: Ending = {}
  #unpublished: Unpublished | undefined

  constructor(parts: MountPublishingParts) {
    this.#parts = parts
    const { volume, author, clock, random, log, send } = parts
    const target = new VolumeTarget(volume, author)
    this.#target = target
    this.#publisher = new Publisher({
      settings: { delayMs: parts.delayMs, delayMsMax: Math.max(delayMsMaxDefault, parts.delayMs) },
      contents: new BodyContents(target, systemMonotonicMs),
      commit: (set, options) => target.commit(set, options),
      find: (name, signal) => target.find(name, signal),
      startOver: () => target.startOver(),
      untilShown: (seq, signal) => parts.follower().until(seq, signal),
      send,
      clock,
      now: systemMonotonicMs,
      random,
      log,
    })
  }

  get status(): PublishingStatus {
    const { meter, failure } = this.#parts.uploads
    return { ...this.#publisher.status, uploadBytesPerSecond: meter.bytesPerSecond, uploadedBytes: meter.bytes, uploadError: failure }
  }

  /** What was left when the mount ended. */
  get unpublished(): Unpublished | undefined {
    return this.#unpublished
  }

  start(): void {
    this.#isStarted = true
    this.#publisher.start()
  }

  receive(message: ToPublisher): void {
    if (message.kind === 'publish') void this.#publish(message)
    else if (message.kind === 'revalidate') void this.#revalidate(message.ticket)
    else if (message.kind === 'claim') void this.#claim(message)
    else this.#publisher.receive(message)
  }

  /**
   * Publishes everything that was written before the call. Throws `unavailable`, with the reason, when that has not come about in `waitMs`; without it, when
   * it does not get on any more.
   */
  async flush({ waitMs, signal }: PublishingWait = {}): Promise<void> {
    const { uploads, deadlineMs } = this.#parts
    for (;;) {
      const before = this.#progress()
      uploads.store.nudge()
      try {
        await this.#publisher.flush({ deadlineMs: waitMs ?? deadlineMs, signal })
        await this.#untilShown()
        return
      } catch (error) {
        const isEnded = signal?.aborted === true || this.#end.signal.aborted
        if (isEnded || waitMs !== undefined || !getsOn(before, this.#progress())) throw error
      }
    }
  }

  /** The mount is about to end. What is not published then is dropped with `discards`, else published for as long as `waitMs` says. */
  prepareEnd(ending: Ending): void {
    this.#ending = ending
    if (this.#isDraining && ending.discards === true) this.leave()
  }

  /** Ends the waiting of `drain`. */
  leave(): void {
    this.#leaving.abort(new EdgemountError('aborted', 'Cannot publish the rest: it is kept for the next mount'))
  }

  /** The mount is gone: publishes the rest. True: what is left is to be dropped. `directory` is where it is kept else. */
  async drain(directory: string | undefined): Promise<boolean> {
    this.#isDraining = true
    const { discards = false, waitMs } = this.#ending
    if (discards || !this.#isStarted) return discards
    try {
      await this.flush({ waitMs: waitMs === undefined ? undefined : Math.max(waitMs, drainMsMin), signal: this.#leaving.signal })
    } catch (error) {
      if (this.#ending.discards === true) return true
      const { changeCount, dirtyBytes } = this.#publisher.status
      if (changeCount === 0) return false
      this.#unpublished = { changeCount, dirtyBytes, why: messageOf(error), directory }
      this.#parts.log.info(`${changeCount} changes are not published and are kept for the next mount: ${messageOf(error)}`)
    }
    return false
  }

  async close(): Promise<void> {
    this.#end.abort(new EdgemountError('closed', 'Cannot publish: the mount ends'))
    this.#parts.uploads.close()
    await this.#publisher.close()
  }

  /** Nothing hangs on it: only the numbers of the status are right at once. */
  async #untilShown(): Promise<void> {
    const { clock, follower } = this.#parts
    const { publishedSeq } = this.#publisher.status
    await withDeadline(clock, shownMsMax, 'show what was published', this.#end.signal, (signal) => follower().until(publishedSeq, signal)).catch(() => undefined)
  }

  #progress(): Progress {
    const { readBytes, commitCount, roundCount, leftOut, lastError } = this.#publisher.status
    const { meter, failure } = this.#parts.uploads
    return { bytes: readBytes + meter.bytes, commitCount, roundCount, leftOut: leftOut.map(({ path }) => path), error: lastError?.message ?? failure }
  }

  async #publish({ ticket, id }: Extract<ToPublisher, { kind: 'publish' }>): Promise<void> {
    const { deadlineMs, send } = this.#parts
    const result = await this.#resultOf(() => this.#publisher.flush({ id, deadlineMs }))
    send({ kind: 'publish-done', ticket, result })
  }

  async #revalidate(ticket: number): Promise<void> {
    const result = await this.#resultOf(() => this.#inTime('ask for the newest commit', (signal) => this.#parts.follower().revalidate(signal)))
    this.#parts.send({ kind: 'revalidated', ticket, result })
  }

  /** Where the name is to be may be new here: that is published first. Whatever comes of it, the newest commit is shown before the answer. */
  async #claim({ ticket, ...request }: Extract<ToPublisher, { kind: 'claim' }>): Promise<void> {
    const { follower, deadlineMs, send } = this.#parts
    let seq = 0
    const result = await this.#resultOf(async () => {
      await this.#publisher.flush({ deadlineMs })
      await this.#inTime(`make "${request.path}"`, async (signal) => {
        seq = await this.#target.claim(request, signal).catch(async (error: unknown) => {
          if (codeOf(error) !== 'stale') throw error
          await follower().revalidate(signal)
          return 0
        })
        await follower().until(seq, signal)
      })
    })
    send({ kind: 'claimed', ticket, result: result === 0 && seq === 0 ? -errno.EEXIST : result, seq })
  }

  #inTime<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, deadlineMs } = this.#parts
    return withDeadline(clock, deadlineMs, what, this.#end.signal, work)
  }

  async #resultOf(work: () => Promise<void>): Promise<number> {
    try {
      await work()
      return 0
    } catch (error) {
      if (this.#end.signal.aborted) return -errno.EIO
      this.#parts.log.warn(messageOf(error), { code: codeOf(error) })
      return -errnoOfCode[codeOf(error)]
    }
  }
}
