/**
 * An edge over HTTP as the store of one volume.
 */
import { systemClock } from '../../shared/clock.ts'
import { systemRandom } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { VolumeClient } from '../../shared/wire/client.ts'
import { EdgeStore } from '../../shared/wire/edge-store.ts'
import { UsageError } from './arguments.ts'
import type { Place } from './target.ts'

export function openEdgeStore(place: Place, timeoutMs: number): ObjectStore {
  return new EdgeStore({ url: place.source, volume: place.volume, fetch, clock: systemClock, callMs: timeoutMs, headers: tokenHeaders(place.token) })
}

export function openEdgeClient(place: Place, timeoutMs: number): VolumeClient {
  return new VolumeClient({ url: place.source, volume: place.volume, fetch, clock: systemClock, random: systemRandom, callMs: timeoutMs, headers: tokenHeaders(place.token) })
}

/** A token goes to the edge that it was given for, and with no redirect: `connection.ts` follows none. */
export function tokenHeaders(token: string | undefined): Readonly<Record<string, string>> {
  if (token === undefined || token === '') return {}
  if (/^[\x21-\x7e]+$/.test(token)) return { authorization: `Bearer ${token}` }
  throw new UsageError('Cannot use the token: it has characters that no token has; give it as `edgemount token create` printed it')
}
