/**
 * A directory, or a file, as one zip archive that is made while it is sent: bodies as they are, in bounded memory, of one commit. A client that goes away ends it.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { contentDisposition } from '../../shared/content-type.ts'
import { encodeName } from '../../shared/name.ts'
import { baseName, rootPath } from '../../shared/path.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { requireRight, requireWithin } from '../access/grant.ts'
import { openEndedBody } from '../http/body.ts'
import { queryInteger } from '../http/query.ts'
import { immutableCache, respond } from '../http/respond.ts'
import { type Exchange, type Route, pathOf, volumeOf } from '../route.ts'
import { type ZipEntry, zipPieces } from '../zip/zip.ts'

export const zipRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/zip/{path}',
    needs: 'read',
    weight: 20,
    summary: 'A directory with everything in it as a zip archive, stored and streamed; no ranges',
    parameters: [{ name: 'seq', in: 'query', text: 'The snapshot to archive; the newest unless given' }],
    responses: { 200: 'The archive', 403: 'The token does not allow to list', 404: 'No such volume, snapshot or path' },
    handle: archive,
  },
]

/** st_mode's bits of the kinds that an archive can hold; fifos, sockets and devices are left out. */
const kindBits: Readonly<Partial<Record<Entry['kind'], number>>> = { file: 0o100000, directory: 0o040000, symlink: 0o120000 }

interface ArchivedEntry extends ZipEntry {
  readonly entry: Entry
  readonly path: string
}

async function archive(exchange: Exchange): Promise<Response> {
  const { signal, grant, query, isHead, edge } = exchange
  const { path: asked } = pathOf(exchange)
  const seq = queryInteger(query, 'seq', { min: 1, max: Number.MAX_SAFE_INTEGER })
  const { volume, name: volumeName } = await volumeOf(exchange)
  const snapshot = seq === undefined ? await volume.head({ signal }) : await volume.at(seq, { signal })
  const { path, entry } = await snapshot.follow(asked, { signal, within: grant.prefix })
  requireWithin(grant, path, asked)
  if (entry.kind === 'directory') requireRight(grant, 'list', asked)
  if (kindBits[entry.kind] === undefined) throw new EdgemountError('unsupported', `Cannot archive "${asked}": it is a ${entry.kind}`)
  const top = baseName(asked === rootPath ? path : asked) || volumeName
  const headers = {
    'content-type': 'application/zip',
    'content-disposition': contentDisposition('attachment', `${top}.zip`),
    'cache-control': seq === undefined ? 'no-store, no-transform' : immutableCache,
    'accept-ranges': 'none',
    'edgemount-seq': String(snapshot.seq),
  }
  if (isHead) return respond(200, headers)
  const pieces = zipPieces({
    walk: () => archivedEntries(snapshot, path, top, signal),
    read: (archived: ArchivedEntry) => snapshot.read(archived.entry, undefined, { signal, label: archived.path }),
  })
  const onFailure = (error: unknown): void => {
    if (!signal.aborted) edge.log.error('an archive was broken off', { path, error })
  }
  return respond(200, headers, openEndedBody({ pieces, onFailure }))
}

async function* archivedEntries(snapshot: Snapshot, path: string, top: string, signal: AbortSignal): AsyncGenerator<ArchivedEntry> {
  for await (const found of snapshot.walk(path, { signal })) {
    const bits = kindBits[found.entry.kind]
    if (bits === undefined) continue
    const { mode, mtime, size, content, kind } = found.entry
    const name = `${top}${path === rootPath ? (found.path === rootPath ? '' : found.path) : found.path.slice(path.length)}${kind === 'directory' ? '/' : ''}`
    const body = content.kind === 'target' ? encodeName(content.target) : content.kind === 'inline' ? content.bytes : kind === 'directory' || size === 0 ? new Uint8Array(0) : undefined
    yield { name, mode: bits | mode, mtime, size: body?.length ?? size, body, entry: found.entry, path: found.path }
  }
}
