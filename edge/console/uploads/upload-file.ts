/**
 * One file to one path: in one request, or, when it is long, in parts by tus, which go on where they were after whatever cut them. Called by `queue.ts`.
 *
 * INVARIANT: nothing is replaced unless the caller said so: both ways ask the edge to see to it up to the commit. What an earlier page began is gone on with only when it was
 * begun so, and when all that was sent of it is in this file, too.
 */
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Clock } from '../../../shared/clock.ts'
import { EdgemountError, codeOf } from '../../../shared/error.ts'
import { percentEncodePath } from '../../../shared/path.ts'
import { routes } from '../../../shared/wire/routes.ts'
import { shownName } from '../format.ts'
import { blockBytes, blocksUpTo, hasSameBlocks, noBlocks, withBlocks } from './sent-blocks.ts'
import type { Answer, Sending } from './send.ts'
import type { Unfinished, UnfinishedUploads } from './unfinished.ts'

export interface UploadWorld {
  /** The whole address of a route. */
  readonly url: (path: string) => string
  readonly send: (sending: Sending) => Promise<Answer>
  readonly errorOf: (status: number, body: string) => EdgemountError
  readonly clock: Clock
  readonly unfinished: UnfinishedUploads
}

export interface UploadRequest {
  readonly volume: string
  readonly path: string
  readonly file: File
  readonly replaces: boolean
  readonly signal: AbortSignal
  /** Bytes of the file that are there or on their way; may go back. */
  readonly onSent: (bytes: number) => void
  /** It cannot go on now, and tries again by itself. */
  readonly onWaiting: (error: unknown) => void
}

/** Up to so much a second try costs little, and one request is quicker than three. */
export const wholeBytesMax = 8 * 1024 * 1024
/** Some eight minutes: a train has left the tunnel by then. */
const triesMax = 20
const beginsMax = 4
const waitMsMax = 30_000
const tus = { 'tus-resumable': '1.0.0' } as const

/** `taken` when something is there that may not be replaced. */
export type Outcome = 'done' | 'taken'

export async function uploadFile(world: UploadWorld, request: UploadRequest): Promise<Outcome> {
  const begun = await goOnWith(world, request)
  if (request.file.size <= wholeBytesMax && begun === undefined) return await trying(world, request, () => putWhole(world, request))
  return await sendParts(world, request, begun)
}

/** What was begun of this file, so that it can be ended as it is asked for now; what cannot is given up. */
async function goOnWith(world: UploadWorld, request: UploadRequest): Promise<Unfinished | undefined> {
  const found = world.unfinished.find(noteOf(request))
  if (found === undefined) return undefined
  if (found.replaces === request.replaces && (await hasSameBlocks(request.file, found.sent))) return found
  await trying(world, request, () => discardUpload(world, request, request.signal))
  return undefined
}

/** Gives up what has been sent of a file in parts. */
export async function discardUpload(world: UploadWorld, request: Pick<UploadRequest, 'volume' | 'path' | 'file'>, signal: AbortSignal): Promise<void> {
  const begun = world.unfinished.find(noteOf(request))
  if (begun === undefined) return
  world.unfinished.forget(begun)
  await world.send({ method: 'DELETE', url: uploadUrl(world, begun), headers: tus, body: undefined, signal })
}

async function putWhole(world: UploadWorld, { volume, path, file, replaces, signal, onSent }: UploadRequest): Promise<Outcome> {
  const headers = { ...headersOf(file, replaces), 'content-type': 'application/octet-stream' }
  const answer = await world.send({ method: 'PUT', url: world.url(routes.file(volume, path)), headers, body: file, signal, onSent })
  if (answer.status === 412 && !replaces) return 'taken'
  if (answer.status >= 300) throw world.errorOf(answer.status, answer.text)
  return 'done'
}

async function sendParts(world: UploadWorld, request: UploadRequest, found: Unfinished | undefined): Promise<Outcome> {
  let begun = found
  for (let begins = 0; begins < beginsMax; begins += 1) {
    const state: State = begun === undefined ? await trying(world, request, () => begin(world, request)) : await trying(world, request, () => look(world, request, begun!))
    if (state === 'taken') return 'taken'
    const outcome = state === 'gone' ? 'gone' : await patchAll(world, request, state)
    const over = state === 'gone' ? begun : state.begun
    if (over !== undefined) world.unfinished.forget(over)
    if (outcome !== 'gone') return outcome
    begun = undefined
  }
  throw new EdgemountError('unavailable', `Cannot upload "${request.path}": the edge forgets what was sent; try again later`)
}

type State = { readonly begun: Unfinished; readonly offset: number } | 'taken' | 'gone'

async function begin(world: UploadWorld, request: UploadRequest): Promise<State> {
  const { volume, path, file, replaces, signal } = request
  const headers = { ...tus, ...headersOf(file, replaces), 'upload-length': String(file.size) }
  const answer = await world.send({ method: 'POST', url: world.url(`/v1/${volume}/uploads${percentEncodePath(path)}`), headers, body: undefined, signal })
  if (answer.status === 412 && !replaces) return 'taken'
  if (answer.status === 413) throw new EdgemountError('invalid', world.errorOf(answer.status, answer.text).message)
  const id = /[?&]upload=([^&]+)/.exec(answer.header('location') ?? '')?.[1]
  if (answer.status !== 201 || id === undefined) throw world.errorOf(answer.status, answer.text)
  const begun = { ...noteOf(request), id, begunMs: world.clock.now(), replaces, sent: noBlocks }
  world.unfinished.keep(begun)
  return { begun, offset: 0 }
}

