/**
 * Locks between processes that share a directory store, for the compare-and-set of `replace`. Held for milliseconds.
 *
 * A lock is a symbolic link whose target names its owner: symlink(2) creates it with its content in one step, or fails with EEXIST, and
 * readlink(2) reads it in one step. A lock is stale when its owner is known to be gone, or when its owner cannot be judged from here
 * (another container or boot) and the lock has been watched unchanged for `staleMs`.
 *
 * Removing a stale lock must not remove a fresh one that took its place meanwhile. So a breaker first takes a second lock, named after the
 * stale owner's token, and looks again. INVARIANT: a lock is removed only by its owner, or by the holder of the second lock named
 * after its token (`#break`).
 * An owner asks `assertHeld` just before its one irreversible step; an owner that was stopped for longer than `staleMs`
 * right between that question and that step is the one case this does not cover.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Clock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { Limiter } from '../../../shared/lifetime.ts'
import { type Random, randomFraction } from '../../../shared/random.ts'
import type { Disk } from './disk.ts'
import { isErrno } from './disk-error.ts'
import { type ProcessIdentity, formatIdentity, parseIdentity, stateOfProcess } from './process-identity.ts'
import { toHexDigits } from './tag.ts'

/** How long a lock of an owner that cannot be judged is respected. Locks are held for milliseconds, so this is generous. */
export const staleMs = 10_000
/** How long a caller waits before it is told who holds the lock. */
const waitMsMax = 60_000
const pollMsMin = 1
const pollMsMax = 50
/** Callers of one process waiting for one key. */
const waiterCountMax = 4096
/** A breaker that died is broken in turn; deeper than this somebody keeps killing us. */
const breakDepthMax = 4

export interface HeldLock {
  /** Throws `unavailable` when the lock was taken away, because this process stood still for too long. */
  assertHeld(): Promise<void>
}

export interface FileLocksSettings {
  /** Where the locks lie; made when it is missing. */
  readonly directory: string
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly self: ProcessIdentity
}

export class FileLocks {
  readonly #settings: FileLocksSettings
  /** Callers of this process queue here, so that only one of them polls the disk. */
  readonly #local = new Map<string, Limiter>()

  constructor(settings: FileLocksSettings) {
    this.#settings = settings
  }

  /** Runs `work` while holding the lock for `key`. */
  async run<T>(key: string, work: (lock: HeldLock) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const name = digest(key)
    const limiter = this.#local.get(name) ?? new Limiter(`the lock of ${key}`, { limit: 1, queueMax: waiterCountMax })
    this.#local.set(name, limiter)
    const leave = await limiter.acquire(signal)
    try {
      const lockPath = path.join(this.#settings.directory, name)
      const token = await this.#take(lockPath, key, signal, 0)
      try {
        return await work({ assertHeld: () => this.#assertHeld(lockPath, token, key) })
      } finally {
        await this.#release(lockPath, token)
      }
    } finally {
      leave()
      if (limiter.activeCount === 0 && limiter.waitingCount === 0 && this.#local.get(name) === limiter) this.#local.delete(name)
    }
  }

  /** Removes the locks that dead processes left. Locks in use are untouched. */
  async sweep(): Promise<void> {
    for (const { name } of await this.#settings.disk.readDirectory(this.#settings.directory)) {
      const lockPath = path.join(this.#settings.directory, name)
      const token = await this.#tokenAt(lockPath)
      if (token !== undefined && this.#stateOf(token) === 'gone') await this.#break(lockPath, token, name, undefined, 0)
    }
  }

  async #take(lockPath: string, key: string, signal: AbortSignal | undefined, depth: number): Promise<string> {
    const { clock, random, self } = this.#settings
    const token = `${formatIdentity(self)}.${toHexDigits(random.bytes(8))}`
    let waitedMs = 0
    let watched = { token: '', sinceMs: 0 }
    for (let pollMs = pollMsMin; ; pollMs = Math.min(pollMs * 2, pollMsMax)) {
      throwIfAborted(signal)
      if (await this.#tryTake(lockPath, token)) return token
      const held = await this.#tokenAt(lockPath)
      if (held === undefined) continue
      if (watched.token !== held) watched = { token: held, sinceMs: waitedMs }
      const state = this.#stateOf(held)
      if (state === 'gone' || (state === 'unknown' && waitedMs - watched.sinceMs >= staleMs)) {
        await this.#break(lockPath, held, key, signal, depth)
        continue
      }
      if (waitedMs >= waitMsMax) {
        throw new EdgemountError('unavailable', `Cannot lock "${key}": process ${held.split('-', 1)[0]} has held it for ${waitMsMax / 1000} s`)
      }
      const sleepMs = pollMs * (0.5 + randomFraction(random))
      await clock.sleep(sleepMs, signal)
      waitedMs += sleepMs
    }
  }

  async #tryTake(lockPath: string, token: string): Promise<boolean> {
    const { disk, directory } = this.#settings
    try {
      await disk.symlink(token, lockPath)
      return true
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return false
      if (!isErrno(error, 'ENOENT')) throw error
      await disk.makeDirectory(directory)
      return false
    }
  }

  async #break(lockPath: string, token: string, key: string, signal: AbortSignal | undefined, depth: number): Promise<void> {
    if (depth >= breakDepthMax) throw new EdgemountError('unavailable', `Cannot lock "${key}": ${depth} processes died on it; try again`)
    const markPath = path.join(this.#settings.directory, digest(token))
    const mark = await this.#take(markPath, key, signal, depth + 1)
    try {
      if ((await this.#tokenAt(lockPath)) === token) await this.#settings.disk.unlink(lockPath)
    } finally {
      await this.#release(markPath, mark)
    }
  }

  async #assertHeld(lockPath: string, token: string, key: string): Promise<void> {
    if ((await this.#tokenAt(lockPath)) === token) return
    throw new EdgemountError('unavailable', `Cannot keep the lock of "${key}": this process stood still and another took over; try again`)
  }

  async #release(lockPath: string, token: string): Promise<void> {
    if ((await this.#tokenAt(lockPath)) === token) await this.#settings.disk.unlink(lockPath)
  }

  async #tokenAt(lockPath: string): Promise<string | undefined> {
    try {
      return await this.#settings.disk.readlink(lockPath)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  #stateOf(token: string): 'alive' | 'gone' | 'unknown' {
    const owner = parseIdentity(token.split('.', 1)[0]!)
    return owner === undefined ? 'unknown' : stateOfProcess(owner, this.#settings.self)
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
