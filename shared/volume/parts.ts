/**
 * What the parts of one open volume share: the injected world, and what was composed over it. `volume.ts` makes it, once.
 */
import type { Clock } from '../clock.ts'
import type { VolumeConfig } from '../format/commit.ts'
import type { HashFunction } from '../hash.ts'
import type { Limiter } from '../lifetime.ts'
import type { Logger } from '../log.ts'
import type { Random } from '../random.ts'
import type { ObjectStore } from '../store.ts'
import type { ChunkCache } from './chunk-cache.ts'
import type { CommitLog } from './commit-log.ts'
import type { PageStore } from './page-store.ts'
import type { ReadBudget } from './read-budget.ts'

export interface VolumeParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly hash: HashFunction
  readonly log: Logger
  /** Names this process in records and conflict names. */
  readonly author: string
  readonly config: VolumeConfig
  readonly pages: PageStore
  /** The largest request for the bytes of bodies. */
  readonly readBytesMax: number
  readonly readBudget: ReadBudget
  /** Long bodies are read as streams. */
  readonly isStreaming: boolean
  /** The longest that one chunk of such a stream may take, and that a commit waits for its turn. */
  readonly waitMs: number
  readonly chunks: ChunkCache
  readonly commits: CommitLog
  /** One commit of this process at a time: two would only race each other. */
  readonly turns: Limiter
}
