/**
 * An edge over HTTP as the store of one volume.
 */
import { systemClock } from '../../shared/clock.ts'
import { systemRandom } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { VolumeClient } from '../../shared/wire/client.ts'
import { EdgeStore } from '../../shared/wire/edge-store.ts'
import type { Place } from './target.ts'

export function openEdgeStore(place: Place, timeoutMs: number): ObjectStore {
  return new EdgeStore({ url: place.source, volume: place.volume, fetch, clock: systemClock, callMs: timeoutMs })
}

export function openEdgeClient(place: Place, timeoutMs: number): VolumeClient {
  return new VolumeClient({ url: place.source, volume: place.volume, fetch, clock: systemClock, random: systemRandom, callMs: timeoutMs })
}
