/**
 * Uploads in parts, by the tus protocol 1.0.0 (tus.io/protocols/resumable-upload): a body that is longer than one request may be, or whose connection breaks, goes on
 * where it was. All state is in the store (`pending-uploads.ts`), nothing is visible before the last byte, and the file then comes to be in one commit.
 *
 * An upload's address is that of the file's path with its id in the query, so that who may write the path, and no one else, may go on with the upload.
 */
import { fromBase64 } from '../../shared/bytes.ts'
import { EdgemountError, codeOf } from '../../shared/error.ts'
import type { FinishedUpload, OpenUpload } from '../../shared/format/upload-state.ts'
import { expiryOfUpload } from '../../shared/volume/keys.ts'
import { receivedPieces } from '../http/body.ts'
import { type DigestName, type ExpectedDigest, checkedPieces, digestOf } from '../http/digest.ts'
import { formatHttpDate } from '../../shared/http/http-date.ts'
import { leaseParameter, refuseLostLease } from '../lease-fence.ts'
import { type HeldUpload, PendingUploads, uploadExpiresMs } from '../upload/pending-uploads.ts'
import { parseInteger, queryValue } from '../http/query.ts'
import { type HeaderMap, respond, respondError, respondJson } from '../http/respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'
import { UploadSteps } from '../upload/upload-steps.ts'
import { commitUpload } from './resumed-commit.ts'
import { filePathOf, isRefused, locate, parseMode, parseMtime, refuseDirectory, refused, uploadPatienceMs } from './upload.ts'

const tusVersion = '1.0.0'
/** How tus names them, and how `digest.ts` does. */
const checksumNames: ReadonlyMap<string, DigestName> = new Map([['sha1', 'sha-1'], ['md5', 'md5'], ['sha256', 'sha-256'], ['sha512', 'sha-512']])
const metadataLengthMax = 4096
const partType = 'application/offset+octet-stream'
/** Headers of the creation that count for the commit. */
const keptHeaders = ['if-match', 'if-none-match', 'if-unmodified-since', 'edgemount-mtime', 'edgemount-mode'] as const
/** The status of the protocol's checksum extension. */
const checksumMismatch = 460

const protocol = {
  answers: { 'tus-resumable': tusVersion },
  options: {
    'tus-version': tusVersion,
    'tus-extension': 'creation,creation-with-upload,expiration,checksum,termination',
    'tus-checksum-algorithm': [...checksumNames.keys()].join(','),
  },
}
const shared = { template: '/v1/{volume}/uploads/{path}', needs: 'write', protocol } as const
const version = { name: 'Tus-Resumable', in: 'header', text: tusVersion } as const
const which = { name: 'upload', in: 'query', text: "The upload's id, as its Location has it" } as const
const offsetParameter = { name: 'Upload-Offset', in: 'header', text: 'Where the body begins in the file: what HEAD answers' } as const
const checksum = { name: 'Upload-Checksum', in: 'header', text: 'sha1, md5, sha256 or sha512, a space, and the digest of this body in base64' } as const
const gone = { 404: 'There is no such upload', 410: 'It expired' }

export const resumableRoutes: readonly Route[] = [
  {
    ...shared,
    method: 'POST',
    summary: 'Begins an upload in parts (tus); a body is its first part',
    parameters: [
      version,
      { name: 'Upload-Length', in: 'header', text: 'Bytes of the whole file' },
      { name: 'Upload-Metadata', in: 'header', text: 'Names and base64 values; mtime and mode count as the headers do' },
      { name: 'If-Match', in: 'header', text: 'Only over this version, up to the commit' },
      { name: 'If-None-Match', in: 'header', text: '*: only where there is nothing, up to the commit' },
      { name: 'Edgemount-Mtime', in: 'header', text: 'As for PUT of a file' },
      { name: 'Edgemount-Mode', in: 'header', text: 'As for PUT of a file' },
      checksum,
    ],
    requestType: partType,
    responses: { 201: 'Begun; Location says where it goes on', 400: 'A header cannot be', 409: 'A directory is there', 412: 'A precondition failed, or another version of tus', 413: 'Too long', 429: 'Too many are open in the volume' },
    handle: post,
  },
  {
    ...shared,
    method: 'GET',
    summary: 'How far an upload in parts is',
    parameters: [version, which],
    responses: { 200: 'Upload-Offset bytes are here', ...gone },
    handle: tell,
  },
  {
    ...shared,
    method: 'PATCH',
    summary: 'The next part of an upload; the last one commits the file',
    parameters: [version, which, offsetParameter, checksum, leaseParameter],
    requestType: partType,
    responses: { 204: 'Upload-Offset bytes are here now', ...gone, 409: 'Another offset, or another request was faster', 412: 'A precondition failed: the upload is over', 413: 'More than was announced', 415: 'Another content type', 460: 'The checksum is another' },
    handle: patch,
  },
  {
    ...shared,
    method: 'DELETE',
    summary: 'Ends an upload in parts; nothing of it is kept',
    parameters: [version, which],
    responses: { 204: 'Ended', ...gone },
    handle: remove,
  },
]

