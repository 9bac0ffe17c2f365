/**
 * The end of an upload that came in parts: one commit, whoever asks for it and however often. Its record has a nonce made of the upload's id, so that a commit whose
 * answer was lost is found in the log and not made again.
 */
import { EdgemountError, codeOf } from '../../shared/error.ts'
import type { FinishedUpload, OpenUpload } from '../../shared/format/upload-state.ts'
import type { CommitRecord } from '../../shared/format/commit.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import type { PendingUploads } from '../upload/pending-uploads.ts'
import { contentOf } from '../upload/upload-steps.ts'
import type { Exchange } from '../route.ts'
import { volumeOf } from '../route.ts'
import { isRefused, locate, parseMode, parseMtime, refuseDirectory, type Target, uploadPatienceMs, versionOf, versionOfTag } from './upload.ts'

/** Each lost race means that somebody else's file got there. */
const triesMax = 20
/** Records that are read at once. */
const recordsAtOnce = 16

/** Throws `stale` when a precondition does not hold any more; the upload is over then, too. Everything else can be tried again. */
export async function commitUpload(exchange: Exchange, pending: PendingUploads, id: string, upload: OpenUpload): Promise<FinishedUpload> {
  // Who sent the last byte may be gone; the file is whole, and comes to be.
  const lasting: Exchange = { ...exchange, signal: exchange.edge.closing }
  const { volume } = await volumeOf(lasting)
  const { path, length, metadata } = upload
  const content = contentOf(upload)
  const version = await versionOf(exchange, content)
  const seq = await commitOnce(lasting, volume, id, upload)
  if (seq === undefined) {
    await pending.remove(id)
    throw new EdgemountError('stale', `Cannot change "${path}": it is not the version that was asked for; the upload is over`)
  }
  const finished: FinishedUpload = { path, length, metadata, seq, version }
  await pending.finish(id, finished).catch((error: unknown) => exchange.edge.log.warn('a finished upload is still kept as open', { id, error }))
  return finished
}

/** The commit's seq; undefined when a precondition does not hold. */
async function commitOnce(exchange: Exchange, volume: Volume, id: string, upload: OpenUpload): Promise<number | undefined> {
  const { signal } = exchange
  const headers = new Headers(upload.headers.map(([name, value]): [string, string] => [name, value]))
  const nonce = `upload-${id}`
  const content = contentOf(upload)
  let after = upload.after!
  for (let count = 1; ; count += 1) {
    const head = await volume.head({ signal })
    const made = await findRecord(volume, nonce, { after, head, signal })
    if (made !== undefined) return made.seq
    // A slot is never written again: what was looked at once needs no second look.
    after = head.seq
    const target = await locate(exchange, head, upload.path)
    refuseDirectory(target)
    if (isRefused(exchange, target, headers)) return undefined
    const operation: Operation = {
      op: 'create',
      path: target.path,
      content,
      size: upload.length,
      mtime: parseMtime(headers.get('edgemount-mtime')),
      mode: parseMode(headers.get('edgemount-mode')),
      parents: true,
      replace: true,
      expected: expectationOf(target),
    }
    try {
      const { seq } = await volume.writer({ patienceMs: uploadPatienceMs }).commit([operation], { base: head, onConflict: 'refuse', nonce, signal })
      return seq
    } catch (error) {
      if (codeOf(error) !== 'stale') throw error
      if (count >= triesMax) throw new EdgemountError('unavailable', `Cannot write "${upload.path}": other commits were faster ${triesMax} times; send the last part again`, { cause: error })
    }
  }
}

/** Exactly what was found: if it is another then, this upload may have been committed meanwhile by another request. */
function expectationOf({ entry, validators }: Target): Operation['expected'] {
  return entry === undefined || validators === undefined ? 'absent' : { id: entry.id, version: versionOfTag(validators.etag) }
}

interface Search {
  readonly after: number
  readonly head: Snapshot
  readonly signal: AbortSignal
}

async function findRecord(volume: Volume, nonce: string, { after, head, signal }: Search): Promise<CommitRecord | undefined> {
  for (let seq = head.seq; seq > after; seq -= recordsAtOnce) {
    const seqs = Array.from({ length: Math.min(recordsAtOnce, seq - after) }, (_, index) => seq - index)
    const records = await Promise.all(seqs.map(async (one) => (one === head.seq ? head : await volume.at(one, { signal })).record))
    const found = records.find((record) => record.nonce === nonce)
    if (found !== undefined) return found
  }
  return undefined
}
