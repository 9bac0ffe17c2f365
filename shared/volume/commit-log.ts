/**
 * The numbered log: finding its head, and winning the next slot. Creating the record of a slot IS the commit; everything else about a commit is
 * immutable and private until then.
 *
 * INVARIANT: a slot is written by one create-if-absent and never again, so a record that was read once may be kept for ever, and a record that
 * lost a slot can never appear in it later.
 */
import type { Clock } from '../clock.ts'
import { EdgemountError, codeOf, messageOf } from '../error.ts'
import { decodeRecord, encodeRecord } from '../format/commit.ts'
import type { CommitRecord } from '../format/commit.ts'
import type { Hash } from '../format/entry.ts'
import type { HashFunction } from '../hash.ts'
import { isLate } from '../lifetime.ts'
import type { Logger } from '../log.ts'
import type { Random } from '../random.ts'
import { randomFraction } from '../random.ts'
import type { ObjectStore } from '../store.ts'
import { headKey, logKey, logPrefix, seqOfLogKey } from './keys.ts'

/** A reader that is further behind than this asks for a LIST instead of walking. */
const probesMax = 4
const hintEveryMs = 1000
const appendTriesMax = 8
const appendRetryMs = 20

/** A record, and the hash of its bytes, which the next record names as its parent. */
export interface LoggedRecord {
  readonly record: CommitRecord
  readonly hash: Hash
}

export interface CommitLogParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly hash: HashFunction
  readonly log: Logger
}

export interface HeadOptions {
  readonly signal?: AbortSignal | undefined
  /** The caller knows of this seq: a head that is at least as new will do, without looking for a newer one. */
  readonly atLeast?: number | undefined
  /** The caller writes a commit after it: see `#check`. */
  readonly isForWriting?: boolean | undefined
}

export class CommitLog {
  readonly #parts: CommitLogParts
  #latest: LoggedRecord | undefined
  /** `#latest` is what is stored: this process wrote it, or read it twice. */
  #isSure = false
  #hintedAtMs = -Infinity
  #hintWrite: Promise<void> | undefined
  readonly #listeners = new Set<() => void>()

  constructor(parts: CommitLogParts) {
    this.#parts = parts
  }

  /** The newest record that this process has seen. */
  get latest(): LoggedRecord | undefined {
    return this.#latest
  }

