/**
 * Upload and delete: one request, one commit. A body that breaks off leaves nothing visible; preconditions hold up to the commit itself.
 */
import { EdgemountError, codeOf } from '../../shared/error.ts'
import type { Content, Entry, Hash, Time } from '../../shared/format/entry.ts'
import { isHash } from '../../shared/hash.ts'
import { joinPath, splitPath } from '../../shared/path.ts'
import type { CommitResult } from '../../shared/volume/commit.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { ContentWriter } from '../../shared/volume/content-writer.ts'
import { requireWithin } from '../access/grant.ts'
import { receivedPieces } from '../http/body.ts'
import { checkedPieces, expectedDigests } from '../http/digest.ts'
import { evaluatePreconditions, type Validators } from '../../shared/http/conditional.ts'
import { leaseParameter, refuseLostLease } from '../lease-fence.ts'
import { queryValue } from '../http/query.ts'
import { respond, respondError } from '../http/respond.ts'
import { type Exchange, type Route, pathOf, volumeOf } from '../route.ts'
import { nowSeconds, validatorsOf } from './files.ts'

/** A client that is told soon that the store is away can try again, or elsewhere. */
export const uploadPatienceMs = 5000

export const uploadRoutes: readonly Route[] = [
  {
    method: 'PUT',
    template: '/v1/{volume}/files/{path}',
    needs: 'write',
    summary: 'Writes a file: streamed, chunked, one commit; makes missing directories',
    parameters: [
      { name: 'If-Match', in: 'header', text: 'Only over this version' },
      { name: 'If-None-Match', in: 'header', text: '*: only where there is nothing' },
      { name: 'Content-MD5', in: 'header', text: 'What the body must hash to, RFC 1864' },
      { name: 'Repr-Digest', in: 'header', text: 'The same, RFC 9530: sha-256, sha-512, md5 or sha; Content-Digest too' },
      { name: 'Edgemount-Mtime', in: 'header', text: 'Modification time in seconds since 1970, up to nine decimals; now unless given' },
      { name: 'Edgemount-Mode', in: 'header', text: 'Permission bits in octal' },
      leaseParameter,
    ],
    requestType: 'application/octet-stream',
    responses: {
      201: 'Made',
      204: 'Replaced',
      400: 'The path or a header cannot be, or the body does not hash to what a header says',
      409: 'A directory is there, or a file where a directory must be',
      412: 'A precondition failed',
    },
    handle: put,
  },
  {
    method: 'DELETE',
    template: '/v1/{volume}/files/{path}',
    needs: 'write',
    summary: 'Removes a file, or an empty directory; one commit',
    parameters: [
      { name: 'If-Match', in: 'header', text: 'Only this version; of a directory the one that stat tells' },
      { name: 'recursive', in: 'query', text: '1: a directory goes with everything in it' },
      leaseParameter,
    ],
    responses: { 204: 'Removed', 404: 'There is nothing', 409: 'The directory is not empty', 412: 'A precondition failed' },
    handle: remove,
  },
]

export interface Target {
  /** Where the bytes go: symlinks on the way are followed. */
  readonly path: string
  readonly entry: Entry | undefined
  readonly validators: Validators | undefined
}

async function put(exchange: Exchange): Promise<Response> {
  const { request, signal, edge } = exchange
  const asked = filePathOf(exchange)
  if (request.headers.has('content-range')) throw new EdgemountError('invalid', `Cannot write "${asked}": a part of a file cannot be written by PUT`)
  const encoding = request.headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity') return respondError(415, 'unsupported', `Cannot write "${asked}": its body is encoded as ${encoding}; send it as it is`)
  const mtime = parseMtime(request.headers.get('edgemount-mtime'))
  const mode = parseMode(request.headers.get('edgemount-mode'))
  const digests = expectedDigests(request.headers)
  const { volume, store } = await volumeOf(exchange)
  const target = await locate(exchange, await volume.head({ signal }), asked)
  refuseDirectory(target)
  if (isRefused(exchange, target)) return refused(target.path, exchange.request)
  const writer = volume.writer({ signal, patienceMs: uploadPatienceMs, packBytesMax: edge.uploadMemory.packBytesMax })
  const { content, size } = await edge.uploads.run(async () => {
    const pieces = checkedPieces(receivedPieces(request, edge.uploadBytesMax, edge.clock), digests, edge.startDigest)
    const written = await writer.write(pieces, { previous: target.entry?.content, signal })
    // Here, too: until it is stored the body is in memory. And before the commit's turn, which others wait for.
    await writer.flush()
    return written
  }, signal)
  // Of what was written, and before the commit: what came after it could fail, or look where another commit has moved it.
  const etag = `"${await versionOf(exchange, content)}"`
  const operation: Operation = { op: 'create', path: target.path, content, size, mtime, mode, parents: true, replace: true, expected: expectationOf(exchange, target) }
  const lost = await refuseLostLease(exchange, store)
  if (lost !== undefined) return lost
  const { seq } = await commit(writer, operation, signal)
  return respond(target.entry === undefined ? 201 : 204, { etag, 'edgemount-seq': String(seq), 'cache-control': 'no-store' })
}

/** The path that is asked for, which must be one that a file can have. */
export function filePathOf(exchange: Exchange): string {
  const { path, isSlashed } = pathOf(exchange)
  if (path !== '/' && !isSlashed) return path
  throw new EdgemountError('invalid', `Cannot write "${path}": a file's address does not end with a slash`)
}

