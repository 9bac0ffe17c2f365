/**
 * Owners and limits: a bounded semaphore, deadlines, shared work, and the one place that ends everything an object started.
 *
 * Called by whatever queues, waits or shares. Nothing here retries, and no failure is ever kept for the next caller.
 */
import { abortError, throwIfAborted, untilAborted } from './abort.ts'
import type { Clock } from './clock.ts'
import { EdgemountError } from './error.ts'

interface Waiter {
  readonly grant: () => void
  readonly refuse: (error: EdgemountError) => void
}

/** At most `limit` holders at once and at most `queueMax` waiters behind them, first come, first served. */
export class Limiter {
  readonly #what: string
  readonly #limit: number
  readonly #queueMax: number
  readonly #queue = new Set<Waiter>()
  #activeCount = 0
  #isClosed = false

  /** `what` names the queue in messages, for example "requests to dir:/srv". */
  constructor(what: string, limits: { readonly limit: number; readonly queueMax: number }) {
    this.#what = what
    this.#limit = limits.limit
    this.#queueMax = limits.queueMax
  }

  get activeCount(): number {
    return this.#activeCount
  }

  get waitingCount(): number {
    return this.#queue.size
  }

  /** Waits for a place and gives the function that frees it (calling it again does nothing). Throws `exhausted` when the queue is full. */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    throwIfAborted(signal)
    if (this.#isClosed) throw this.#closedError()
    if (this.#activeCount < this.#limit) {
      this.#activeCount += 1
      return this.#releaser()
    }
    if (this.#queue.size >= this.#queueMax) {
      throw new EdgemountError('exhausted', `Cannot queue for "${this.#what}": ${this.#queueMax} are waiting already`)
    }
    await this.#enqueue(signal)
    return this.#releaser()
  }

  /** Runs `work` in a place of its own. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal)
    try {
      return await work()
    } finally {
      release()
    }
  }

  /** Refuses everybody who waits or comes later; holders go on. */
  close(): void {
    this.#isClosed = true
    for (const waiter of this.#queue) waiter.refuse(this.#closedError())
    this.#queue.clear()
  }

  #enqueue(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#queue.delete(waiter)
        reject(abortError(signal!))
      }
      const stop = (): void => signal?.removeEventListener('abort', onAbort)
      const waiter: Waiter = {
        grant: () => {
          stop()
          resolve()
        },
        refuse: (error) => {
          stop()
          reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#queue.add(waiter)
    })
  }

  /** INVARIANT: a place passes from its holder to the first waiter without being free in between, so nobody overtakes the queue. */
  #releaser(): () => void {
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const [next] = this.#queue
      if (next === undefined) {
        this.#activeCount -= 1
        return
      }
      this.#queue.delete(next)
      next.grant()
    }
  }

  #closedError(): EdgemountError {
    return new EdgemountError('closed', `Cannot queue for "${this.#what}": it is shut down`)
  }
}

/** A signal with a time limit. Dispose it when the work is over, else its timer lives on. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Stops the time. The signal still follows its parent, for what the work left behind (a body that is read later). */
  dispose(): void
}

/** Made once: a fresh reason for each of thousands of calls a second would cost more than the timer. Nobody sees it. */
const workIsOver = new EdgemountError('closed', 'Cannot wait for a deadline: the work is over')

/** A time limit passed: the other side does not even say no. Who tries again after failures gives up after this one. */
export class DeadlineError extends EdgemountError {
  constructor(message: string) {
    super('unavailable', message)
  }
}

/** True for one, and for what failed because of one. */
export function isLate(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) if (at instanceof DeadlineError) return true
  return false
}

/** Fires with a `DeadlineError` after `ms`, or with the parent's reason as soon as the parent fires. `what` completes "Cannot …". */
export function deadline(clock: Clock, ms: number, what: string, parent?: AbortSignal): Deadline {
  const limit = new AbortController()
  const timer = new AbortController()
  clock.sleep(ms, timer.signal).then(
    () => limit.abort(new DeadlineError(`Cannot ${what}: it took longer than ${ms} ms`)),
    () => undefined,
  )
  return {
    signal: parent === undefined ? limit.signal : AbortSignal.any([parent, limit.signal]),
    dispose: () => timer.abort(workIsOver),
  }
}

/** Runs `work` under a deadline. The caller is freed when it passes, even when the work does not heed its signal. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = deadline(clock, ms, what, parent)
  try {
    throwIfAborted(limit.signal)
    return await untilAborted(work(limit.signal), limit.signal)
  } finally {
    limit.dispose()
  }
}

interface Flight<V> {
  readonly promise: Promise<V>
  readonly controller: AbortController
  waiterCount: number
}

/**
 * Callers with the same key share one piece of work. It is aborted when its last waiter leaves, and forgotten as soon as it settles or is aborted.
 */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Flight<V>>()

  get size(): number {
    return this.#flights.size
  }

  has(key: K): boolean {
    return this.#flights.has(key)
  }

  /** Joins the work under way for `key`, or starts it. `work` gets the signal that fires when nobody waits any more. */
  async run(key: K, work: (signal: AbortSignal) => Promise<V>, signal?: AbortSignal): Promise<V> {
    throwIfAborted(signal)
    const flight = this.#flights.get(key) ?? this.#start(key, work)
    flight.waiterCount += 1
    try {
      return await untilAborted(flight.promise, signal)
    } finally {
      flight.waiterCount -= 1
      if (flight.waiterCount === 0) {
        this.#forget(key, flight)
        flight.controller.abort()
      }
    }
  }

  #start(key: K, work: (signal: AbortSignal) => Promise<V>): Flight<V> {
    const controller = new AbortController()
    const flight: Flight<V> = { promise: startWork(work, controller.signal), controller, waiterCount: 0 }
    this.#flights.set(key, flight)
    const forget = (): void => this.#forget(key, flight)
    flight.promise.then(forget, forget)
    return flight
  }

  #forget(key: K, flight: Flight<V>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}

/** A throw before the first await becomes a rejection like any other. */
async function startWork<V>(work: (signal: AbortSignal) => Promise<V>, signal: AbortSignal): Promise<V> {
  return await work(signal)
}

/** Owns what an object started; ends it in reverse order, once, all of it, whatever fails on the way. */
export class Lifetime {
  readonly #what: string
  readonly #controller = new AbortController()
  readonly #endings: (() => unknown)[] = []
  #disposal: Promise<void> | undefined

  constructor(what: string) {
    this.#what = what
  }

  /** Fires, with `closed`, at the beginning of the disposal. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get isDisposed(): boolean {
    return this.#disposal !== undefined
  }

  /** Registers an ending. When the lifetime is over already it runs at once and `closed` is thrown. */
  async defer(end: () => unknown): Promise<void> {
    if (!this.isDisposed) {
      this.#endings.push(end)
      return
    }
    await end()
    throw this.#closedError()
  }

  throwIfDisposed(): void {
    if (this.isDisposed) throw this.#closedError()
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#run()
    return this.#disposal
  }

  async #run(): Promise<void> {
    this.#controller.abort(this.#closedError())
    const failures: unknown[] = []
    for (let end = this.#endings.pop(); end !== undefined; end = this.#endings.pop()) {
      try {
        await end()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, `Cannot shut down "${this.#what}" cleanly: ${failures.length} parts failed`)
  }

  #closedError(): EdgemountError {
    return new EdgemountError('closed', `Cannot use "${this.#what}": it is shut down`)
  }
}
