/**
 * Stores by their URL, as people write them: `dir:./data`, `memory:`. The one place where a store and its decorators are put together.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Metrics } from '../../shared/metrics.ts'
import type { Random } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { DirectoryStore } from './directory.ts'
import { limitStore } from './limit.ts'
import { MemoryStore } from './memory.ts'
import { observeStore } from './observe.ts'

export type StoreUrl = { readonly kind: 'directory'; readonly path: string } | { readonly kind: 'memory' }

export interface OpenStoreSettings {
  readonly clock: Clock
  readonly random: Random
  readonly metrics?: Metrics | undefined
}

export interface OpenedStore {
  readonly store: ObjectStore
  dispose(): Promise<void>
}

/** File calls under way at once: far above what a disk does in parallel, far below the limit of open files. */
const callCountMax = 64
/** Waiting calls hold only their arguments; more than this is a runaway caller. */
const queueCountMax = 10_000

/** Throws `invalid` for what is no store URL, `unsupported` for a kind of store that this build does not have. */
export function parseStoreUrl(text: string): StoreUrl {
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(text)
  if (match === null) throw new EdgemountError('invalid', `Cannot open the store "${text}": it names no kind of store; for a directory write "dir:${text}"`)
  const scheme = match[1]!.toLowerCase()
  const rest = match[2]!
  if (scheme === 'memory') {
    if (rest === '') return { kind: 'memory' }
    throw new EdgemountError('invalid', `Cannot open the store "${text}": nothing may follow "memory:"`)
  }
  if (scheme === 'dir') {
    if (rest !== '' && !rest.includes('\0')) return { kind: 'directory', path: rest }
    throw new EdgemountError('invalid', `Cannot open the store "${text}": "dir:" needs a path, for example dir:./data`)
  }
  throw new EdgemountError('unsupported', `Cannot open the store "${text}": "${scheme}:" is not supported; use dir:<path> or memory:`)
}

/** Opens a store by its URL. A relative path is relative to the working directory. */
export async function openStore(text: string, settings: OpenStoreSettings): Promise<OpenedStore> {
  const url = parseStoreUrl(text)
  if (url.kind === 'memory') return { store: decorate(new MemoryStore(), settings), dispose: async () => {} }
  const directory = new DirectoryStore(url.path, settings)
  await directory.start()
  return { store: decorate(limitStore(directory, { callCountMax, queueCountMax }), settings), dispose: () => directory.dispose() }
}

function decorate(store: ObjectStore, { metrics, clock }: OpenStoreSettings): ObjectStore {
  return metrics === undefined ? store : observeStore(store, { metrics, clock })
}
