/**
 * Who may read a volume without a token, and which tokens it has revoked: `access.json`, read and written by compare-and-set, so that of two who revoke neither is lost.
 */
import { type VolumeAccess, accessBytesMax, closedAccess, decodeAccess, encodeAccess } from '../../shared/format/access.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { accessKey } from '../../shared/volume/keys.ts'
import { absentTag } from '../../shared/wire/routes.ts'
import { receiveBytes } from '../http/body.ts'
import { refusalOfPosted } from '../http/refusal.ts'
import { jsonType, respond, respondError } from '../http/respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'
import { nowSeconds } from './files.ts'

export const accessRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/access',
    needs: 'admin',
    summary: 'Who may read without a token, and which tokens are revoked',
    responses: { 200: 'access.json; its ETag is for If-Match', 404: 'No such volume' },
    handle: async (exchange) => {
      const { store } = await volumeOf(exchange)
      const found = await store.get(accessKey, { signal: exchange.signal })
      const bytes = found === undefined ? encodeAccess(closedAccess, 0) : await found.bytes()
      const headers = { 'content-type': jsonType, 'cache-control': 'no-store', etag: found === undefined ? absentTag : tagOf(found.etag) }
      return respond(200, { ...headers, 'content-length': String(bytes.length) }, exchange.isHead ? null : bytes)
    },
  },
  {
    method: 'PUT',
    template: '/v1/{volume}/access',
    needs: 'admin',
    summary: 'Says who may read without a token, and which tokens are revoked',
    parameters: [{ name: 'If-Match', in: 'header', text: 'The ETag that GET gave: nobody has changed it since' }],
    requestType: 'application/json',
    responses: { 204: 'So it is, on this edge at once and on others within five seconds', 400: 'The body is no access.json', 412: 'Somebody has changed it', 428: 'If-Match is missing' },
    handle: putAccess,
  },
]

async function putAccess(exchange: Exchange): Promise<Response> {
  const { edge, request, parameters, signal } = exchange
  const { store, name } = await volumeOf(exchange)
  const expected = request.headers.get('if-match')
  if (expected === null) return respondError(428, 'invalid', `Cannot change who may read "${name}": send If-Match with the ETag that GET ${parameters['volume']}/access gives`)
  const access = readPosted(await receiveBytes(request, accessBytesMax, edge.clock), name)
  const bytes = encodeAccess(access, nowSeconds(exchange))
  const tag = expected === absentTag ? await createAccess(store, bytes, signal) : await store.replace(accessKey, bytes, storeTagOf(expected), { signal })
  if (tag === undefined) return respondError(412, 'stale', `Cannot change who may read "${name}": somebody has changed it meanwhile; read it again`)
  edge.accesses.note(name, access)
  return respond(204, { etag: tagOf(tag), 'cache-control': 'no-store' })
}

/** Its tag, or undefined where there is one. */
async function createAccess(store: ObjectStore, bytes: Uint8Array, signal: AbortSignal): Promise<string | undefined> {
  if (!(await store.create(accessKey, bytes, { signal }))) return undefined
  return (await store.get(accessKey, { range: { start: 0, end: 0 }, signal }))?.etag
}

/** Stores' tags are any text; those of HTTP are quoted and have no spaces. */
function tagOf(storeTag: string): string {
  return `"s.${encodeURIComponent(storeTag)}"`
}

/** One that no object has for what `tagOf` cannot have made. */
function storeTagOf(tag: string): string {
  try {
    return decodeURIComponent(/^"s\.(.*)"$/.exec(tag)?.[1] ?? 'none')
  } catch {
    return 'none'
  }
}

function readPosted(body: Uint8Array, name: string): VolumeAccess {
  try {
    return decodeAccess(body)
  } catch (error) {
    throw refusalOfPosted(error, `change who may read "${name}"`)
  }
}
