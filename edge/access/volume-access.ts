/**
 * Who may read a volume without a token, and which tokens it has revoked, as its `access.json` says: read when needed, kept for five seconds, so that it costs
 * no store request for each request. A failure to read it is the request's failure: nobody is let in by guess.
 */
import type { Clock } from '../../shared/clock.ts'
import { type VolumeAccess, closedAccess, decodeAccess } from '../../shared/format/access.ts'
import { SingleFlight } from '../../shared/lifetime.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { accessKey } from '../../shared/volume/keys.ts'
import { lineOf } from '../../shared/wire/token.ts'

/** The longest that a revocation made elsewhere takes to count. */
export const accessKeptMs = 5000
const volumesMax = 1000

interface Kept {
  readonly access: VolumeAccess
  readonly revokedIds: ReadonlySet<string>
  readonly readMs: number
}

/** Plain values, so that requests may share it on every runtime. */
export class AccessMemory {
  readonly #kept = new Map<string, Kept>()

  get(volume: string, nowMs: number): Kept | undefined {
    const kept = this.#kept.get(volume)
    return kept !== undefined && nowMs - kept.readMs < accessKeptMs && nowMs >= kept.readMs ? kept : undefined
  }

  set(volume: string, access: VolumeAccess, readMs: number): Kept {
    const kept = { access, revokedIds: new Set(access.revoked.map(({ id }) => id)), readMs }
    this.#kept.delete(volume)
    this.#kept.set(volume, kept)
    if (this.#kept.size > volumesMax) this.#kept.delete(this.#kept.keys().next().value ?? '')
    return kept
  }
}

export interface VolumeAccessParts {
  readonly scope: (volume: string) => ObjectStore
  readonly clock: Clock
  readonly memory: AccessMemory
}

export class VolumeAccesses {
  readonly #parts: VolumeAccessParts
  readonly #reading = new SingleFlight<string, Kept>()

  constructor(parts: VolumeAccessParts) {
    this.#parts = parts
  }

  async isPublic(volume: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#get(volume, signal)).access.publicRead
  }

  /** True also for what was shared from a token that is. */
  async isRevoked(volume: string, tokenId: string, signal: AbortSignal): Promise<boolean> {
    const { revokedIds } = await this.#get(volume, signal)
    return lineOf(tokenId).some((id) => revokedIds.has(id))
  }

  /** This edge has written it: here it counts at once. */
  note(volume: string, access: VolumeAccess): void {
    this.#parts.memory.set(volume, access, this.#parts.clock.now())
  }

  async #get(volume: string, signal: AbortSignal): Promise<Kept> {
    const kept = this.#parts.memory.get(volume, this.#parts.clock.now())
    return kept ?? (await this.#reading.run(volume, (shared) => this.#read(volume, shared), signal))
  }

  async #read(volume: string, signal: AbortSignal): Promise<Kept> {
    const { scope, clock, memory } = this.#parts
    // Dated before it is read: what is written meanwhile must not be hidden for longer than promised.
    const nowMs = clock.now()
    const found = await scope(volume).get(accessKey, { signal })
    const access = found === undefined ? closedAccess : decodeAccess(await found.bytes())
    // What this edge has written meanwhile is newer than what it has read.
    return memory.get(volume, clock.now()) ?? memory.set(volume, access, nowMs)
  }
}
