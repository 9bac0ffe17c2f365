/**
 * Files by their path, for browsers and every range client: bodies with RFC 9110's ranges and conditions, directories as JSON or HTML.
 */
import { toHex } from '../../shared/bytes.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { contentVersionOf } from '../../shared/format/entry-codec.ts'
import { type ByteRange, rangeLength } from '../../shared/range.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { requireRight, requireWithin } from '../access/grant.ts'
import { openBody, openEndedBody } from '../http/body.ts'
import { evaluatePreconditions, type Validators } from '../../shared/http/conditional.ts'
import { contentDisposition, contentTypeOf } from '../../shared/content-type.ts'
import { type FileFacts, type FilePlan, planFile } from '../../shared/http/file-plan.ts'
import { type Opened, documentPolicy, isSavedOnly } from '../http/document-policy.ts'
import { listingPieces, pageHeaders, prefersHtml, renderListing, walksLinks } from '../http/listing.ts'
import { writeMultipart } from '../../shared/http/multipart.ts'
import { parseInteger, queryInteger, queryName, queryValue } from '../http/query.ts'
import { type HeaderMap, immutableCache, jsonType, respond, respondError, respondJson, revalidateCache } from '../http/respond.ts'
import { type Exchange, type Route, type RouteParameter, pathOf, volumeOf } from '../route.ts'
import { listItems, listLimitMax } from './lookup.ts'

const conditionalParameters: readonly RouteParameter[] = [
  { name: 'Range', in: 'header', text: 'RFC 9110 byte ranges: single, suffix, open, several' },
  { name: 'If-Range', in: 'header', text: 'The ETag; a date never matches' },
  { name: 'If-Match', in: 'header', text: 'Strong ETags, or *' },
  { name: 'If-None-Match', in: 'header', text: 'ETags, or *' },
  { name: 'If-Modified-Since', in: 'header', text: 'An HTTP date' },
  { name: 'If-Unmodified-Since', in: 'header', text: 'An HTTP date' },
  { name: 'Accept', in: 'header', text: 'For a directory: text/html for a page, JSON otherwise; without it, one page of all names' },
  { name: 'after', in: 'query', text: 'For a directory: only names after this one' },
  { name: 'limit', in: 'query', text: `For a directory: at most so many names, 1 to ${listLimitMax}` },
  { name: 'download', in: 'query', text: 'With any value: a browser saves the file instead of showing it, as it does HTML, SVG and XML at an address that holds a token' },
]

const readResponses = {
  200: 'The file, or the listing of a directory',
  206: 'The ranges that were asked for; several as multipart/byteranges. HEAD with one satisfiable range answers 206 too',
  302: 'A directory asked for as HTML, or without Accept, without its trailing slash',
  304: 'Not modified',
  404: 'No such volume, snapshot or path',
  412: 'A precondition failed',
  416: 'No range lies within the file',
}

export const fileRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/files/{path}',
    needs: 'read',
    summary: 'A file or directory, as it is now',
    parameters: conditionalParameters,
    responses: readResponses,
    handle: async (exchange) => {
      const { volume } = await volumeOf(exchange)
      return await answerPath(exchange, await volume.head({ signal: exchange.signal }), false)
    },
  },
  {
    method: 'GET',
    template: '/v1/{volume}/@{seq}/{path}',
    needs: 'read',
    summary: 'A file or directory, as commit seq left it; never changes',
    parameters: conditionalParameters,
    responses: readResponses,
    handle: async (exchange) => {
      const { volume } = await volumeOf(exchange)
      const seq = parseInteger(exchange.parameters['seq'] ?? '', 'seq', { min: 1, max: Number.MAX_SAFE_INTEGER })
      return await answerPath(exchange, await volume.at(seq, { signal: exchange.signal }), true)
    },
  },
]

