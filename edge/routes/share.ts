/**
 * Addresses to give away: a token for one file, or for a folder and what is below it, that is never worth more than the caller's own and ends with it at the latest.
 *
 * INVARIANT: rights, prefix and expiry of what is signed here are within those of the token that asks. A volume being public allows nobody to sign.
 * The new token's id tells of which one it came: to revoke that revokes this, too.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { JsonFields } from '../../shared/format/json-fields.ts'
import { percentEncodePath } from '../../shared/path.ts'
import type { ShareMessage } from '../../shared/wire/messages.ts'
import { routes } from '../../shared/wire/routes.ts'
import { type Reach, type Right, lifetimeSecondsMax, readToken } from '../../shared/wire/token.ts'
import { requireRight, requireWithin } from '../access/grant.ts'
import { receiveJson } from '../http/json-body.ts'
import { respondJson } from '../http/respond.ts'
import { type Exchange, type Route, pathOf, volumeNameOf, volumeOf } from '../route.ts'
import { nowSeconds } from './files.ts'

const requestBytesMax = 1024
const secondsMin = 60
const shareable = ['read', 'list'] as const

export const shareRoutes: readonly Route[] = [
  {
    method: 'POST',
    template: '/v1/{volume}/share/{path}',
    needs: 'read',
    isNeverPublic: true,
    changesNothing: true,
    summary: 'Signs an address of a file or folder that is good for a while',
    requestType: 'application/json',
    responses: {
      201: 'The address, its token, and when it ends: no later than the token that asks',
      400: `seconds (${secondsMin} to ${lifetimeSecondsMax}); perhaps rights (read, list), and for a file seq, the commit whose file it is`,
      403: 'The token that asks allows less',
      404: 'There is nothing',
      501: 'The edge has no secrets: its plain addresses are open to everybody',
    },
    handle: share,
  },
]

interface ShareRequest {
  readonly seconds: number
  readonly rights: readonly Right[] | undefined
  readonly seq: number | undefined
}

async function share(exchange: Exchange): Promise<Response> {
  const { edge, grant, signal, parameters } = exchange
  const { path: asked } = pathOf(exchange)
  const { seconds, rights, seq } = await receiveJson(exchange, { what: 'share request', bytesMax: requestBytesMax }, readRequest)
  if (edge.keys === undefined) {
    throw new EdgemountError('unsupported', `Cannot share "${asked}": this edge has no secret to sign with, so its plain addresses are open to whoever reaches it; give one of those, or set EDGEMOUNT_SECRETS`)
  }
  const name = volumeNameOf(parameters)
  const { volume } = await volumeOf(exchange)
  const snapshot = seq === undefined ? await volume.head({ signal }) : await volume.at(seq, { signal })
  const { entry, path } = await snapshot.follow(asked, { signal, within: grant.prefix })
  requireWithin(grant, path, asked)
  const isFile = entry.kind === 'file'
  if (!isFile && entry.kind !== 'directory') throw new EdgemountError('unsupported', `Cannot share "${asked}": it is a ${entry.kind}`)
  if (!isFile && seq !== undefined) throw new EdgemountError('unsupported', `Cannot share "${asked}" as commit ${seq} left it: an address of a folder is of what is there now; share a file of it`)
  const wanted = rights ?? (isFile ? ['read'] : shareable)
  if (isFile && wanted.includes('list')) throw new EdgemountError('invalid', `Cannot share "${asked}" with the right to list: it is a file`)
  for (const right of wanted) requireRight(grant, right, path)
  const expiry = Math.min(nowSeconds(exchange) + seconds, grant.expiry ?? Number.MAX_SAFE_INTEGER)
  const reach: Reach = isFile ? { kind: 'file', seq } : { kind: 'tree' }
  const token = await edge.keys.sign({ volume: name, prefix: path, reach, rights: wanted, expiry }, edge.random, grant.tokenId)
  const { id } = readToken(token).claims
  edge.log.info('an address was shared', { volume: name, path, rights: wanted.join(','), expiry, id, by: grant.tokenId ?? 'nobody' })
  const url = isFile ? `${routes.file(name, path, seq)}?t=${token}` : `/t/${token}/v1/${name}/files${path === '/' ? '' : percentEncodePath(path)}/`
  const message: ShareMessage = { url, token, id, path, rights: wanted, expires: new Date(expiry * 1000).toISOString() }
  return respondJson(201, message, { 'cache-control': 'no-store' })
}

function readRequest(fields: JsonFields): ShareRequest {
  const seconds = fields.integer('seconds', secondsMin)
  if (seconds > lifetimeSecondsMax) throw new EdgemountError('invalid', `Cannot share for ${seconds} seconds: ${lifetimeSecondsMax} are the most`)
  const text = fields.has('rights') ? fields.string('rights', 1, 20) : undefined
  const rights = text?.split(',').map((each) => shareable.find((known) => known === each) ?? fields.fail(`"${each}" cannot be shared; read and list can`))
  return { seconds, rights: rights === undefined ? undefined : shareable.filter((each) => rights.includes(each)), seq: fields.has('seq') ? fields.integer('seq', 1) : undefined }
}
