/**
 * Opens what a volume path names: over HTTP for the URL of an edge, directly for a store. `target.ts` took the path apart.
 */
import type { ChunkingParameters } from '../../shared/chunker.ts'
import { systemClock } from '../../shared/clock.ts'
import { codeOf, EdgemountError, messageOf } from '../../shared/error.ts'
import { baseName, rootPath } from '../../shared/path.ts'
import { systemRandom } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { configKey } from '../../shared/volume/keys.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { type Engine, Volume } from '../../shared/volume/volume.ts'
import { checkVolumeName } from '../../shared/wire/routes.ts'
import { nodeHash } from '../sys/node-hash.ts'
import { OwnPacks } from '../upload/own-packs.ts'
import { openEdgeStore } from './edge-client.ts'
import { openObjectStore, scopeToVolume, withRetries } from './edge-process.ts'
import { missingVolume, refuseStoreItself } from './store-folder.ts'
import { authorName } from './user.ts'
import { parseTarget, type Place } from './target.ts'

export interface OpenSettings {
  readonly author?: string | undefined
  readonly timeout: number
  /** For an edge whose URL holds none. */
  readonly token?: string | undefined
  readonly signal: AbortSignal
}

/** A volume's part of a store, before anybody knows whether there is a volume. */
export interface OpenPlace {
  readonly place: Place
  /** Scoped to the volume. */
  readonly store: ObjectStore
  close(): Promise<void>
}

export interface OpenVolume extends OpenPlace {
  readonly volume: Volume
  /** The commit that the path is pinned to, or the newest. */
  readonly snapshot: Snapshot
  readonly wasCreated: boolean
  /** What an import stores; undefined for a volume that was not opened to be imported into. */
  readonly packs: OwnPacks | undefined
}

/** Finds the store and which part of the path is the volume; without a volume anywhere it is the last part. */
export async function openPlace(text: string, settings: OpenSettings): Promise<OpenPlace> {
  const target = parseTarget(text)
  if (target.kind === 'edge') {
    checkVolumeName(target.place.volume)
    const place = { ...target.place, token: target.place.token ?? settings.token }
    return { place, store: openEdgeStore(place, settings.timeout), close: async () => {} }
  }
  for (const place of target.places) {
    const opened = await openStorePlace(place)
    if ((await opened.store.get(configKey, settings)) !== undefined) return opened
    await opened.close()
  }
  const last = target.places.at(-1) ?? target.places[0]
  if (last.path !== rootPath) checkVolumeName(baseName(last.path))
  return await openStorePlace(last)
}

/** Throws `not-found` with what to do, unless `create` says how to make the volume. */
export async function openVolume(text: string, settings: OpenSettings, create?: { readonly chunking?: ChunkingParameters }): Promise<OpenVolume> {
  const opened = await openPlace(text, settings)
  try {
    const packs = create === undefined ? undefined : new OwnPacks(withRetries(opened.store))
    const { volume, wasCreated } = await openOrCreate(opened, { ...settings, store: packs ?? withRetries(opened.store) }, create)
    const { seq } = opened.place
    const snapshot = seq === undefined ? await volume.head(settings) : await volume.at(seq, settings)
    const close = async (): Promise<void> => {
      await volume.close()
      await opened.close()
    }
    return { ...opened, volume, snapshot, wasCreated, packs, close }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** For those who open the volume themselves. A source that cannot be reached is theirs to deal with too. */
export async function requireVolume({ place, store }: OpenPlace, signal: AbortSignal): Promise<void> {
  const config = await store.get(configKey, { signal }).catch((error: unknown) => {
    if (codeOf(error) === 'unavailable') return 'unknown'
    throw error
  })
  if (config === undefined) throw await missingVolume(place)
}

export function engineOf(store: ObjectStore, settings: { readonly author?: string | undefined }): Engine {
  return { store, clock: systemClock, random: systemRandom, hash: nodeHash, author: settings.author ?? authorName() }
}

/** Snapshots do not change: whoever wants to write to one gets told so. */
export function refusePinned(place: Place, doing: string): void {
  if (place.seq === undefined) return
  throw new EdgemountError('invalid', `Cannot ${doing} "${place.volume}@${place.seq}": a commit never changes; leave "@${place.seq}" out`)
}

async function openOrCreate(
  { place }: OpenPlace,
  settings: OpenSettings & { readonly store: ObjectStore },
  create: { readonly chunking?: ChunkingParameters } | undefined,
): Promise<{ volume: Volume; wasCreated: boolean }> {
  const engine = engineOf(settings.store, settings)
  try {
    return { volume: await Volume.open(engine, settings), wasCreated: false }
  } catch (error) {
    if (codeOf(error) === 'unavailable') throw unreachable(place, error)
    if (codeOf(error) !== 'not-found') throw error
    if (create === undefined) throw await missingVolume(place, error)
  }
  checkVolumeName(place.volume)
  await refuseStoreItself(place)
  return { volume: await Volume.create(engine, { name: place.volume, ...create }), wasCreated: true }
}

async function openStorePlace(place: Place): Promise<OpenPlace> {
  const opened = await openObjectStore(place.source)
  return { place, store: scopeToVolume(opened.store, place.volume), close: () => opened.dispose() }
}

function unreachable({ source }: Place, error: unknown): EdgemountError {
  const hint = source.startsWith('http') ? '. Is an edge running there? To start one: edgemount serve <store>' : ''
  return new EdgemountError('unavailable', `${messageOf(error)}${hint}`, { cause: error })
}