/** How far it is. */
async function look(world: UploadWorld, { signal }: UploadRequest, begun: Unfinished): Promise<State> {
  const answer = await world.send({ method: 'HEAD', url: uploadUrl(world, begun), headers: tus, body: undefined, signal })
  if (answer.status === 404 || answer.status === 410) return 'gone'
  if (answer.status !== 200) throw world.errorOf(answer.status, answer.text)
  const offset = Number(answer.header('upload-offset') ?? 0)
  // Another page has sent what this one does not know.
  return offset > begun.sent.count * blockBytes ? 'gone' : { begun, offset }
}

async function patchAll(world: UploadWorld, request: UploadRequest, start: Exclude<State, string>): Promise<Outcome | 'gone'> {
  const { file, onSent } = request
  let { begun, offset } = start
  // Also one of which everything was there, and the answer was lost, is asked for once more: that commits it, or says that it is.
  for (;;) {
    onSent(offset)
    const at = offset
    let isFirst = true
    begun = await noted(world, file, begun, at)
    const now = begun
    const reached = await trying(world, request, async () => {
      const state: State = isFirst ? { begun: now, offset: at } : await look(world, request, now)
      isFirst = false
      return typeof state === 'string' || state.offset !== at ? state : await patch(world, request, state)
    })
    if (typeof reached === 'string') return reached
    if ('isAnswered' in reached && reached.offset >= file.size) return 'done'
    offset = reached.offset
  }
}

/** The note says what is about to be sent before it is. */
async function noted(world: UploadWorld, file: File, begun: Unfinished, offset: number): Promise<Unfinished> {
  await requireReadable(file)
  const count = blocksUpTo(Math.min(offset + 1, file.size))
  if (count <= begun.sent.count) return begun
  const now = { ...begun, sent: await withBlocks(file, begun.sent, count) }
  world.unfinished.keep(now)
  return now
}

/** To the end of a block: proxies refuse bodies of some hundred megabytes, and each part costs the store a few writes. */
async function patch(world: UploadWorld, { file, signal, replaces, onSent }: UploadRequest, { begun, offset }: Exclude<State, string>): Promise<{ readonly offset: number; readonly isAnswered: true } | 'taken' | 'gone'> {
  const body = file.slice(offset, Math.min((Math.floor(offset / blockBytes) + 1) * blockBytes, file.size))
  const headers = { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) }
  const answer = await world.send({ method: 'PATCH', url: uploadUrl(world, begun), headers, body, signal, onSent: (bytes) => onSent(offset + bytes) })
  if (answer.status === 204) return { offset: Number(answer.header('upload-offset')), isAnswered: true }
  // What is there now may be replaced, and was not to be when this upload was begun: it is over, and another one begins.
  if (answer.status === 412) return replaces ? 'gone' : 'taken'
  if (answer.status === 404 || answer.status === 410) return 'gone'
  const error = world.errorOf(answer.status, answer.text)
  // It is elsewhere in the file, or another page sends it, too: look, and go on from there.
  throw answer.status === 409 ? new EdgemountError('unavailable', error.message) : error
}

/** Again and again while the edge is away, busy, or was somewhere else in the file. */
async function trying<T>(world: UploadWorld, { file, signal, onWaiting }: UploadRequest, once: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    throwIfAborted(signal)
    try {
      return await once()
    } catch (error) {
      const code = codeOf(error)
      if (signal.aborted || tries === triesMax || (code !== 'unavailable' && code !== 'exhausted')) throw error
      await requireReadable(file)
      onWaiting(error)
      await world.clock.sleep(Math.min(waitMsMax, 500 * 2 ** tries), signal)
    }
  }
}

/** A browser says of a request whose body it could not read no more than that it failed. */
async function requireReadable(file: File): Promise<void> {
  try {
    await file.slice(0, 1).arrayBuffer()
  } catch (error) {
    throw new EdgemountError('invalid', `Cannot read “${shownName(file.name)}” any more: it was changed, moved or removed since it was chosen; choose it again`, { cause: error })
  }
}

function headersOf(file: File, replaces: boolean): Record<string, string> {
  const mtime = { 'edgemount-mtime': (file.lastModified / 1000).toFixed(3) }
  return replaces ? mtime : { ...mtime, 'if-none-match': '*' }
}

function noteOf({ volume, path, file }: Pick<UploadRequest, 'volume' | 'path' | 'file'>): { volume: string; path: string; size: number; modifiedMs: number } {
  return { volume, path, size: file.size, modifiedMs: file.lastModified }
}

function uploadUrl(world: UploadWorld, { volume, path, id }: Unfinished): string {
  return world.url(`/v1/${volume}/uploads${percentEncodePath(path)}?upload=${id}`)
}
