/**
 * The one file of `shim/` that imports `edge/`: where the command opens a store itself, or runs an edge in its own process.
 */
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import type { Metrics } from '../../shared/metrics.ts'
import { systemRandom } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import type { KeyRing } from '../../shared/wire/key-ring.ts'
import { refuseOpenListening } from '../../edge/access/listening.ts'
import type { NodeCacheSettings } from '../../edge/node-cache.ts'
import type { EdgeCache } from '../../edge/store/cache/edge-cache.ts'
import { openStore, type OpenedStore } from '../../edge/store/open.ts'
import { retryDefaults, retryStore } from '../../edge/store/retry.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { failureName } from '../sys/failure.ts'
import { nodeHash } from '../sys/node-hash.ts'

/** Throws `invalid` for what is no store, `unsupported` for a kind that this build does not have. */
export function openObjectStore(text: string, metrics?: Metrics): Promise<OpenedStore> {
  return openStore(text, { clock: systemClock, random: systemRandom, metrics })
}

/** The part of a store that one volume lives in. */
export function scopeToVolume(store: ObjectStore, volume: string): ObjectStore {
  return new ScopedStore(store, volume)
}

/** Tries again what failed for the moment. Mounts do without: their fetcher has tries of its own. */
export function withRetries(store: ObjectStore): ObjectStore {
  return retryStore(store, { clock: systemClock, random: systemRandom, ...retryDefaults })
}

export interface EdgeAddress {
  readonly host: string
  /** What it answers to besides localhost when `host` is a loopback address. */
  readonly hostNames?: readonly string[]
  readonly port: number
  /** Tries the ports after it while they are taken. */
  readonly isNextTaken: boolean
  /** What chooses another port, where it is not `--port`. */
  readonly flag?: string
}

export interface RunningEdge {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

export interface EdgeOptions {
  readonly isReadOnly?: boolean
  readonly cache?: EdgeCache
  /** Its own unless given. */
  readonly metrics?: Metrics
  /** From `secrets.ts`; undefined: everybody may everything. */
  readonly keys: KeyRing | undefined
  /** Also where others can reach it, and without a secret. */
  readonly isOpen?: boolean
  /** Requests a second; 0 is without a limit. */
  readonly tokenRate?: number
  readonly anonymousRate?: number
  readonly uploadBytesMax?: number | undefined
}

/** What an edge keeps of packs in memory and, if asked to, on disk. Close it after the edge. */
export async function openEdgeCache(settings: Omit<NodeCacheSettings, 'clock'>): Promise<{ readonly cache: EdgeCache; close(): Promise<void> }> {
  const { openNodeCache } = await import('../../edge/node-cache.ts')
  return await openNodeCache({ ...settings, clock: systemClock })
}

/** A machine with so many ports in a row taken has other worries. */
const portsTriedMax = 64

/** An edge in this process. Throws `conflict` when the port is taken, `denied` when it may not be used, or by everybody. */
export async function startEdge(store: ObjectStore, address: EdgeAddress, log: Logger, options: EdgeOptions): Promise<RunningEdge> {
  const { keys, isOpen = false, tokenRate, anonymousRate, ...others } = options
  refuseOpenListening(address.host, keys, isOpen)
  // Loaded when an edge is wanted: most commands end sooner than this takes.
  const [{ createApp }, { nodeBytesBody, serveNode }, { nodeDigest }, { builtConsole }] = await Promise.all([
    import('../../edge/app.ts'),
    import('../../edge/node.ts'),
    import('../../edge/http/node-digest.ts'),
    import('../../edge/console-files.ts'),
  ])
  const console = await builtConsole()
  const access = keys && { keys, tokenRate, anonymousRate }
  for (let tried = 0; ; tried += 1) {
    const app = createApp({ store, clock: systemClock, random: systemRandom, hash: nodeHash, bytesBody: nodeBytesBody, startDigest: nodeDigest, log, access, console, ...others })
    try {
      const port = address.port + tried
      return await serveNode({ app, host: address.host, hostNames: address.hostNames, port: address.port === 0 ? 0 : port })
    } catch (error) {
      await app.dispose()
      if (!isTaken(error)) throw error
      if (!address.isNextTaken || tried === portsTriedMax || address.port + tried >= 65_535) throw new EdgemountError('conflict', address.flag === undefined ? messageOf(error) : messageOf(error).replace('--port', address.flag), { cause: error })
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && failureName(error.cause) === 'EADDRINUSE'
}
