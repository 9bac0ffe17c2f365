/**
 * An edge over HTTP as the store of one volume.
 */
import { systemClock } from '../../shared/clock.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { EdgeStore } from '../../shared/wire/edge-store.ts'
import type { Place } from './target.ts'

export function openEdgeStore(place: Place, timeoutMs: number): ObjectStore {
  return new EdgeStore({ url: place.source, volume: place.volume, fetch, clock: systemClock, callMs: timeoutMs })
}
