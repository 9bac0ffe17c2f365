/** What pages and their service worker say to each other: asks with a port of their own for the answers, and the worker's question for a token that it may not keep. */
import { EdgemountError, type ErrorCode, codeOf, messageOf } from '../../../shared/error.ts'
import type { PinProgress } from '../pin.ts'
import type { VolumeStats } from '../volume.ts'
import type { KeptPin, ServedSettings } from './worker-book.ts'

export type Ask =
  | { readonly kind: 'serve'; readonly settings: ServedSettings; readonly token: string | undefined }
  | { readonly kind: 'pin' | 'unpin'; readonly prefix: string; readonly path: string }
  | { readonly kind: 'pins' | 'stats' | 'clear' | 'forget'; readonly prefix: string }

/** What is answered to each. */
export interface AskValues {
  readonly serve: undefined
  readonly pin: PinProgress
  readonly unpin: undefined
  readonly pins: readonly KeptPin[]
  readonly stats: ServedStats
  readonly clear: undefined
  readonly forget: undefined
}

export interface ServedStats extends VolumeStats {
  /** The commit that is shown. */
  readonly seq: number
  readonly isOffline: boolean
}

export type Answer<V = unknown> =
  | { readonly kind: 'done'; readonly value: V }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'progress'; readonly progress: PinProgress }
  /** The browser's time for one message is up: asked again, it goes on where it was. */
  | { readonly kind: 'again' }
  /** Nothing new, but it lives. */
  | { readonly kind: 'alive' }

/** Other messages of a page and its worker are not ours. */
const name = 'edgemount'

export function sealed<T extends object>(message: T): T & { readonly for: typeof name } {
  return { ...message, for: name }
}

export function isAsk(data: unknown): data is Ask {
  return isOurs(data) && 'kind' in data && data.kind !== 'token'
}

/** The worker was started anew and has no token for a prefix. */
export function tokenQuestion(prefix: string): object {
  return sealed({ kind: 'token', prefix })
}

export function isTokenQuestion(data: unknown, prefix: string): boolean {
  return isOurs(data) && 'kind' in data && data.kind === 'token' && 'prefix' in data && data.prefix === prefix
}

/** An answer to this ask: it came on a port that only the worker has. */
export function isAnswer<K extends keyof AskValues>(data: unknown, _kind: K): data is Answer<AskValues[K]> {
  return typeof data === 'object' && data !== null && 'kind' in data
}

export function failed(error: unknown): Answer {
  return { kind: 'failed', code: codeOf(error), message: messageOf(error) }
}

export function errorOf({ code, message }: Extract<Answer, { kind: 'failed' }>): EdgemountError {
  return new EdgemountError(code, message)
}

function isOurs(data: unknown): data is object {
  return typeof data === 'object' && data !== null && 'for' in data && data.for === name
}