/**
 * The validators of an entry: content version and date, the latter never in the future (RFC 9110 section 8.8.2.1). An mtime can be set to any time,
 * so other bytes may come with an older one; the time of change then says that there is something new.
 */
export async function validatorsOf(exchange: Exchange, entry: Entry): Promise<Validators> {
  const version = await contentVersionOf(entry, exchange.edge.hash)
  return { etag: `"${version}"`, lastModified: Math.min(Math.max(entry.mtime.seconds, entry.ctime.seconds), nowSeconds(exchange)) }
}

export function nowSeconds({ edge }: Exchange): number {
  return Math.floor(edge.clock.now() / 1000)
}

async function answerPath(exchange: Exchange, snapshot: Snapshot, isPinned: boolean): Promise<Response> {
  const { path, isSlashed } = pathOf(exchange)
  const { signal } = exchange
  const { entry, path: reached } = await snapshot.follow(path, { signal, within: exchange.grant.prefix })
  requireWithin(exchange.grant, reached, path)
  if (entry.kind === 'directory') return await answerDirectory(exchange, { snapshot, path, entry, isSlashed, isPinned })
  if (isSlashed) throw new EdgemountError('not-found', `Cannot open "${path}/": it is a ${entry.kind}, not a directory`)
  if (entry.kind !== 'file') throw new EdgemountError('unsupported', `Cannot read "${path}": it is a ${entry.kind}`)
  const name = path.slice(path.lastIndexOf('/') + 1)
  const { etag, lastModified } = await validatorsOf(exchange, entry)
  const file: FileFacts = { etag, lastModified, size: entry.size, contentType: contentTypeOf(name), cacheControl: isPinned ? immutableCache : revalidateCache }
  const { request, isHead, edge } = exchange
  const plan = planFile(
    { method: isHead ? 'HEAD' : 'GET', headers: request.headers, nowSeconds: nowSeconds(exchange), boundary: () => toHex(edge.random.bytes(16)) },
    file,
  )
  const more: HeaderMap = { 'edgemount-seq': String(snapshot.seq) }
  const opened = openedBy(exchange)
  const policy = documentPolicy(file.contentType, opened)
  if (policy !== undefined) more['content-security-policy'] = policy
  if (queryValue(exchange.query, 'download') !== undefined || isSavedOnly(file.contentType, opened.hasTokenInAddress)) more['content-disposition'] = contentDisposition('attachment', name)
  const read = (range: ByteRange): AsyncIterable<Uint8Array> => snapshot.read(entry, range, { signal, label: path })
  return await execute(exchange, { plan, path, more, read })
}

function openedBy({ edge, grant, base, query }: Exchange): Opened & { readonly hasTokenInAddress: boolean } {
  const hasTokenInAddress = base !== '' || queryValue(query, 't') !== undefined
  return { rights: grant.rights, hasToken: grant.isByToken || hasTokenInAddress, hasTokenInAddress, hasConsole: edge.console !== undefined }
}

interface Execution {
  readonly plan: FilePlan
  readonly path: string
  readonly more: HeaderMap
  readonly read: (range: ByteRange) => AsyncIterable<Uint8Array>
}

/** What is said of a body that ends before its end; nothing when it is the client who went away. */
const reportBroken = ({ edge, signal }: Exchange, path: string) => (error: unknown): void => {
  if (!signal.aborted) edge.log.error('a body was broken off', { path, error })
}

async function execute(exchange: Exchange, { plan, path, more, read }: Execution): Promise<Response> {
  const { bytesBody } = exchange.edge
  const onFailure = reportBroken(exchange, path)
  if (plan.kind === 'none') return respond(plan.status, { ...plan.headers, ...more })
  if (plan.kind === 'error') {
    return respondError(plan.status, plan.status === 412 ? 'stale' : 'invalid', `Cannot send "${path}": ${plan.message}`, plan.headers)
  }
  const body =
    plan.kind === 'range'
      ? { length: rangeLength(plan.range), pieces: read(plan.range), bytesBody, onFailure }
      : { length: plan.plan.length, pieces: writeMultipart(plan.plan, read), bytesBody, onFailure }
  return respond(plan.status, { ...plan.headers, ...more }, await openBody(body))
}