/** What has arrived of an upload, open or finished. */
type Found = { readonly held: HeldUpload } | { readonly finished: FinishedUpload }

interface Reached {
  readonly pending: PendingUploads
  readonly id: string
  readonly found: Found
}

async function post(exchange: Exchange): Promise<Response> {
  const { request, edge, base, path: address } = exchange
  // For senders that cannot say PATCH or DELETE.
  const meant = request.headers.get('x-http-method-override')
  if (meant === 'PATCH') return await patch(exchange)
  if (meant === 'DELETE') return await remove(exchange)
  const other = refuseOtherVersion(exchange)
  if (other !== undefined) return other
  const path = filePathOf(exchange)
  const lengthText = request.headers.get('upload-length')
  if (lengthText === null) throw new EdgemountError('invalid', `Cannot begin the upload of "${path}": its Upload-Length is not known; this edge needs it`)
  if (/^\d+$/.test(lengthText) && Number(lengthText) > edge.uploadBytesMax) return respondError(413, 'exhausted', `Cannot begin the upload of "${path}": a file may have ${edge.uploadBytesMax} bytes at most`)
  const length = parseInteger(lengthText, 'Upload-Length', { min: 0, max: edge.uploadBytesMax })
  const metadata = request.headers.get('upload-metadata') ?? ''
  const headers = headersOf(request.headers, metadata)
  const hasBody = request.headers.get('content-type') === partType
  const checksums = hasBody ? checksumOf(request.headers) : []
  const { volume } = await volumeOf(exchange)
  const target = await locate(exchange, await volume.head({ signal: exchange.signal }), path)
  refuseDirectory(target)
  if (isRefused(exchange, target)) return refused(target.path, exchange.request)
  const pending = await pendingOf(exchange)
  const held = await pending.begin({ path, length, offset: 0, metadata, headers, size: 0, root: undefined, tail: new Uint8Array(0), after: undefined })
  const location = `${base}${address}?upload=${held.id}`
  if (!hasBody && length > 0) return respond(201, { location, 'upload-offset': '0', ...expiryHeader(held.id), 'cache-control': 'no-store' })
  const sent = await receive(exchange, pending, held, checksums)
  return sent instanceof Response ? sent : respond(201, { location, ...sent })
}

async function tell(exchange: Exchange): Promise<Response> {
  const other = exchange.isHead ? refuseOtherVersion(exchange) : undefined
  if (other !== undefined) return other
  const reached = await reach(exchange)
  if (reached instanceof Response) return reached
  const { id, found } = reached
  const { path, length, metadata } = 'held' in found ? found.held.upload : found.finished
  const offset = 'held' in found ? found.held.upload.offset : length
  const expires = expiryHeader(id)
  const headers: HeaderMap = {
    'upload-offset': String(offset),
    'upload-length': String(length),
    ...(metadata === '' ? {} : { 'upload-metadata': metadata }),
    ...expires,
    ...('held' in found ? {} : finishedHeaders(found.finished)),
    'cache-control': 'no-store',
  }
  if (exchange.isHead) return respond(200, headers)
  const seq = 'held' in found ? undefined : found.finished.seq
  return respondJson(200, { path, offset, length, expires: expires['upload-expires'], isFinished: seq !== undefined, ...(seq === undefined ? {} : { seq }) }, headers)
}

