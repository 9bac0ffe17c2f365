/**
 * Uploads that come in parts, in the volume's own store: whichever edge a part comes to goes on with them. Each change of an open one is a compare and set, so that
 * of requests that race at one offset a single one wins. Called by the routes of uploads.
 *
 * INVARIANT: what is read was hashed; what a write left behind that did not answer is read back and compared.
 */
import { equalBytes, toHex } from '../../shared/bytes.ts'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { type FinishedUpload, type OpenUpload, decodeFinishedUpload, decodeOpenUpload, encodeFinishedUpload, encodeOpenUpload } from '../../shared/format/upload-state.ts'
import { type HashFunction, hashBytes, hashFromBytes, hashToBytes } from '../../shared/hash.ts'
import { isLate } from '../../shared/lifetime.ts'
import type { Random } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { expiryOfUpload, finishedUploadPrefix, openUploadPrefix, uploadId, uploadIdRandomBytes } from '../../shared/volume/keys.ts'

/** A laptop that is closed on a Friday goes on when it is opened again. */
export const uploadExpiresMs = 7 * 24 * 3600 * 1000
/** In one volume. */
export const openUploadsMax = 500
/** What one creation removes of those that are over: it should not wait for more. */
const sweepCountMax = 8
const listCount = 1000
const triesMax = 5
const firstPauseMs = 20

export interface HeldUpload {
  readonly id: string
  readonly upload: OpenUpload
  /** Of the object that it was read from. */
  readonly etag: string
}

export interface PendingUploadsParts {
  /** Scoped to the volume. */
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly hash: HashFunction
}

export class PendingUploads {
  readonly #parts: PendingUploadsParts

  constructor(parts: PendingUploadsParts) {
    this.#parts = parts
  }

  /** Throws `exhausted` when too many are open in the volume. */
  async begin(upload: Omit<OpenUpload, 'turn'>): Promise<HeldUpload> {
    const { clock, random } = this.#parts
    await this.#makeRoom()
    const id = uploadId(clock.now() + uploadExpiresMs, random.bytes(uploadIdRandomBytes))
    const begun = { ...upload, turn: this.#newTurn() }
    await this.#create(openUploadPrefix + id, encodeOpenUpload(begun))
    const held = await this.find(id)
    if (held === undefined) throw new EdgemountError('unavailable', `Cannot begin the upload of "${upload.path}": the store lost it`)
    return held
  }

  /** Undefined when it was never begun, or is over. */
  async find(id: string): Promise<HeldUpload | undefined> {
    const found = await this.#read(openUploadPrefix + id)
    return found === undefined ? undefined : { id, upload: decodeOpenUpload(found.bytes), etag: found.etag }
  }

  async findFinished(id: string): Promise<FinishedUpload | undefined> {
    const found = await this.#read(finishedUploadPrefix + id)
    return found === undefined ? undefined : decodeFinishedUpload(found.bytes)
  }

  /** Throws `conflict` when another request was faster, `not-found` when the upload was ended. */
  async change({ id, etag }: HeldUpload, to: Omit<OpenUpload, 'turn'>): Promise<HeldUpload> {
    const { store, clock } = this.#parts
    const key = openUploadPrefix + id
    const upload = { ...to, turn: this.#newTurn() }
    const body = await this.#seal(encodeOpenUpload(upload))
    for (let count = 1; ; count += 1) {
      let failure: unknown
      try {
        const tag = await store.replace(key, body, etag)
        if (tag !== undefined) return { id, upload, etag: tag }
      } catch (error) {
        if (codeOf(error) !== 'unavailable') throw error
        failure = error
      }
      const found = await this.#read(key)
      if (found === undefined) throw new EdgemountError('not-found', `Cannot go on with the upload of "${to.path}": it was ended meanwhile`)
      if (equalBytes(found.bytes, body.subarray(hashBytes))) return { id, upload, etag: found.etag }
      if (found.etag !== etag || failure === undefined) {
        throw new EdgemountError('conflict', `Cannot go on with the upload of "${to.path}": another request wrote to it meanwhile; ask for its offset`)
      }
      if (count >= triesMax || isLate(failure)) throw failure
      await clock.sleep(firstPauseMs * 2 ** count)
    }
  }

  /** From now on it is known as finished. */
  async finish(id: string, finished: FinishedUpload): Promise<void> {
    await this.#create(finishedUploadPrefix + id, encodeFinishedUpload(finished))
    await this.#parts.store.delete(openUploadPrefix + id)
  }

  async remove(id: string): Promise<void> {
    await this.#parts.store.delete(openUploadPrefix + id)
    await this.#parts.store.delete(finishedUploadPrefix + id)
  }

  async #makeRoom(): Promise<void> {
    const { store, clock } = this.#parts
    const isOver = ({ key }: { readonly key: string }, prefix: string): boolean => (expiryOfUpload(key.slice(prefix.length)) ?? 0) <= clock.now()
    const open = await store.list(openUploadPrefix, { limit: listCount })
    const over = open.filter((object) => isOver(object, openUploadPrefix))
    if (open.length - over.length >= openUploadsMax) {
      throw new EdgemountError('exhausted', `Cannot begin an upload: ${openUploadsMax} are open in the volume; finish or delete some of them`)
    }
    const finished = await store.list(finishedUploadPrefix, { limit: sweepCountMax })
    over.push(...finished.filter((object) => isOver(object, finishedUploadPrefix)))
    for (const { key } of over.slice(0, sweepCountMax)) await store.delete(key)
  }

  /** Its key is random, so what is there after a try that failed is what that try has made. */
  async #create(key: string, bytes: Uint8Array): Promise<void> {
    const body = await this.#seal(bytes)
    for (let count = 1; ; count += 1) {
      try {
        await this.#parts.store.create(key, body)
        return
      } catch (error) {
        if (codeOf(error) !== 'unavailable' || count >= triesMax || isLate(error)) throw error
        await this.#parts.clock.sleep(firstPauseMs * 2 ** count)
      }
    }
  }

  /** Again when it came damaged. */
  async #read(key: string): Promise<{ readonly bytes: Uint8Array; readonly etag: string } | undefined> {
    for (let count = 1; ; count += 1) {
      const found = await this.#parts.store.get(key)
      if (found === undefined) return undefined
      const sealed = await found.bytes()
      const bytes = sealed.subarray(hashBytes)
      if (sealed.length > hashBytes && (await this.#parts.hash(bytes)) === hashFromBytes(sealed.subarray(0, hashBytes))) return { bytes, etag: found.etag }
      if (count >= triesMax) throw new EdgemountError('corrupt', `Cannot read "${key}": its bytes are not those that were written; delete it and upload again`)
    }
  }

  /** Behind its hash: nothing else says what it must be. */
  async #seal(bytes: Uint8Array): Promise<Uint8Array> {
    const sealed = new Uint8Array(hashBytes + bytes.length)
    sealed.set(hashToBytes(await this.#parts.hash(bytes)))
    sealed.set(bytes, hashBytes)
    return sealed
  }

  #newTurn(): string {
    return toHex(this.#parts.random.bytes(16))
  }
}
