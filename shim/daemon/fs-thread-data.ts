/**
 * What the file-system thread is started with.
 */
import type { MessagePort } from 'node:worker_threads'
import type { FuseMount } from '../fuse/mount.ts'
import type { NotifyLink } from '../fuse/notify-thread.ts'
import type { FileSystemSettings } from './file-system-settings.ts'

export interface FsThreadData {
  readonly mount: FuseMount
  readonly notifying: NotifyLink
  readonly controlFd: number
  readonly port: MessagePort
  readonly settings: FileSystemSettings
  readonly spinUs: number
  readonly wantsPassthrough: boolean
  /** Requests by opcode, shared. */
  readonly counts: Uint32Array
  /** Signs of life, counted, shared. */
  readonly beats: Uint32Array
}