async function remove(exchange: Exchange): Promise<Response> {
  const { signal } = exchange
  const { path } = pathOf(exchange)
  if (path === '/') throw new EdgemountError('invalid', 'Cannot remove "/": it is the root')
  const { volume, store } = await volumeOf(exchange)
  const snapshot = await volume.head({ signal })
  const target = await targetAt(exchange, snapshot, await nameAt(exchange, snapshot, path))
  if (target.entry === undefined) throw new EdgemountError('not-found', `Cannot remove "${path}": it does not exist`)
  if (isRefused(exchange, target)) return refused(path, exchange.request)
  const expected = expectationOf(exchange, target)
  const operation: Operation =
    target.entry.kind === 'directory'
      ? // What came into it between a look and the commit goes unseen with nobody's leave.
        { op: 'rmdir', path: target.path, recursive: queryValue(exchange.query, 'recursive') === '1', expected: expected === 'any' ? undefined : expected }
      : { op: 'unlink', path: target.path, expected }
  const lost = await refuseLostLease(exchange, store)
  if (lost !== undefined) return lost
  const { seq } = await commit(volume.writer({ signal, patienceMs: uploadPatienceMs }), operation, signal)
  return respond(204, { 'edgemount-seq': String(seq), 'cache-control': 'no-store' })
}

/** Where a name is, not where a symlink of that name leads to: only the directories on the way are followed. */
export async function nameAt({ signal, grant }: Exchange, snapshot: Snapshot, path: string): Promise<string> {
  const names = splitPath(path)
  const parent = await snapshot.follow(joinPath(names.slice(0, -1)), { signal, within: grant.prefix })
  const reached = joinPath([...splitPath(parent.path), names.at(-1)!])
  requireWithin(grant, reached, path)
  return reached
}

/** A lost race is told (`stale`), not resolved by a conflict name: the client can decide. */
function commit(writer: ContentWriter, operation: Operation, signal: AbortSignal): Promise<CommitResult> {
  return writer.commit([operation], { onConflict: 'refuse', signal })
}

/** What `ContentWriter.write` gives is inline or a manifest. */
export async function versionOf({ edge }: Exchange, content: Content): Promise<Hash> {
  if (content.kind === 'inline') return await edge.hash(content.bytes)
  if (content.kind === 'manifest') return content.root.contentId
  throw new EdgemountError('internal', `Cannot give the version of a body that is ${content.kind}`)
}

/** Symlinks lead to what is written; a path that does not exist yet ends below the last directory that does. */
export async function locate(exchange: Exchange, snapshot: Snapshot, path: string): Promise<Target> {
  const { signal, grant } = exchange
  const names = splitPath(path)
  for (let length = names.length; length > 0; length -= 1) {
    try {
      const followed = await snapshot.follow(joinPath(names.slice(0, length)), { signal, within: grant.prefix })
      const reached = joinPath([...splitPath(followed.path), ...names.slice(length)])
      requireWithin(grant, reached, path)
      return await targetAt(exchange, snapshot, reached)
    } catch (error) {
      if (codeOf(error) !== 'not-found') throw error
    }
  }
  requireWithin(grant, path, path)
  return await targetAt(exchange, snapshot, path)
}

export function refuseDirectory({ path, entry }: Target): void {
  if (entry?.kind === 'directory') throw new EdgemountError('conflict', `Cannot write "${path}": a directory is there`)
}

export async function targetAt(exchange: Exchange, snapshot: Snapshot, path: string): Promise<Target> {
  try {
    const entry = await snapshot.resolve(path, { signal: exchange.signal })
    const validators = await validatorsOf(exchange, entry)
    return { path, entry, validators: entry.kind === 'file' ? validators : { ...validators, lastModified: undefined } }
  } catch (error) {
    if (codeOf(error) === 'not-found') return { path, entry: undefined, validators: undefined }
    throw error
  }
}

export function isRefused(exchange: Exchange, target: Target, headers = exchange.request.headers): boolean {
  return evaluatePreconditions(exchange.request.method, headers, target.validators, nowSeconds(exchange)) === 'failed'
}

export function refused(path: string, { headers }: Pick<Request, 'headers'>): Response {
  const why = headers.get('if-none-match') === '*' ? 'it exists already' : 'it is not the version that was asked for'
  return respondError(412, 'stale', `Cannot change "${path}": ${why}`)
}

/** A precondition must hold when the commit happens; without one the last writer wins. */
export function expectationOf({ request: { headers } }: Exchange, { validators }: Target): Operation['expected'] {
  const isConditional = headers.has('if-match') || headers.has('if-none-match') || headers.has('if-unmodified-since')
  if (!isConditional) return 'any'
  return validators === undefined ? 'absent' : { version: versionOfTag(validators.etag) }
}

export function versionOfTag(etag: string): Hash | undefined {
  const version = etag.slice(1, -1)
  return isHash(version) ? version : undefined
}

export function parseMtime(text: string | null): Time | undefined {
  if (text === null) return undefined
  const match = /^(-?\d{1,14})(?:\.(\d{1,9}))?$/.exec(text)
  if (match === null) throw new EdgemountError('invalid', `Cannot read Edgemount-Mtime "${text}": it must be seconds since 1970, up to nine decimals`)
  const nanoseconds = Number((match[2] ?? '').padEnd(9, '0'))
  const seconds = Number(match[1])
  // -1.25 is a quarter before -1: the seconds are rounded down and the rest counts up.
  if (text.startsWith('-') && nanoseconds > 0) return { seconds: seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds }
  return { seconds: seconds + 0, nanoseconds }
}

export function parseMode(text: string | null): number | undefined {
  if (text === null) return undefined
  if (/^[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8)
  throw new EdgemountError('invalid', `Cannot read Edgemount-Mode "${text}": it must be permission bits in octal, for example 644`)
}