interface DirectoryAnswer {
  readonly snapshot: Snapshot
  readonly path: string
  readonly entry: Entry
  readonly isSlashed: boolean
  readonly isPinned: boolean
}

async function answerDirectory(exchange: Exchange, { snapshot, path, entry, isSlashed, isPinned }: DirectoryAnswer): Promise<Response> {
  const { request, query, isHead, signal, edge } = exchange
  requireRight(exchange.grant, 'list', path)
  const after = queryName(query, 'after')
  const limit = queryInteger(query, 'limit', { min: 1, max: listLimitMax })
  const isWalk = walksLinks(request.headers.get('accept'), queryValue(query, 'after') !== undefined || limit !== undefined)
  const isHtml = isWalk || prefersHtml(request.headers.get('accept'))
  if (isHtml && !isSlashed) return respond(302, { location: withSlash(exchange), 'cache-control': 'no-store', vary: 'Accept' })
  const headers: HeaderMap = {
    etag: listingTag(snapshot, entry, isWalk ? 'whole' : isHtml ? 'html' : 'json'),
    'cache-control': isPinned ? immutableCache : revalidateCache,
    vary: 'Accept',
    'edgemount-seq': String(snapshot.seq),
  }
  const current: Validators = { etag: headers['etag']!, lastModified: undefined }
  const verdict = evaluatePreconditions(isHead ? 'HEAD' : 'GET', request.headers, current, nowSeconds(exchange))
  if (verdict === 'failed') return respondError(412, 'stale', `Cannot list "${path}": it is not the version that was asked for`)
  if (verdict === 'not-modified') return respond(304, headers)
  if (isHead) return respond(200, { ...headers, ...(isHtml ? pageHeaders : { 'content-type': jsonType }) })
  const { items, isLast } = await snapshot.list(entry, { after, limit: limit ?? listLimitMax, signal })
  if (!isHtml) return respondJson(200, { seq: snapshot.seq, path, items: await listItems(items, edge.hash), isLast }, headers)
  const title = isPinned ? `${exchange.parameters['volume']} at ${snapshot.seq}` : `${exchange.parameters['volume']}`
  const page = { path, title, items, isLast, isContinued: after !== undefined }
  if (!isWalk || isLast) return respond(200, { ...headers, ...pageHeaders }, renderListing(page))
  const pieces = listingPieces(page, (last) => snapshot.list(entry, { after: last, limit: listLimitMax, signal }))
  return respond(200, { ...headers, ...pageHeaders }, openEndedBody({ pieces, onFailure: reportBroken(exchange, path) }))
}

/** Relative to the address that was asked for, so that it also holds behind a proxy that takes a prefix away. */
function withSlash({ path, query }: Exchange): string {
  const address = `./${path.slice(path.lastIndexOf('/') + 1)}/${query === '' ? '' : `?${query}`}`
  // Some servers give bytes that should have been encoded as they came.
  return address.replaceAll(/[^\x21-\x7e]/gu, (character) => (character <= '\xff' ? `%${character.charCodeAt(0).toString(16).padStart(2, '0')}` : encodeURIComponent(character.toWellFormed())))
}

/** What a listing shows is the directory's tree and the inodes of files with several links; equal pointers are equal listings. */
function listingTag(snapshot: Snapshot, entry: Entry, form: 'whole' | 'html' | 'json'): string {
  const tree = entry.content.kind === 'tree' ? (entry.content.root.pointer?.hash ?? 'empty') : ''
  const inodes = snapshot.root.inodes?.hash ?? 'none'
  return `"${tree.slice(0, 32)}.${inodes.slice(0, 32)}.${form}"`
}

