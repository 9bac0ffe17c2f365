/**
 * The store over S3 and what speaks it: AWS, R2, MinIO, Ceph. Opened by `open.ts`, which puts limits, deadlines and retries around it.
 *
 * Create-if-absent is `If-None-Match: *`, compare-and-set `If-Match`. Each call is one request that is sent once: a client that repeats a conditional write by
 * itself finds its own work, and calls it a lost race. Checksums are sent where they are required, and no others: servers that are not AWS's refuse them.
 * Where servers differ, it ends here: 409 for a race (AWS), tags with or without quotes (`s3/if-match.ts`), a Range that is past the end (416).
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { throwIfAborted } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import { type Random, randomBelow, randomFraction } from '../../shared/random.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from '../../shared/store.ts'
import { emptyObject, emptyStream, foundObject, rangeHeader, sizeAndPart } from './found-object.ts'
import { checkKey, checkLimit, checkPrefix, isKey } from './key.ts'
import { fetchHandler } from './s3/fetch-handler.ts'
import { IfMatch } from './s3/if-match.ts'
import { partBytesDefault, putInParts } from './s3/multipart.ts'
import { answerOf, s3Error } from './s3/s3-error.ts'

export interface S3StoreSettings {
  readonly bucket: string
  /** Empty, or a key that everything lies below. */
  readonly prefix: string
  readonly endpoint?: string | undefined
  /** What the environment or its profile says unless given, else us-east-1, which servers that are not AWS's take for theirs. */
  readonly region?: string | undefined
  /** True where an endpoint is given, unless said otherwise: servers of one's own have no host name for each bucket. */
  readonly isPathStyle?: boolean | undefined
  /** Where the runtime has no chain of credentials of its own. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string } | undefined
  readonly clock: Clock
  readonly random: Random
  readonly fetch?: typeof fetch | undefined
  /** Larger bodies go in parts. */
  readonly singleBytesMax?: number | undefined
  readonly partBytes?: number | undefined
}

/** Above every pack, which is at most so large; S3 itself takes 5 GiB. */
const singleBytesDefault = 64 * 2 ** 20
/** Tries of a write that met another one (409, AWS), each after a pause: of so many racers most are through by then. */
const conflictTriesMax = 6
const conflictPauseMs = 50

type SendOptions = { readonly abortSignal?: AbortSignal }
/** Gives a call to the client the signal of who asked. */
type BoundSend = <T>(call: (options: SendOptions) => Promise<T>) => Promise<T>
type WriteCondition = { readonly IfMatch?: string; readonly IfNoneMatch?: string }

export class S3Store implements ObjectStore {
  readonly label: string
  readonly #settings: S3StoreSettings
  readonly #client: S3Client
  readonly #scope: string
  readonly #ifMatch = new IfMatch()

  constructor(settings: S3StoreSettings) {
    const { bucket, prefix, endpoint } = settings
    this.label = `s3://${[bucket, prefix].filter((part) => part !== '').join('/')}${endpoint === undefined ? '' : `?endpoint=${endpoint}`}`
    this.#settings = settings
    this.#scope = prefix === '' ? '' : `${prefix}/`
    this.#client = new S3Client(clientConfig(settings))
  }

