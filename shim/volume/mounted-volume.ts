/**
 * Opens a volume for a mount: the engine over the store with its metadata kept on disk, the snapshot to begin with, and what was remembered of the
 * last time, so that a mount also starts while the store is away.
 *
 * Called by the daemon. On disk, below the cache's base directory: `sources/<hash of the label>.json` says which volume a source led to and
 * which commit was seen last; `<volume id>/` holds `metadata/` and the cache of bodies.
 */
import { createHash } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { decodeVolumeConfig } from '../../shared/format/commit.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { Logger } from '../../shared/log.ts'
import type { Random } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import type { CommitRecord } from '../../shared/format/commit.ts'
import { configKey } from '../../shared/volume/keys.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { Volume } from '../../shared/volume/volume.ts'
import type { EventsRequest } from '../../shared/wire/followed-events.ts'
import { makeDirectories } from '../sys/make-directories.ts'
import { nodeHash } from '../sys/node-hash.ts'
import { MetadataCache } from './metadata-cache.ts'

export interface VolumeSource {
  /** Scoped to the volume. */
  readonly store: ObjectStore
  /** Names the volume in messages and in the mount table, for example `dir:/srv/data/demo`. Also the key of what is remembered. */
  readonly label: string
  /** What its bytes are counted under: `store` unless given. */
  readonly tierName?: 'edge' | 'store' | undefined
  /** Announces commits as they happen, for ever; `VolumeClient.events` of an edge. Without it the log is looked at again and again. */
  readonly events?: ((request: EventsRequest) => AsyncGenerator<CommitRecord, never>) | undefined
}

export interface OpenVolumeParts {
  readonly source: VolumeSource
  /** Of all volumes' caches. */
  readonly baseDirectory: string
  readonly metadataBytesMax: number
  /** A fixed snapshot; the newest when undefined. */
  readonly seq: number | undefined
  readonly deadlineMs: number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export interface MountedVolume {
  readonly volume: Volume
  readonly snapshot: Snapshot
  readonly metadata: MetadataCache
  /** For the caches of this volume. */
  readonly directory: string
  /** True once the store has said that it leads to this volume still; false when the mount begins with what was remembered. */
  readonly isConnected: boolean
  /** Asks the store whether it leads to this volume still. Throws `conflict` when it leads to another. */
  confirm(signal: AbortSignal): Promise<void>
  /** Remembers the newest commit that was seen, one after the other. Only for what the store has confirmed. */
  remember(seq: number): Promise<void>
  /** Also waits for what is being remembered. */
  close(): Promise<void>
}

interface Memory {
  readonly volumeId: string
  readonly seq: number
}

/** With a memory to fall back on, a store that does not answer is not waited for longer than this. */
const rememberedDeadlineMs = 2000

export async function openMountedVolume(parts: OpenVolumeParts): Promise<MountedVolume> {
  const memory = await readMemory(parts)
  const opened = memory === undefined ? undefined : await openRemembered(parts, memory)
  if (opened !== undefined) return opened
  const { volumeId } = await askWhichVolume(parts)
  const { volume, metadata, directory } = await openEngine(parts, volumeId, parts.deadlineMs)
  const snapshot = await orClosed(metadata, first(parts, volume, parts.deadlineMs))
  return finish(parts, { volume, snapshot, metadata, directory, isConnected: true }, volumeId)
}

/** Undefined when the source leads to another volume now. */
async function openRemembered(parts: OpenVolumeParts, memory: Memory): Promise<MountedVolume | undefined> {
  const deadlineMs = Math.min(rememberedDeadlineMs, parts.deadlineMs)
  const { volume, metadata, directory } = await openEngine(parts, memory.volumeId, deadlineMs)
  if (volume.config.id !== memory.volumeId) {
    await metadata.close()
    return undefined
  }
  const { reason, isOther } = metadata.isConfigKept ? await doubt(parts, memory.volumeId, deadlineMs) : certain
  if (isOther) {
    await metadata.close()
    return undefined
  }
  const { snapshot, isConnected } = await orClosed(metadata, firstOrLast(parts, volume, { seq: parts.seq ?? memory.seq, deadlineMs, reason }))
  return finish(parts, { volume, snapshot, metadata, directory, isConnected }, memory.volumeId)
}

interface Doubt {
  /** Why the store does not say where it leads. */
  readonly reason: unknown
  readonly isOther: boolean
}

const certain: Doubt = { reason: undefined, isOther: false }

/** A slow store is not an absent one: nothing of it is taken for this volume's before it has said that it leads there. */
async function doubt(parts: OpenVolumeParts, volumeId: string, deadlineMs: number): Promise<Doubt> {
  try {
    await withDeadline(parts.clock, deadlineMs, 'read the configuration', undefined, (signal) => confirm(parts.source, volumeId, signal))
    return certain
  } catch (reason) {
    return { reason, isOther: codeOf(reason) !== 'unavailable' }
  }
}

async function confirm({ store, label }: VolumeSource, volumeId: string, signal: AbortSignal): Promise<void> {
  const found = await store.get(configKey, { signal, isFresh: true })
  if (found === undefined) throw new EdgemountError('not-found', `Cannot find the volume "${label}": there is none any more`)
  const { id } = decodeVolumeConfig(await found.bytes())
  if (id === volumeId) return
  throw new EdgemountError('conflict', `Cannot go on with "${label}": another volume has taken its place; mount it again`)
}

/** The newest snapshot, or while the store is away, or it is doubtful whether it is this volume's, the one at `seq`. */
async function firstOrLast(
  parts: OpenVolumeParts,
  volume: Volume,
  { seq, deadlineMs, reason }: { readonly seq: number; readonly deadlineMs: number; readonly reason: unknown },
): Promise<{ readonly snapshot: Snapshot; readonly isConnected: boolean }> {
  const { source, clock, log } = parts
  try {
    if (reason !== undefined) throw reason
    return { snapshot: await first(parts, volume, deadlineMs), isConnected: true }
  } catch (error) {
    if (codeOf(error) !== 'unavailable') throw error
    // What is kept answers at once; what is not would be asked of the store that is away.
    const kept = withDeadline(clock, deadlineMs, 'open the commit that was seen last', undefined, (signal) => volume.at(seq, { signal }))
    const snapshot = await kept.catch((second: unknown) => {
      throw new EdgemountError('unavailable', `Cannot mount "${source.label}": ${messageOf(error)}; and commit ${seq} is not kept here`, { cause: second })
    })
    log.warn(`Cannot reach "${source.label}": mounting commit ${seq}, as it was last seen`, { error })
    return { snapshot, isConnected: false }
  }
}

/** What was opened on the way is not left behind when the rest of the way fails. */
async function orClosed<T>(metadata: MetadataCache, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    await metadata.close()
    throw error
  }
}

