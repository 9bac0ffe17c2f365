/**
 * Another name for what is there: one commit that moves no byte. Nothing is replaced, so that a name that somebody else took meanwhile is never lost.
 */
import { EdgemountError } from '../../shared/error.ts'
import { isWithin, percentDecodePath, rootPath } from '../../shared/path.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { leaseParameter, refuseLostLease } from '../lease-fence.ts'
import { queryValue } from '../http/query.ts'
import { respond } from '../http/respond.ts'
import { type Exchange, type Route, pathOf, volumeOf } from '../route.ts'
import { expectationOf, isRefused, nameAt, refused, targetAt, uploadPatienceMs } from './upload.ts'

export const renameRoutes: readonly Route[] = [
  {
    method: 'POST',
    template: '/v1/{volume}/rename/{path}',
    needs: 'write',
    summary: 'Renames or moves a file, a symlink or a directory; one commit',
    parameters: [
      { name: 'to', in: 'query', text: 'The new path, percent-encoded; its directory is there, and nothing of that name' },
      { name: 'If-Match', in: 'header', text: 'Only this version; of a directory the one that stat tells' },
      leaseParameter,
    ],
    responses: { 204: 'Renamed', 400: 'A path cannot be', 404: 'There is nothing, or no such directory', 409: 'Something is there already', 412: 'A precondition failed' },
    handle: rename,
  },
]

async function rename(exchange: Exchange): Promise<Response> {
  const { signal, query } = exchange
  const { path: asked } = pathOf(exchange)
  const text = queryValue(query, 'to')
  if (asked === rootPath) throw new EdgemountError('invalid', 'Cannot rename "/": it is the root')
  if (text === undefined || text === '') throw new EdgemountError('invalid', `Cannot rename "${asked}": say to what, as in ?to=/new/name`)
  // In a query slashes may be escaped: no name has one.
  const askedTo = percentDecodePath(text.replaceAll(/%2f/gi, '/'))
  if (askedTo === rootPath || (askedTo !== asked && isWithin(askedTo, asked))) throw new EdgemountError('invalid', `Cannot rename "${asked}" to "${askedTo}": that is itself, or within it`)
  const { volume, store } = await volumeOf(exchange)
  const snapshot = await volume.head({ signal })
  const target = await targetAt(exchange, snapshot, await nameAt(exchange, snapshot, asked))
  if (target.entry === undefined) throw new EdgemountError('not-found', `Cannot rename "${asked}": it does not exist`)
  if (isRefused(exchange, target)) return refused(asked, exchange.request)
  const to = await nameAt(exchange, snapshot, askedTo)
  if ((await targetAt(exchange, snapshot, to)).entry !== undefined) throw new EdgemountError('conflict', `Cannot rename "${asked}" to "${askedTo}": something of that name is there; choose another one`)
  const operation: Operation = { op: 'rename', path: target.path, to, replace: false, expected: expectationOf(exchange, target) }
  const lost = await refuseLostLease(exchange, store)
  if (lost !== undefined) return lost
  const { seq } = await volume.writer({ signal, patienceMs: uploadPatienceMs }).commit([operation], { onConflict: 'refuse', signal })
  return respond(204, { 'edgemount-seq': String(seq), 'cache-control': 'no-store' })
}