async function patch(exchange: Exchange): Promise<Response> {
  const { request } = exchange
  const other = refuseOtherVersion(exchange)
  if (other !== undefined) return other
  if (request.headers.get('content-type') !== partType) return respondError(415, 'invalid', `Cannot take a part of an upload: its Content-Type must be ${partType}`)
  const at = parseInteger(request.headers.get('upload-offset') ?? '', 'Upload-Offset', { min: 0, max: Number.MAX_SAFE_INTEGER })
  const checksums = checksumOf(request.headers)
  const reached = await reach(exchange)
  if (reached instanceof Response) return reached
  const { pending, id, found } = reached
  const offset = 'held' in found ? found.held.upload.offset : found.finished.length
  if (at !== offset) throw new EdgemountError('conflict', `Cannot go on with the upload at ${at}: ${offset} bytes of it are here`)
  if ('finished' in found) return respond(204, sentHeaders(id, found.finished.length, found.finished))
  const sent = await receive(exchange, pending, found.held, checksums)
  return sent instanceof Response ? sent : respond(204, sent)
}

async function remove(exchange: Exchange): Promise<Response> {
  const other = refuseOtherVersion(exchange)
  if (other !== undefined) return other
  const reached = await reach(exchange)
  if (reached instanceof Response) return reached
  await reached.pending.remove(reached.id)
  return respond(204, { 'cache-control': 'no-store' })
}

/** Takes the body, and commits the file when that was the last of it. The headers of the answer. */
async function receive(exchange: Exchange, pending: PendingUploads, held: HeldUpload, checksums: readonly ExpectedDigest[]): Promise<HeaderMap | Response> {
  const { edge, request, signal } = exchange
  const { length, offset } = held.upload
  const left = receivedPieces(request, length - offset, edge.clock)
  if (held.upload.after !== undefined) {
    // These bytes are here already: only the commit, or its answer, is missing.
    for await (const piece of left) void piece
    return await conclude(exchange, pending, held.id, held.upload)
  }
  const pieces = checkedPieces(left, checksums, edge.startDigest, (message) => new ChecksumMismatch('invalid', message))
  try {
    const upload = await edge.uploads.run(() => store(exchange, pending, held, { pieces, isChecked: checksums.length > 0 }), signal)
    if (upload.after === undefined) return sentHeaders(held.id, upload.offset)
    return await conclude(exchange, pending, held.id, upload)
  } catch (error) {
    if (error instanceof ChecksumMismatch) return respondError(checksumMismatch, error.code, error.message)
    throw error
  }
}

async function conclude(exchange: Exchange, pending: PendingUploads, id: string, upload: OpenUpload): Promise<HeaderMap | Response> {
  const lost = await refuseLostLease(exchange, (await volumeOf(exchange)).store)
  return lost ?? sentHeaders(id, upload.length, await commitUpload(exchange, pending, id, upload))
}

interface Part {
  readonly pieces: AsyncIterable<Uint8Array>
  /** Nothing of it counts before all of it was compared. */
  readonly isChecked: boolean
}

/** What arrived before a connection broke is kept. */
async function store(exchange: Exchange, pending: PendingUploads, begun: HeldUpload, { pieces, isChecked }: Part): Promise<OpenUpload> {
  const { volume } = await volumeOf(exchange)
  const { stepBytes, packBytesMax } = exchange.edge.uploadMemory
  let held = begun
  const change = async (upload: OpenUpload): Promise<void> => {
    held = await pending.change(held, upload)
  }
  const keep = async (upload: OpenUpload): Promise<void> => (isChecked ? undefined : await change(upload))
  const steps = new UploadSteps(begun.upload, { volume, stepBytes, packBytesMax, patienceMs: uploadPatienceMs, keep })
  try {
    for await (const piece of pieces) await steps.take(piece)
  } catch (error) {
    const isCut = codeOf(error) === 'aborted' || codeOf(error) === 'unavailable'
    if (isCut && !steps.hasFailed && !isChecked) await steps.keep()
    throw error
  }
  const upload = await steps.keep()
  if (isChecked) await change({ ...upload, offset: upload.after === undefined ? upload.offset : begun.upload.offset })
  return upload
}

/** The body is not the one that was sent. */
class ChecksumMismatch extends EdgemountError {}