type Opened = Omit<MountedVolume, 'confirm' | 'remember' | 'close'>

function finish(parts: OpenVolumeParts, opened: Opened, volumeId: string): MountedVolume {
  let remembering = Promise.resolve()
  return {
    ...opened,
    confirm: (signal) => confirm(parts.source, volumeId, signal),
    remember: (seq) => (remembering = remembering.then(() => writeMemory(parts, { volumeId, seq }))),
    close: async () => {
      await remembering
      await opened.volume.close()
      await opened.metadata.close()
    },
  }
}

function first(parts: OpenVolumeParts, volume: Volume, deadlineMs: number): Promise<Snapshot> {
  const { seq, clock } = parts
  return withDeadline(clock, deadlineMs, 'open the snapshot', undefined, (signal) =>
    seq === undefined ? volume.head({ signal }) : volume.at(seq, { signal }),
  )
}

async function openEngine(
  parts: OpenVolumeParts,
  volumeId: string,
  deadlineMs: number,
): Promise<{ volume: Volume; metadata: MetadataCache; directory: string }> {
  const { source, clock, random, log } = parts
  const directory = path.join(parts.baseDirectory, volumeId)
  const metadata = await MetadataCache.open(source.store, { directory: path.join(directory, 'metadata'), bytesMax: parts.metadataBytesMax, clock, log })
  const opening = withDeadline(clock, deadlineMs, 'open the volume', undefined, (signal) =>
    Volume.open({ store: metadata, clock, random, log, hash: nodeHash }, { signal }),
  )
  return { volume: await orClosed(metadata, opening), metadata, directory }
}

async function askWhichVolume(parts: OpenVolumeParts): Promise<{ volumeId: string }> {
  const { source, clock, random, log } = parts
  const volume = await withDeadline(clock, parts.deadlineMs, 'open the volume', undefined, (signal) =>
    Volume.open({ store: source.store, clock, random, log, hash: nodeHash }, { signal }),
  )
  const volumeId = volume.config.id
  // It becomes a directory's name.
  if (!/^[0-9A-Za-z_-]{1,64}$/.test(volumeId)) throw new EdgemountError('corrupt', `Cannot mount "${source.label}": its volume id is not a word`)
  return { volumeId }
}

function memoryFile(parts: OpenVolumeParts): string {
  const key = createHash('sha256').update(parts.source.label).digest('hex').slice(0, 32)
  return path.join(parts.baseDirectory, 'sources', `${key}.json`)
}

async function readMemory(parts: OpenVolumeParts): Promise<Memory | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(memoryFile(parts), 'utf8'))
    if (typeof value !== 'object' || value === null || !('volumeId' in value) || !('seq' in value)) return undefined
    const { volumeId, seq } = value
    return typeof volumeId === 'string' && /^[0-9A-Za-z_-]{1,64}$/.test(volumeId) && typeof seq === 'number' ? { volumeId, seq } : undefined
  } catch {
    return undefined
  }
}

/** Only speeds up and helps the next start: a failure is no failure of the mount. */
async function writeMemory(parts: OpenVolumeParts, memory: Memory): Promise<void> {
  const file = memoryFile(parts)
  try {
    makeDirectories(path.dirname(file), 0o700)
    await writeFile(`${file}.${process.pid}.tmp`, JSON.stringify({ ...memory, label: parts.source.label }), { mode: 0o600 })
    await rename(`${file}.${process.pid}.tmp`, file)
  } catch (error) {
    parts.log.debug(`Cannot remember the commit that was seen last: ${messageOf(error)}`)
  }
}