  /** Ends what the client holds open. */
  dispose(): void {
    this.#client.destroy()
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    checkKey(key)
    const { range, signal } = options
    if (range !== undefined && range.start >= range.end) return await this.#head(key, range, signal)
    const doing = `read "${key}" from ${this.label}`
    const Range = range === undefined ? {} : { Range: rangeHeader(range) }
    const output = await this.#ask(doing, 's3:GetObject', signal, async (send) => {
      try {
        return await send((sendOptions) => this.#client.send(new GetObjectCommand({ ...this.#target(key), ...Range }), sendOptions))
      } catch (error) {
        const { name, status } = answerOf(error)
        if (status === 404 && name !== 'NoSuchBucket') return 'absent'
        if (status === 416) return 'past-end'
        throw error
      }
    })
    if (output === 'absent') return undefined
    if (output === 'past-end') return await this.#head(key, range ?? { start: 0, end: 0 }, signal)
    const { ContentLength, ContentRange, ETag, Body } = output
    const stream = (): ReadableStream<Uint8Array> => Body?.transformToWebStream() ?? emptyStream()
    return foundObject({ doing, range, signal }, { length: ContentLength, contentRange: ContentRange, etag: ETag, stream })
  }

  /** For a range that holds nothing: what the object is, without a body. */
  async #head(key: string, range: ByteRange, signal: AbortSignal | undefined): Promise<StoredObject | undefined> {
    const head = await this.#headOf(key, signal)
    return head && emptyObject(`read "${key}" from ${this.label}`, range, head)
  }

  async #headOf(key: string, signal: AbortSignal | undefined): Promise<{ size: number; etag: string } | undefined> {
    const doing = `read "${key}" from ${this.label}`
    return await this.#ask(doing, 's3:GetObject', signal, async (send) => {
      try {
        const { ContentLength, ETag } = await send((options) => this.#client.send(new HeadObjectCommand(this.#target(key)), options))
        return sizeAndPart(doing, { length: ContentLength, contentRange: undefined, etag: ETag })
      } catch (error) {
        // Without a body, a bucket that is not there looks the same.
        if (answerOf(error).status === 404) return undefined
        throw error
      }
    })
  }

  async create(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<boolean> {
    checkKey(key)
    const doing = `create "${key}" in ${this.label}`
    return await this.#whileConflict(options.signal, async () => {
      const answer = await this.#write(doing, key, body, { IfNoneMatch: '*' }, options.signal)
      if (typeof answer !== 'string') return true
      if (answer === 'refused') return false
      // AWS says 409 to who meets another write of the key; only what is there tells whether that was it.
      return (await this.#headOf(key, options.signal)) === undefined ? 'conflict' : false
    }, doing)
  }

  async put(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    const { singleBytesMax = singleBytesDefault, partBytes = partBytesDefault, bucket, clock } = this.#settings
    const doing = `write "${key}" to ${this.label}`
    if (body.length > singleBytesMax) {
      await this.#ask(doing, 's3:PutObject', options.signal, () =>
        putInParts(this.#client, { bucket, key: this.#scope + key, body, signal: options.signal, partBytes, clock }),
      )
      return
    }
    await this.#write(doing, key, body, {}, options.signal)
  }

  async replace(key: string, body: Uint8Array, etag: string, options: StoreOptions = {}): Promise<string | undefined> {
    checkKey(key)
    const { signal } = options
    const doing = `replace "${key}" in ${this.label}`
    const write = (at: string, bytes: Uint8Array, condition: { IfMatch?: string }) => this.#write(doing, at, bytes, condition, signal)
    return await this.#whileConflict(signal, async () => {
      const answer = await write(key, body, { IfMatch: this.#ifMatch.textOf(etag) })
      if (typeof answer !== 'string') return answer.etag
      const now = await this.#headOf(key, signal)
      if (now?.etag !== etag) return undefined
      if (answer === 'conflict') return 'conflict'
      // It has the tag, and the server says that it has not: it wants the tag in another form, or another write came and went.
      const scratch = `tag-probe-${randomBelow(this.#settings.random, 2 ** 52).toString(36)}`
      const isLearnt = await this.#ifMatch.learn({
        write: (bytes, condition) => write(scratch, bytes, condition),
        remove: () => this.delete(scratch, options),
      })
      return isLearnt ? 'conflict' : undefined
    }, doing)
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    await this.#ask(`delete "${key}" from ${this.label}`, 's3:DeleteObject', options.signal, async (send) => {
      try {
        await send((sendOptions) => this.#client.send(new DeleteObjectCommand(this.#target(key)), sendOptions))
      } catch (error) {
        const { name, status } = answerOf(error)
        if (status !== 404 || name === 'NoSuchBucket') throw error
      }
    })
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly ObjectSummary[]> {
    checkPrefix(prefix)
    const limit = checkLimit(options.limit)
    const found: ObjectSummary[] = []
    let after = options.after === undefined ? undefined : this.#scope + options.after
    // A server may give fewer than asked for and say that there is more; the last key goes on better than a token, which not every server takes with a limit.
    for (;;) {
      const request = { Bucket: this.#settings.bucket, Prefix: this.#scope + prefix, MaxKeys: limit - found.length, ...(after === undefined ? {} : { StartAfter: after }) }
      const page = await this.#ask(`list "${prefix}" in ${this.label}`, 's3:ListBucket', options.signal, (send) =>
        send((sendOptions) => this.#client.send(new ListObjectsV2Command(request), sendOptions)),
      )
      const objects = page.Contents ?? []
      for (const { Key = '', Size } of objects) {
        const outer = page.EncodingType === 'url' ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key
        after = outer
        const key = outer.slice(this.#scope.length)
        // What others keep in the bucket (`folder/` markers, names with other letters) is no object of ours.
        if (isKey(key)) found.push({ key, size: Size ?? 0 })
      }
      if (page.IsTruncated !== true || found.length >= limit || objects.length === 0) return found
    }
  }

  /** One conditional write: the new tag, or what the server made of the condition. */
  async #write(doing: string, key: string, body: Uint8Array, condition: WriteCondition, signal: AbortSignal | undefined): Promise<{ etag: string } | 'refused' | 'conflict'> {
    const isConditional = condition.IfMatch !== undefined || condition.IfNoneMatch !== undefined
    return await this.#ask(doing, 's3:PutObject', signal, async (send) => {
      try {
        const output = await send((options) => this.#client.send(new PutObjectCommand({ ...this.#target(key), Body: body, ...condition }), options))
        if (output.ETag === undefined) throw new EdgemountError('unsupported', `Cannot ${doing}: the server gave it no ETag`)
        return { etag: output.ETag }
      } catch (error) {
        const { name, status } = answerOf(error)
        if (!isConditional) throw error
        if (status === 412 || (status === 404 && condition.IfMatch !== undefined && name !== 'NoSuchBucket')) return 'refused'
        if (status === 409 && name !== 'OperationAborted') return 'conflict'
        // Ceph has no word for an If-Match that lost a race (rgw_rados.cc passes ECANCELED on, for which its REST side has no name); it wrote nothing.
        if (name === 'UnknownError' && condition.IfMatch !== undefined && this.#ifMatch.isBare) return 'conflict'
        if (status === 501) throw new EdgemountError('unsupported', `Cannot ${doing}: the server does not do conditional writes (${messageOf(error)})`, { cause: error })
        throw error
      }
    })
  }

  /** Again while another write is in the way; then nothing is known but that nothing was written. */
  async #whileConflict<T>(signal: AbortSignal | undefined, attempt: () => Promise<T | 'conflict'>, doing: string): Promise<T> {
    const { clock, random } = this.#settings
    for (let tryCount = 1; tryCount <= conflictTriesMax; tryCount += 1) {
      const result = await attempt()
      if (result !== 'conflict') return result
      await clock.sleep(conflictPauseMs * tryCount * (0.5 + randomFraction(random)), signal)
    }
    throw new EdgemountError('unavailable', `Cannot ${doing}: other writes of it were under way each of ${conflictTriesMax} times; try again`)
  }

  async #ask<T>(text: string, right: string, signal: AbortSignal | undefined, work: (send: BoundSend) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await work((call) => call(signal === undefined ? {} : { abortSignal: signal }))
    } catch (error) {
      throw s3Error({ text, bucket: this.#settings.bucket, right, signal }, error)
    }
  }

  #target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#settings.bucket, Key: this.#scope + key }
  }
}

function clientConfig({ endpoint, region, isPathStyle, credentials, fetch: send = fetch }: S3StoreSettings): S3ClientConfig {
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    region: region ?? environmentRegion,
    forcePathStyle: isPathStyle ?? endpoint !== undefined,
    ...(credentials === undefined ? {} : { credentials }),
    requestHandler: fetchHandler(send),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    expectContinueHeader: false,
  }
}

/** The one of the environment or its profile, found as the client finds it. */
async function environmentRegion(): Promise<string> {
  try {
    return await new S3Client({}).config.region()
  } catch {
    return 'us-east-1'
  }
}
