/** What the edge tells of the past and of who reads a volume, as values: the answers of `history`, `diff`, `restore`, `share` and `peers`. Throws what the edge says. */
import { EdgemountError, codeOf } from '../../shared/error.ts'
import type { FileKind } from '../../shared/format/entry.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import type { DiffMessage, HistoryMessage, PeersMessage, RestoreMessage, ShareMessage, StatMessage } from '../../shared/wire/messages.ts'
import { routes } from '../../shared/wire/routes.ts'
import type { Session } from './session.ts'

const changesAtOnce = 30
const differencesAtOnce = 500

export async function readHistory(session: Session, volume: string, next: { readonly path: string; readonly before?: number | undefined }, signal: AbortSignal): Promise<HistoryMessage> {
  return await ask(session, routes.history(volume, next.path, { before: next.before, limit: changesAtOnce }), has<HistoryMessage>('items'), { signal })
}

export interface Compared {
  readonly path: string
  readonly from: number
  readonly to: number
  readonly after?: string | undefined
}

export async function readDiff(session: Session, volume: string, { path, from, to, after }: Compared, signal: AbortSignal): Promise<DiffMessage> {
  return await ask(session, routes.diff(volume, path, { from, to, after, limit: differencesAtOnce }), has<DiffMessage>('items'), { signal })
}

/** `over`: the version that may be replaced; without one nothing may be there. */
export async function restore(session: Session, volume: string, path: string, { seq, to, over }: { readonly seq: number; readonly to: string; readonly over: string | undefined }): Promise<RestoreMessage> {
  const headers: Record<string, string> = over === undefined ? { 'if-none-match': '*' } : { 'if-match': `"${over}"` }
  return await ask(session, routes.restore(volume, path, { seq, to }), has<RestoreMessage>('seq'), { method: 'POST', headers })
}

/** What has a name as of a commit, a symlink itself; undefined for nothing. */
export async function readEntry(session: Session, volume: string, { path, seq }: { readonly path: string; readonly seq: number }, signal: AbortSignal): Promise<{ readonly kind: FileKind; readonly size: number; readonly version: string } | undefined> {
  try {
    const { entry } = await ask(session, `${routes.stat(volume, path, { seq })}&follow=0`, has<StatMessage>('entry'), { signal })
    return { ...entry, version: entry.version ?? '' }
  } catch (error) {
    if (codeOf(error) === 'not-found') return undefined
    throw error
  }
}

export async function share(session: Session, volume: string, path: string, request: { readonly seconds: number; readonly seq?: number }): Promise<ShareMessage> {
  return await ask(session, routes.share(volume, path), has<ShareMessage>('url'), { method: 'POST', body: JSON.stringify(request), headers: { 'content-type': 'application/json' } })
}

export async function readPeers(session: Session, volume: string, signal: AbortSignal): Promise<PeersMessage> {
  return await ask(session, routes.peers(volume), has<PeersMessage>('items'), { signal })
}

/** The edge's own answers have the form of its messages; what something on the way says instead has not the field. */
function has<Message extends object>(field: string & keyof Message): (value: unknown) => value is Message {
  return (value): value is Message => fieldOf(value, field) !== undefined
}

async function ask<Message>(session: Session, path: string, isMessage: (value: unknown) => value is Message, init: RequestInit): Promise<Message> {
  const response = await session.send(path, init)
  const answer: unknown = await response.json().catch((error: unknown) => {
    if (init.signal?.aborted === true) throw error
  })
  if (isMessage(answer)) return answer
  throw new EdgemountError('unavailable', 'Cannot read what the edge says: something on the way answers in its place; try again in a moment')
}
