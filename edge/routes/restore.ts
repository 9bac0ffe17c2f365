/**
 * Brings back what an older commit had at a path: one commit, no bytes move. The log is never changed, so what this replaces can be brought back the same way.
 */
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { baseName, childPath, parentPath, rootPath } from '../../shared/path.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { RestoreMessage } from '../../shared/wire/messages.ts'
import { requireRight, requireWithin } from '../access/grant.ts'
import { leaseParameter, refuseLostLease } from '../lease-fence.ts'
import { queryInteger, queryPath } from '../http/query.ts'
import { respondJson } from '../http/respond.ts'
import { restoreOperations } from '../restore-operations.ts'
import { type Exchange, type Route, pathOf, volumeOf } from '../route.ts'
import { expectationOf, isRefused, locate, nameAt, refused, targetAt, uploadPatienceMs } from './upload.ts'

export const restoreRoutes: readonly Route[] = [
  {
    method: 'POST',
    template: '/v1/{volume}/restore/{path}',
    needs: 'write',
    weight: 20,
    summary: 'Brings back what a commit had at a path, a directory with everything in it; one commit',
    parameters: [
      { name: 'seq', in: 'query', text: 'The commit that had it' },
      { name: 'to', in: 'query', text: 'Where to put it, percent-encoded; the same path unless given' },
      { name: 'If-Match', in: 'header', text: 'Only over this version; of a directory the one that stat tells' },
      { name: 'If-None-Match', in: 'header', text: '*: only where there is nothing' },
      leaseParameter,
    ],
    responses: { 200: 'It is back', 400: 'A path or a parameter cannot be', 404: 'No such commit, or it did not have the path', 409: 'A directory is where a file was, or the other way round', 412: 'A precondition failed' },
    handle: restore,
  },
]

async function restore(exchange: Exchange): Promise<Response> {
  const { query, signal, grant } = exchange
  const seq = queryInteger(query, 'seq', { min: 1, max: Number.MAX_SAFE_INTEGER })
  const { path } = pathOf(exchange)
  if (seq === undefined) throw new EdgemountError('invalid', `Cannot bring "${path}" back: say from which commit, as in ?seq=12`)
  requireRight(grant, 'read', path)
  const askedTo = queryPath(query, 'to') ?? path
  const { volume, store } = await volumeOf(exchange)
  const past = await volume.at(seq, { signal })
  const source = await past.resolve(path, { signal })
  const now = await volume.head({ signal })
  const to = askedTo === rootPath ? rootPath : await placeFor(exchange, now, askedTo)
  requireWithin(grant, to, askedTo)
  if (to === rootPath && source.kind !== 'directory') throw new EdgemountError('invalid', `Cannot bring "${path}" back as "/": it was a ${source.kind}`)
  const target = await targetAt(exchange, now, to)
  if (isRefused(exchange, target)) return refused(askedTo, exchange.request)
  const expected = expectationOf(exchange, target)
  const operations = await restoreOperations({ past, from: path, now, to, expected: source.kind === 'directory' ? undefined : expected, isAsSeen: expected !== 'any', signal })
  const lost = await refuseLostLease(exchange, store)
  if (lost !== undefined) return lost
  const committed = operations.length === 0 ? now.seq : (await volume.writer({ signal, patienceMs: uploadPatienceMs }).commit(operations, { onConflict: 'refuse', signal })).seq
  const message: RestoreMessage = { seq: committed, path: to, count: operations.length }
  return respondJson(200, message, { 'edgemount-seq': String(committed), 'cache-control': 'no-store' })
}

/** Where a name is, its directories made if need be. */
async function placeFor(exchange: Exchange, now: Snapshot, path: string): Promise<string> {
  try {
    return await nameAt(exchange, now, path)
  } catch (error) {
    if (codeOf(error) !== 'not-found') throw error
    const parent = await locate(exchange, now, parentPath(path) ?? rootPath)
    return childPath(parent.path, baseName(path))
  }
}