  /** The record of a slot, or undefined while it is free. */
  async read(seq: number, signal?: AbortSignal): Promise<LoggedRecord | undefined> {
    if (this.#latest?.record.seq === seq) return this.#latest
    const found = await this.#parts.store.get(logKey(seq), { signal })
    if (found === undefined) return undefined
    const bytes = await found.bytes()
    const record = decodeRecord(bytes)
    if (record.seq !== seq) throw new EdgemountError('corrupt', `Cannot read "${logKey(seq)}": it holds commit ${record.seq}`)
    const logged = { record, hash: await this.#parts.hash(bytes) }
    this.#remember(logged)
    return logged
  }

  /** The head: at least as new as every commit that was acknowledged before the call. Throws `not-found` while the log is empty. */
  async head(options: HeadOptions = {}): Promise<LoggedRecord> {
    const found = await this.#find(options)
    return options.isForWriting === true ? await this.#check(found, options.signal) : found
  }

  /** What was read is not what was written, perhaps: it is read again when it is next asked for. */
  doubt(): void {
    if (!this.#isSure) this.#latest = undefined
  }

  async #find({ signal, atLeast }: HeadOptions): Promise<LoggedRecord> {
    let latest = this.#latest
    if (latest !== undefined && atLeast !== undefined && latest.record.seq >= atLeast) return latest
    latest ??= await this.#fromHint(signal)
    for (let probe = 0; latest !== undefined && probe < probesMax; probe += 1) {
      const next = await this.read(latest.record.seq + 1, signal)
      if (next === undefined) return latest
      latest = next
    }
    return this.#fromList(signal)
  }

  /**
   * Takes the record's slot. Gives the logged record, or undefined when the slot belongs to somebody else. After an answer that says nothing
   * (time-out, 5xx, a lost response) the slot is read back: the record's own nonce there means that it was won. Throws only while the slot's
   * owner could not be learnt; then the commit may or may not have happened.
   */
  async append(record: CommitRecord, signal?: AbortSignal): Promise<LoggedRecord | undefined> {
    const body = encodeRecord(record)
    const hash = await this.#parts.hash(body)
    let failure: unknown
    for (let attempt = 0; attempt < appendTriesMax; attempt += 1) {
      if (attempt > 0) await this.#parts.clock.sleep(appendRetryMs * 2 ** attempt * randomFraction(this.#parts.random), signal)
      try {
        if (await this.#parts.store.create(logKey(record.seq), body, { signal })) return this.#won({ record, hash })
      } catch (error) {
        if (!saysNothing(error)) throw error
        failure = error
      }
      try {
        const owner = await this.read(record.seq, signal)
        if (owner !== undefined) return owner.record.nonce === record.nonce ? this.#won({ record, hash }) : undefined
      } catch (error) {
        if (!saysNothing(error)) throw error
        failure = error
      }
      if (isLate(failure)) break
    }
    const why = `the store did not answer (${messageOf(failure)}); the commit may have happened`
    throw new EdgemountError('unavailable', `Cannot commit ${record.seq} to "${this.#parts.store.label}": ${why}`, { cause: failure })
  }

  /** Resolves when this process learns of a newer record; for followers. Give the returned stop function its turn in any case. */
  onNewer(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Waits for a hint that is being written. */
  async settle(): Promise<void> {
    await this.#hintWrite
  }

  /**
   * No hash guards the newest record before there is another. What is written after one that was damaged on its way would name a parent that is not, and take over what it
   * says of the tree, for ever. So one that this process did not write is read twice.
   */
  async #check(logged: LoggedRecord, signal: AbortSignal | undefined): Promise<LoggedRecord> {
    if (this.#isSure && this.#latest === logged) return logged
    const { seq } = logged.record
    const found = await this.#parts.store.get(logKey(seq), { signal, isFresh: true })
    const hash = found === undefined ? undefined : await this.#parts.hash(await found.bytes())
    if (hash !== logged.hash) {
      if (this.#latest === logged) this.doubt()
      throw new EdgemountError('unavailable', `Cannot go on from commit ${seq} of "${this.#parts.store.label}": it was read twice, and came differently; try again`)
    }
    if (this.#latest === logged) this.#isSure = true
    return logged
  }

  #won(logged: LoggedRecord): LoggedRecord {
    this.#remember(logged)
    if (this.#latest === logged) this.#isSure = true
    this.#writeHint(logged.record.seq)
    return logged
  }

  #remember(logged: LoggedRecord): void {
    if (this.#latest !== undefined && this.#latest.record.seq >= logged.record.seq) return
    this.#latest = logged
    this.#isSure = false
    for (const listener of this.#listeners) listener()
  }

  /** The hint may be old, absent or wrong: it only chooses where the search begins. */
  async #fromHint(signal: AbortSignal | undefined): Promise<LoggedRecord | undefined> {
    const found = await this.#parts.store.get(headKey, { signal })
    if (found === undefined) return undefined
    const seq = Number(new TextDecoder().decode(await found.bytes()))
    return Number.isSafeInteger(seq) && seq > 0 ? this.read(seq, signal) : undefined
  }

  async #fromList(signal: AbortSignal | undefined): Promise<LoggedRecord> {
    const [newest] = await this.#parts.store.list(logPrefix, { limit: 1, signal })
    const logged = newest === undefined ? undefined : await this.read(seqOfLogKey(newest.key), signal)
    if (logged === undefined) throw new EdgemountError('not-found', `Cannot read the log of "${this.#parts.store.label}": it is empty`)
    return logged
  }

  /** Best effort, at most once a second: some stores take no more than one write a second to a key. */
  #writeHint(seq: number): void {
    const nowMs = this.#parts.clock.now()
    if (this.#hintWrite !== undefined || nowMs - this.#hintedAtMs < hintEveryMs) return
    this.#hintedAtMs = nowMs
    this.#hintWrite = this.#parts.store
      .put(headKey, new TextEncoder().encode(String(seq)))
      .catch((error: unknown) => this.#parts.log.debug('head hint not written', { seq, why: messageOf(error) }))
      .finally(() => (this.#hintWrite = undefined))
  }
}

/** True for failures that leave open whether the write landed. */
export function saysNothing(error: unknown): boolean {
  const code = codeOf(error)
  // A fault of this program is `internal` too; only the far side's is worth another try.
  if (code === 'internal') return error instanceof EdgemountError
  return code === 'unavailable' || code === 'exhausted' || code === 'conflict' || code === 'stale'
}
