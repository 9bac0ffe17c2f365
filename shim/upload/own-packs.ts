/**
 * Remembers the packs that one import stores, so that an import that is given up takes them away again: no commit names them, and nobody else can.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import { PassingStore } from '../../shared/passing-store.ts'
import type { StoreOptions } from '../../shared/store.ts'

const packKeyExpression = /^(?:data|meta)\//

export interface LeftPacks {
  readonly count: number
  readonly bytes: number
}

export class OwnPacks extends PassingStore {
  /** Bytes of each pack, from before it is stored: a try that failed may have stored it. */
  readonly #packs = new Map<string, number>()
  readonly #underWay = new Set<Promise<unknown>>()
  #isGivenUp = false
  #trouble: unknown

  override async create(key: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    if (!packKeyExpression.test(key)) return await this.store.create(key, body, options)
    if (this.#isGivenUp) throw new EdgemountError('aborted', `Cannot create "${key}" in ${this.label}: the import was given up`)
    this.#packs.set(key, body.length)
    const storing = this.store.create(key, body, options)
    const note = (error?: unknown): void => void (this.#trouble = error)
    const settled = storing.then(() => note(), note).finally(() => this.#underWay.delete(settled))
    this.#underWay.add(settled)
    return await storing
  }

  /** Why the last pack could not be stored; undefined: it was. Who stores it tries again. */
  get trouble(): unknown {
    return this.#trouble
  }

  /** Deletes what was stored, as far as the store lets us and time allows. INVARIANT: no commit was tried; it could name these packs. Gives what is left. */
  async giveUp(clock: Clock, limitMs: number): Promise<LeftPacks> {
    this.#isGivenUp = true
    // Best effort: what stays is told.
    await withDeadline(clock, limitMs, 'delete unused packs', undefined, async (signal) => {
      await Promise.all(this.#underWay)
      for (const key of this.#packs.keys()) {
        if (signal.aborted) return
        await this.store.delete(key, { signal })
        this.#packs.delete(key)
      }
    }).catch(() => undefined)
    return { count: this.#packs.size, bytes: [...this.#packs.values()].reduce((sum, bytes) => sum + bytes, 0) }
  }
}
