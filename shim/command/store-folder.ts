/**
 * What stands behind a source, for who mistyped it: whether the folder of a store is there, and which volumes a store or an edge has.
 */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { configKey } from '../../shared/volume/keys.ts'
import { EdgeConnection } from '../../shared/wire/connection.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import { routes } from '../../shared/wire/routes.ts'
import { tokenHeaders } from './edge-client.ts'
import { openObjectStore, scopeToVolume } from './edge-process.ts'
import { inSource, isVolumeName, type Place, typedInSource } from './target.ts'

export interface AskSettings {
  readonly timeout: number
  readonly token?: string | undefined
  readonly signal: AbortSignal
}

/** Volumes that an error names. */
const namedMax = 5

/** The folder of a `dir:` source; undefined for other sources. */
export function folderOf(source: string): string | undefined {
  const folder = /^dir:(.*)$/s.exec(source)?.[1]
  return folder === undefined ? undefined : path.resolve(folder)
}

/** Throws `not-found` when the folder of a store is not there: somebody who wants to read has mistyped it. */
export async function requireStoreFolder(source: string, doing: string): Promise<void> {
  const folder = folderOf(source)
  // What is there and no folder, the store itself refuses.
  if (folder === undefined || (await stat(folder).then(() => true, () => false))) return
  throw new EdgemountError('not-found', `Cannot ${doing}: the folder "${folder}" does not exist. Check the path, or make a volume in it: edgemount create ${typedInSource(source, '<volume>')}`)
}

/** What a volume path means that names no volume: a store with volumes, or nothing. */
export async function missingVolume(place: Place, cause?: unknown): Promise<EdgemountError> {
  const { source, volume } = place
  const failed = (why: string): EdgemountError => new EdgemountError('not-found', `Cannot open the volume "${volume}": ${why}`, { cause })
  const folder = folderOf(source)
  if (folder === undefined) return failed(`there is none in ${source}. To make it: edgemount create ${typedInSource(source, volume)}`)
  if (!(await isThere(folder))) return failed(`the folder "${folder}" does not exist. Check the path; to make it all: edgemount create ${typedInSource(source, volume)}`)
  const inner = innerStore(place)
  if (inner === undefined || !(await isThere(path.join(folder, volume)))) return failed(`there is none in ${source}. To make it: edgemount create ${typedInSource(source, volume)}`)
  const names = await someVolumes(inner)
  if (names.length === 0) return failed(`"${path.join(folder, volume)}" is a folder, and no volume. To make one in it: edgemount create ${inner}/<volume>`)
  return failed(storeText(inner, names))
}

/** A volume that is made where a store lies would mix the two. */
export async function refuseStoreItself(place: Place): Promise<void> {
  const inner = innerStore(place)
  const names = inner === undefined ? [] : await someVolumes(inner)
  if (inner !== undefined && names.length > 0) throw new EdgemountError('conflict', `Cannot create the volume "${place.volume}": ${storeText(inner, names)}`)
}

/** The volumes of what a text names when it is a store or an edge, and not a volume: none where it is neither. */
export async function* volumesAt(text: string, settings: AskSettings): AsyncGenerator<string> {
  const edge = /^(https?:\/\/[^?#]*?)(?:\/v1)?\/*$/i.exec(text)?.[1]
  if (edge !== undefined) yield* volumesOfEdge(edge, settings)
  const folder = folderOf(text)
  if (folder === undefined ? !isCloud(text) : !(await isThere(folder))) return
  const opened = await openObjectStore(text)
  try {
    yield* volumesOfStore(opened.store, settings.signal)
  } finally {
    await opened.dispose()
  }
}

/** A store that is reached over a network, with or without a volume after it. */
function isCloud(text: string): boolean {
  return /^(?:s3|az):\/\//.test(text)
}

/** True for the URL of an edge, or a bucket, that names no volume. */
export function isWholeSource(text: string): boolean {
  return /^(?:s3:\/\/[^/?]+|az:\/\/[^/?]+\/[^/?]+)\/*(?:\?.*)?$/.test(text) || /^https?:\/\/[^/?#]+(?:\/*|\/(?:[^?#]*\/)?(?:v1|t\/em1\.[^/?#]+(?:\/v1)?)\/*)$/i.test(text)
}

/** The names of all volumes, in order. */
async function* volumesOfStore(store: ObjectStore, signal: AbortSignal): AsyncGenerator<string> {
  // `0` follows `/`: the first key after all of a volume's.
  for (let after: string | undefined; ; ) {
    const [next] = await store.list('', { limit: 1, after, signal })
    if (next === undefined) return
    const name = next.key.split('/', 1)[0] ?? ''
    const isFolder = next.key.includes('/')
    if (isFolder && isVolumeName(name) && (await scopeToVolume(store, name).get(configKey, { signal })) !== undefined) yield name
    after = isFolder ? `${name}0` : next.key
  }
}

async function* volumesOfEdge(text: string, { timeout, token: given, signal }: AskSettings): AsyncGenerator<string> {
  const [, inUrl = given] = /\/t\/(em1\.[^/]+)$/.exec(text) ?? []
  const url = text.replace(/\/t\/em1\.[^/]+$/, '')
  const connection = new EdgeConnection({ url, fetch, clock: systemClock, callMs: timeout, headers: tokenHeaders(inUrl) })
  for (let after: string | undefined; ; ) {
    const page = await connection.readJson({ method: 'GET', path: `${routes.volumes()}${after === undefined ? '' : `?after=${encodeURIComponent(after)}`}`, signal })
    const items: unknown = fieldOf(page, 'items')
    if (!Array.isArray(items)) throw new EdgemountError('invalid', `Cannot list the volumes of ${url}: a server answers there, but it is no edge`)
    const names = items.map((item) => String(fieldOf(item, 'name')))
    yield* names
    after = names.at(-1)
    if (fieldOf(page, 'isLast') !== false || after === undefined) return
  }
}

/** What the volume path would be as a store; undefined where it goes on after the volume or names a commit. */
function innerStore({ source, volume, path: rest, seq }: Place): string | undefined {
  if (folderOf(source) === undefined || rest !== '/' || seq !== undefined) return undefined
  return source === 'dir:.' ? `dir:${volume}` : `${source.replace(/\/$/, '')}/${volume}`
}

async function someVolumes(source: string): Promise<readonly string[]> {
  const names: string[] = []
  for await (const name of volumesAt(source, { timeout: 0, signal: new AbortController().signal })) if (names.push(name) > namedMax) break
  return names
}

function storeText(source: string, names: readonly string[]): string {
  const shown = names.length > namedMax ? `${names.slice(0, namedMax).join(', ')}, …` : names.join(', ')
  return `${source} is a store; name a volume in it: ${inSource(source, '<volume>')} (there are: ${shown})`
}

async function isThere(folder: string): Promise<boolean> {
  return await stat(folder).then((found) => found.isDirectory(), () => false)
}
