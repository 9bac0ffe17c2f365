/**
 * Stores by their URL, as people write them: `dir:./data`, `s3://bucket/prefix`, `memory:`. The one place where a store and its decorators are put together.
 *
 * The clients of clouds are loaded when one is opened: they take a tenth of a second and tens of megabytes, which nobody pays for a folder.
 */
import type { TokenCredential } from '@azure/identity'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Metrics } from '../../shared/metrics.ts'
import type { Random } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { deadlineStore } from './deadline.ts'
import { DirectoryStore } from './directory.ts'
import { limitStore } from './limit.ts'
import { MemoryStore } from './memory.ts'
import { observeStore } from './observe.ts'
import { retryDefaults, retryStore } from './retry.ts'
import { type AzureUrl, parseStoreUrl, type S3Url } from './store-url.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface OpenStoreSettings {
  readonly clock: Clock
  readonly random: Random
  readonly metrics?: Metrics | undefined
  /** Where endpoints and keys of clouds are; the process's own unless given. */
  readonly environment?: Environment | undefined
}

export interface OpenedStore {
  readonly store: ObjectStore
  dispose(): Promise<void>
}

/** File calls under way at once: far above what a disk does in parallel, far below the limit of open files. */
const callCountMax = 64
/** Waiting calls hold only their arguments; more than this is a runaway caller. */
const queueCountMax = 10_000

/**
 * A cloud answers in tens of milliseconds with about 100 MB/s a connection: so many fill 10 Gbit/s, and are far below the open sockets and the memory that a mount
 * may have (each may hold a pack of 64 MiB).
 */
const cloudCallCountMax = 32
/** Clouds answer in seconds when they are slow, and never when they are ill or the network swallows what is sent. */
const cloudCallMs = 30_000
/** A whole pack may be read at once. */
const cloudBodyMs = 300_000
/** A pack of 64 MiB over a line of 2 Mbit/s takes over four minutes; Node's `fetch` waits five for an answer. */
const cloudSentBytesPerSecondMin = 256 * 1024
/** Fewer than elsewhere: who asks may try again too. */
const cloudTryCountMax = 3

/** Opens a store by its URL. A relative path is relative to the working directory. */
export async function openStore(text: string, settings: OpenStoreSettings): Promise<OpenedStore> {
  const url = parseStoreUrl(text)
  if (url.kind === 'memory') return { store: decorate(new MemoryStore(), settings), dispose: async () => {} }
  if (url.kind === 's3') return await openS3(url, settings)
  if (url.kind === 'azure') return await openAzure(url, settings)
  const directory = new DirectoryStore(url.path, settings)
  await directory.start()
  return { store: decorate(limitStore(directory, { callCountMax, queueCountMax }), settings), dispose: () => directory.dispose() }
}

async function openS3(url: S3Url, settings: OpenStoreSettings): Promise<OpenedStore> {
  const { S3Store } = await import('./s3.ts')
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = settings.environment ?? process.env
  const endpoint = (url.endpoint ?? (AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL)) || undefined
  const store = new S3Store({ ...url, endpoint, clock: settings.clock, random: settings.random })
  return { store: decorate(overNetwork(store, settings), settings), dispose: async () => store.dispose() }
}

async function openAzure(url: AzureUrl, settings: OpenStoreSettings): Promise<OpenedStore> {
  const [{ AzureStore }, { azureAccess }] = await Promise.all([import('./azure.ts'), import('./azure/access.ts')])
  const access = azureAccess(url.account, settings.environment ?? process.env)
  const identity = access.kind === 'identity' ? await openIdentity(url) : undefined
  const store = new AzureStore({ ...url, access, identity })
  return { store: decorate(overNetwork(store, settings), settings), dispose: async () => {} }
}

/** Nothing is asked of anybody yet. A token would be read by everybody on the way, so it goes by https only. */
async function openIdentity({ account, endpoint = 'https:' }: AzureUrl): Promise<TokenCredential> {
  if (!endpoint.startsWith('https:')) {
    throw new EdgemountError('invalid', `Cannot open the account "${account}" by an identity over "${endpoint}": that needs https. Or set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN`)
  }
  const { DefaultAzureCredential } = await import('@azure/identity')
  return new DefaultAzureCredential()
}

/** A place is held while a call is under way, not while it waits for its next try; each try has its own deadline. */
function overNetwork(store: ObjectStore, { clock, random }: OpenStoreSettings): ObjectStore {
  const timed = deadlineStore(store, { clock, callMs: cloudCallMs, bodyMs: cloudBodyMs, sentBytesPerSecondMin: cloudSentBytesPerSecondMin })
  const limited = limitStore(timed, { callCountMax: cloudCallCountMax, queueCountMax })
  return retryStore(limited, { clock, random, ...retryDefaults, tryCountMax: cloudTryCountMax })
}

function decorate(store: ObjectStore, { metrics, clock }: OpenStoreSettings): ObjectStore {
  return metrics === undefined ? store : observeStore(store, { metrics, clock })
}
