/**
 * An empty directory: one commit. Directories of files come to be with the files; this is for those that hold nothing.
 */
import { EdgemountError } from '../../shared/error.ts'
import { rootPath } from '../../shared/path.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { requireWithin } from '../access/grant.ts'
import { leaseParameter, refuseLostLease } from '../lease-fence.ts'
import { respond } from '../http/respond.ts'
import { type Exchange, type Route, pathOf, volumeOf } from '../route.ts'
import { locate, parseMode, uploadPatienceMs } from './upload.ts'

export const mkdirRoutes: readonly Route[] = [
  {
    method: 'POST',
    template: '/v1/{volume}/mkdir/{path}',
    needs: 'write',
    summary: 'Makes a directory, and those that are missing above it',
    parameters: [{ name: 'Edgemount-Mode', in: 'header', text: 'Permission bits in octal' }, leaseParameter],
    responses: { 201: 'Made', 204: 'It is there already', 400: 'The path or a header cannot be, or what is above is no directory', 409: 'Something else is there' },
    handle: makeDirectory,
  },
]

async function makeDirectory(exchange: Exchange): Promise<Response> {
  const { signal, request, grant } = exchange
  const { path } = pathOf(exchange)
  const mode = parseMode(request.headers.get('edgemount-mode'))
  const { volume, store } = await volumeOf(exchange)
  const snapshot = await volume.head({ signal })
  const target = path === rootPath ? { path, entry: snapshot.root.directory } : await locate(exchange, snapshot, path)
  requireWithin(grant, target.path, path)
  if (target.entry?.kind === 'directory') return respond(204, { 'edgemount-seq': String(snapshot.seq), 'cache-control': 'no-store' })
  if (target.entry !== undefined) throw new EdgemountError('conflict', `Cannot make the directory "${path}": a ${target.entry.kind} is there`)
  const lost = await refuseLostLease(exchange, store)
  if (lost !== undefined) return lost
  const operation: Operation = { op: 'mkdir', path: target.path, mode, parents: true }
  const { seq } = await volume.writer({ signal, patienceMs: uploadPatienceMs }).commit([operation], { onConflict: 'refuse', signal })
  return respond(201, { 'edgemount-seq': String(seq), 'cache-control': 'no-store' })
}
