/**
 * A store whose packs are created sooner or later: what fails is tried again, for as long as it takes, with growing pauses.
 *
 * The publisher's volume writes through it, because a writing session whose pack could not be stored is lost with everything in it: so an upload that
 * was cut goes on where it was, however long the store is away. Everything else passes through: readers have deadlines of their own, and who takes a slot of
 * the log looks who has it.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import { PassingStore } from '../../shared/passing-store.ts'
import { type Random, randomFraction } from '../../shared/random.ts'
import type { ObjectStore, StoreOptions } from '../../shared/store.ts'
import { isFirm } from './publish-plan.ts'

export interface PatientStoreParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  /** Ends all patience. */
  readonly signal: AbortSignal
  /** Each failure, and once that it works again (undefined). */
  readonly onOutcome: (error: unknown) => void
  /** Bytes that were stored. */
  readonly onStored: (bytes: number) => void
}

const packKey = /^(?:data|meta)\//
const retryMsMin = 250
const retryMsMax = 30_000
const firmRetryMs = 60_000

export class PatientStore extends PassingStore {
  readonly #parts: PatientStoreParts
  /** Pauses that are slept through; a nudge ends them. */
  readonly #pauses = new Set<AbortController>()

  constructor(parts: PatientStoreParts) {
    super(parts.store)
    this.#parts = parts
  }

  /** Somebody waits: what pauses is tried at once. */
  nudge(): void {
    for (const pause of this.#pauses) pause.abort()
  }

  /** True also when an earlier try of this call has made the object: packs have random names. */
  override async create(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<boolean> {
    const { store, onOutcome, onStored } = this.#parts
    if (!packKey.test(key)) return store.create(key, body, options)
    const signal = options.signal === undefined ? this.#parts.signal : AbortSignal.any([options.signal, this.#parts.signal])
    for (let tries = 1; ; tries += 1) {
      throwIfAborted(signal)
      try {
        const isCreated = await store.create(key, body, { signal })
        if (tries > 1) onOutcome(undefined)
        if (isCreated || tries > 1) onStored(body.length)
        return isCreated || tries > 1
      } catch (error) {
        if (signal.aborted) throw error
        onOutcome(error)
        await this.#pause(isFirm(codeOf(error)) ? firmRetryMs : Math.min(retryMsMax, retryMsMin * 2 ** (tries - 1)), signal)
      }
    }
  }

  /** A random part of the time, so that many mounts do not come back together. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts
    const pause = new AbortController()
    this.#pauses.add(pause)
    await clock.sleep(ms * (0.5 + randomFraction(random) / 2), AbortSignal.any([signal, pause.signal])).catch(() => undefined)
    this.#pauses.delete(pause)
  }
}