async function pendingOf(exchange: Exchange): Promise<PendingUploads> {
  const { clock, random, hash } = exchange.edge
  const { store: volumeStore } = await volumeOf(exchange)
  return new PendingUploads({ store: volumeStore, clock, random, hash })
}

/** The upload that the address names. Of another path it is none. */
async function reach(exchange: Exchange): Promise<Reached | Response> {
  const id = queryValue(exchange.query, 'upload') ?? ''
  const path = filePathOf(exchange)
  const expiry = expiryOfUpload(id)
  if (expiry === undefined) throw new EdgemountError('invalid', `Cannot find the upload "${id}": an upload's address is the Location that its creation gave`)
  if (expiry <= exchange.edge.clock.now()) return respondError(410, 'not-found', `Cannot go on with the upload of "${path}": it expired; begin again`)
  const pending = await pendingOf(exchange)
  const held = await pending.find(id)
  if (held?.upload.path === path) return { pending, id, found: { held } }
  const finished = held === undefined ? await pending.findFinished(id) : undefined
  if (finished?.path === path) return { pending, id, found: { finished } }
  return respondError(404, 'not-found', `Cannot find the upload of "${path}": there is none of this id`)
}

function refuseOtherVersion({ request }: Exchange): Response | undefined {
  const asked = request.headers.get('tus-resumable')
  if (asked === tusVersion) return undefined
  const message = `Cannot take the request: its Tus-Resumable is ${asked ?? 'missing'}, and this edge speaks ${tusVersion}`
  return respondError(412, 'unsupported', message, { 'tus-version': tusVersion })
}

function checksumOf(headers: Headers): readonly ExpectedDigest[] {
  const text = headers.get('upload-checksum')
  if (text === null) return []
  const [algorithm = '', value = ''] = text.split(' ', 2)
  const name = checksumNames.get(algorithm)
  if (name === undefined) throw new EdgemountError('invalid', `Cannot check Upload-Checksum "${text}": it must begin with ${[...checksumNames.keys()].join(', ')}`)
  return [{ name, value: digestOf(name, value, 'Upload-Checksum'), header: 'Upload-Checksum' }]
}

/** What of the creation counts later, checked now: at the end it would be too late. */
function headersOf(headers: Headers, metadata: string): [string, string][] {
  const pairs = parseMetadata(metadata)
  const valueOf = (name: (typeof keptHeaders)[number]): string | null =>
    headers.get(name) ?? (name === 'edgemount-mtime' ? pairs.get('mtime') : name === 'edgemount-mode' ? pairs.get('mode') : undefined) ?? null
  parseMtime(valueOf('edgemount-mtime'))
  parseMode(valueOf('edgemount-mode'))
  return keptHeaders.flatMap((name): [string, string][] => {
    const value = valueOf(name)
    return value === null ? [] : [[name, value]]
  })
}

/** Names and values, comma between pairs; a name alone has the empty value. */
function parseMetadata(text: string): ReadonlyMap<string, string> {
  if (text.length > metadataLengthMax) throw new EdgemountError('invalid', `Cannot read Upload-Metadata: it has ${text.length} characters, and ${metadataLengthMax} are the most`)
  const pairs = new Map<string, string>()
  for (const pair of text === '' ? [] : text.split(',')) {
    const [, name = '', value = ''] = /^ *([\x21-\x2b\x2d-\x7e]+)(?: ([A-Za-z0-9+/=]*))? *$/.exec(pair) ?? []
    if (name === '' || pairs.has(name)) throw new EdgemountError('invalid', `Cannot read Upload-Metadata "${text}": it must be different names with values in base64`)
    pairs.set(name, new TextDecoder().decode(fromBase64(value)))
  }
  return pairs
}

function sentHeaders(id: string, offset: number, finished?: FinishedUpload): HeaderMap {
  return { 'upload-offset': String(offset), ...expiryHeader(id), ...(finished === undefined ? {} : finishedHeaders(finished)), 'cache-control': 'no-store' }
}

function finishedHeaders({ seq, version: content }: FinishedUpload): HeaderMap {
  return { etag: `"${content}"`, 'edgemount-seq': String(seq) }
}

function expiryHeader(id: string): HeaderMap {
  const expires = formatHttpDate(Math.floor((expiryOfUpload(id) ?? uploadExpiresMs) / 1000))
  return expires === undefined ? {} : { 'upload-expires': expires }
}
