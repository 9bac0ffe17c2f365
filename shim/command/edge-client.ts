/**
 * An edge over HTTP as the store of one volume.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { ObjectStore } from '../../shared/store.ts'
import type { Place } from './target.ts'

export function openEdgeStore(place: Place, timeoutMs: number): ObjectStore {
  throw new EdgemountError('unsupported', `Cannot reach "${place.source}" (${timeoutMs} ms)`)
}
