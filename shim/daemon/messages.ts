/**
 * What the two threads of a mount tell each other. The file-system thread serves the kernel and never turns its event loop; the network thread
 * owns the volume. Messages are structured clones over one MessagePort; a byte on the control pipe wakes the file-system thread to read its side.
 */
import type { Pointer } from '../../shared/format/entry.ts'
import type { LogFields, LogLevel } from '../../shared/log.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { ToChanges, ToPublisher } from '../changes/publishing.ts'
import type { Change, Failure, FetchRequest, FileChore, Ticket } from '../fs/backend.ts'
import type { FileSystemStatus } from './file-system.ts'
import type { Base } from './file-system-settings.ts'

/** From the file-system thread. */
export type ToNetwork =
  | { readonly kind: 'page'; readonly ticket: Ticket; readonly pointer: Pointer }
  | { readonly kind: 'fetch'; readonly ticket: Ticket; readonly request: FetchRequest }
  | { readonly kind: 'promote'; readonly ticket: Ticket }
  | { readonly kind: 'cancel'; readonly ticket: Ticket }
  | { readonly kind: 'sync'; readonly ticket: Ticket; readonly fd: number }
  | { readonly kind: 'prepare'; readonly ticket: Ticket; readonly chores: readonly FileChore[] }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string; readonly fields: LogFields }
  /** At the start: the snapshot that the changes in its journal were made from. Answered by `base`. */
  | { readonly kind: 'ask-base'; readonly seq: number }
  | { readonly kind: 'to-publisher'; readonly message: ToPublisher }
  | { readonly kind: 'ready' }
  /** A writable mount is gone; what it has not published can be asked for until `end`. */
  | { readonly kind: 'unmounted' }
  | { readonly kind: 'status'; readonly question: number; readonly status: FileSystemStatus }
  | { readonly kind: 'ended'; readonly failure: Failure | undefined }

/** To the file-system thread. */
export type ToFileSystem =
  | { readonly kind: 'page'; readonly ticket: Ticket; readonly answer: Uint8Array | Failure }
  | { readonly kind: 'present'; readonly ticket: Ticket; readonly range: ByteRange; readonly isHole: boolean }
  | { readonly kind: 'uncached'; readonly ticket: Ticket; readonly range: ByteRange; readonly bytes: Uint8Array }
  | { readonly kind: 'done'; readonly ticket: Ticket; readonly failure: Failure | undefined }
  | { readonly kind: 'synced'; readonly ticket: Ticket; readonly result: number }
  | { readonly kind: 'prepared'; readonly ticket: Ticket; readonly ready: readonly boolean[] }
  | { readonly kind: 'base'; readonly base: Base | Failure }
  | { readonly kind: 'to-changes'; readonly message: ToChanges }
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'following'; readonly isFollowing: boolean }
  | { readonly kind: 'status'; readonly question: number }
  /** Ends serving. */
  | { readonly kind: 'stop' }
  /** Ends the thread, after `unmounted`. */
  | { readonly kind: 'end'; readonly discards: boolean }
