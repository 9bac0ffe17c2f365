/**
 * A file system that is mounted and served, whichever driver does it: what the daemon needs of it. `linux-mount.ts` and `native-mount.ts` make one.
 */
import type { Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import type { ToChanges, ToPublisher } from '../changes/publishing.ts'
import type { Change } from '../fs/backend.ts'
import type { UnmountResult } from '../fuse/unmount.ts'
import type { CountingBackend, FileSystemStatus } from './file-system.ts'
import type { Base, FileSystemSettings } from './file-system-settings.ts'

/** How the file system ended: undefined when it was unmounted, or why it could not go on. */
export type FileSystemEnd = Error | undefined

export interface ServeParts {
  readonly directory: string
  /** Shown in the mount table. */
  readonly label: string
  readonly allowOther: boolean
  readonly settings: FileSystemSettings
  readonly backend: CountingBackend
  /** The snapshot that changes in a journal were made from. */
  readonly findBase: (seq: number) => Promise<Base>
  /** What the file system says to who publishes its changes. */
  readonly onPublishing: (message: ToPublisher) => void
  /** The mount is gone, what is left is published now. True: what is left is to be dropped. Never rejects. */
  readonly drain: () => Promise<boolean>
  /** The least busy wait before the file-system thread sleeps, in µs. */
  readonly spinUs: number
  /** Let the kernel read wholly cached files by itself, where it can. */
  readonly wantsPassthrough: boolean
  readonly clock: Clock
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined
  readonly log: Logger
}

export interface ServedFileSystem {
  /** Real path of the mount point. */
  readonly directory: string
  readonly ended: Promise<FileSystemEnd>
  applyChange(change: Change): void
  setFollowing(isFollowing: boolean): void
  /** What who publishes says to the file system. */
  tellChanges(message: ToChanges): void
  /** Undefined when it is over or does not answer in time. */
  status(): Promise<FileSystemStatus | undefined>
  /** Requests of the kernel so far, by operation. */
  requestCounts(): Readonly<Record<string, number>>
  unmount(options: { readonly isLazy: boolean }): Promise<UnmountResult>
  /** Ends it without anybody's consent, in time: what is open fails from then on. */
  terminate(): Promise<void>
}
