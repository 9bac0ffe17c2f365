/**
 * A large object in parts: what does not fit one PUT, or would have to be sent again as a whole when its connection breaks. Called by the S3 store's `put`.
 *
 * INVARIANT: never for `create` and `replace`. Servers take a condition with CompleteMultipartUpload, and most do not look at it (neither Ceph nor Cloudflare's
 * simulator do): the object would be written over.
 */
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, type S3Client, UploadPartCommand } from '@aws-sdk/client-s3'
import type { Clock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { withDeadline } from '../../../shared/lifetime.ts'

export interface MultipartBody {
  readonly bucket: string
  /** As the server knows it. */
  readonly key: string
  readonly body: Uint8Array
  readonly signal: AbortSignal | undefined
  readonly partBytes: number
  readonly clock: Clock
}

/** S3's limits are 5 MiB and 10,000 parts: 16 MiB reach 156 GiB, and a part that is lost is sent again soon. */
export const partBytesDefault = 16 * 2 ** 20
const partsAtOnce = 4
/** For taking back what was sent, which does not end with the caller. */
const abortMs = 10_000

/** Throws what the client throws. What was sent of an object that did not become one is removed, as well as that goes. */
export async function putInParts(client: S3Client, upload: MultipartBody): Promise<void> {
  const { bucket, key, signal, clock } = upload
  const target = { Bucket: bucket, Key: key }
  const options = signal === undefined ? {} : { abortSignal: signal }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(target), options)
  if (UploadId === undefined) throw new EdgemountError('unsupported', `Cannot write "${key}": the server gave the upload of a large object no id`)
  try {
    const tags = await sendParts(client, upload, UploadId)
    const Parts = tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }))
    await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }), options)
  } catch (error) {
    // Parts that are left cost money, and nobody sees them.
    const takeBack = (abortSignal: AbortSignal): Promise<unknown> => client.send(new AbortMultipartUploadCommand({ ...target, UploadId }), { abortSignal })
    await withDeadline(clock, abortMs, `take back parts of "${key}"`, undefined, takeBack).catch(() => undefined)
    throw error
  }
}

async function sendParts(client: S3Client, { bucket, key, body, signal, partBytes }: MultipartBody, uploadId: string): Promise<string[]> {
  const stop = new AbortController()
  const abortSignal = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const count = Math.ceil(body.length / partBytes)
  const tags: string[] = []
  let next = 0
  const sendSome = async (): Promise<void> => {
    while (next < count && !abortSignal.aborted) {
      const index = next
      next += 1
      const Body = body.subarray(index * partBytes, (index + 1) * partBytes)
      const { ETag } = await client.send(new UploadPartCommand({ Bucket: bucket, Key: key, UploadId: uploadId, PartNumber: index + 1, Body }), { abortSignal })
      if (ETag === undefined) throw new EdgemountError('unsupported', `Cannot write "${key}": the server gave a part of it no ETag`)
      tags[index] = ETag
    }
  }
  const senders = Array.from({ length: Math.min(partsAtOnce, count) }, sendSome)
  try {
    await Promise.all(senders)
  } catch (error) {
    // All of them end before the upload is taken back: a part that comes later would stay.
    stop.abort()
    await Promise.allSettled(senders)
    throw error
  }
  signal?.throwIfAborted()
  return tags
}
