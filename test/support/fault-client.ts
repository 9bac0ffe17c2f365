/**
 * A client with a seed, for edges whose store fails: reads what never changes and compares each answer with that of an edge over the sound store, and writes files of its
 * own, knowing of each what it may hold.
 */
import assert from 'node:assert/strict'
import { randomBelow, randomFraction } from '../../shared/random.ts'
import { type RawRequest, type RawResponse, rawRequest } from './raw-http.ts'
import { SeededRandom } from './seeded-random.ts'

export interface FaultClientParts {
  readonly seed: number
  /** Over the store that fails. */
  readonly port: number
  /** Over the sound one. */
  readonly cleanPort: number
  /** Paths of files that the commit `seq` has, with their sizes. */
  readonly files: readonly { readonly path: string; readonly size: number }[]
  readonly seq: number
  /** Where it writes: nobody else does. */
  readonly home: string
}

/** What a fault may be told as; a file's own answer is the only other one. */
const failures: readonly number[] = [429, 502, 503, 504]
const tus = { 'tus-resumable': '1.0.0' }

export class FaultClient {
  readonly #parts: FaultClientParts
  readonly #random: SeededRandom
  /** What each of its own paths may hold: more than one after a write whose answer said nothing. */
  readonly possible = new Map<string, (Buffer | undefined)[]>()
  readonly counts = { right: 0, cut: 0, failed: 0, written: 0 }

  constructor(parts: FaultClientParts) {
    this.#parts = parts
    this.#random = new SeededRandom(parts.seed)
  }

  async step(): Promise<void> {
    const chance = randomFraction(this.#random)
    if (chance < 0.8) await this.#compare(this.#randomRead())
    else if (chance < 0.87) await this.#readOwn()
    else if (chance < 0.94) await this.#put()
    else if (chance < 0.98) await this.#upload()
    else await this.#remove()
  }

  /** Below `/v1/demo/`. */
  #randomRead(): RawRequest {
    const { files, seq } = this.#parts
    const { path, size } = files[this.#below(files.length)]!
    const at = (): number => this.#below(size + 2)
    const range = (): string => [`${at()}-${at()}`, `${at()}-`, `-${at()}`, `${at()}-${at()},${at()}-${at()},-5`][this.#below(4)]!
    switch (this.#below(8)) {
      case 0: return { path: `list/dir?seq=${seq}&limit=${1 + this.#below(40)}` }
      case 1: return { path: `@${seq}/dir/`, headers: { accept: 'text/html' } }
      case 2: return { path: `manifest${path}?seq=${seq}` }
      case 3: return { path: `stat${path}?seq=${seq}` }
      case 4: return { path: `@${seq}${path}` }
      default: return { path: `@${seq}${path}`, headers: { range: `bytes=${range()}` } }
    }
  }

  /** The right answer, a part of it on a connection that broke, or a failure. */
  async #compare(request: RawRequest): Promise<void> {
    const asked = { ...request, path: `/v1/demo/${request.path}` }
    const answer = await rawRequest(this.#parts.port, asked)
    if (this.#isFailure(answer)) return
    // A body that breaks off at once can take its head with it.
    if (answer.status === 0) return void (this.counts.cut += 1)
    const right = await rawRequest(this.#parts.cleanPort, asked)
    const hint = JSON.stringify(request)
    assert.deepEqual([answer.status, answer.headers['content-range'], answer.headers['etag']], [right.status, right.headers['content-range'], right.headers['etag']], hint)
    const [body, expected] = [plainBody(answer), plainBody(right)]
    assert.ok(body.equals(answer.isCut ? expected.subarray(0, body.length) : expected), hint)
    this.counts[answer.isCut ? 'cut' : 'right'] += 1
  }

  async #readOwn(): Promise<void> {
    const path = this.#ownPath()
    const answer = await this.#ask({ path })
    if (answer.isCut || this.#isFailure(answer)) return
    const held = answer.status === 404 ? undefined : answer.body
    assert.equal(answer.status, held === undefined ? 404 : 200, path)
    this.#expectPossible(path, held)
    this.counts.right += 1
  }

  async #put(): Promise<void> {
    const path = this.#ownPath()
    const body = this.#newBody()
    const answer = await this.#ask({ method: 'PUT', path, body })
    this.#note(path, body, [201, 204].includes(answer.status), answer)
  }

  async #remove(): Promise<void> {
    const path = this.#ownPath()
    const answer = await this.#ask({ method: 'DELETE', path })
    if (answer.status === 404) this.#expectPossible(path, undefined)
    else this.#note(path, undefined, answer.status === 204, answer)
  }

  /** In two parts, each sent until it is there, or until that has failed often enough. */
  async #upload(): Promise<void> {
    const path = this.#ownPath()
    const body = this.#newBody()
    const begun = await this.#ask({ method: 'POST', path: path.replace('files', 'uploads'), headers: { ...tus, 'upload-length': String(body.length) }, ...(body.length === 0 ? { body: '' } : {}) })
    // The file of no bytes is there with its creation.
    if (begun.status !== 201 || body.length === 0) return this.#note(path, body, begun.status === 201, begun)
    const address = begun.headers['location'] ?? ''
    let isSent = false
    for (let tries = 0; tries < 4 && !isSent; tries += 1) {
      const head = await rawRequest(this.#parts.port, { method: 'HEAD', path: address, headers: tus })
      const offset = Number(head.headers['upload-offset'])
      if (this.#isFailure(head)) continue
      if (offset === body.length && head.headers['etag'] !== undefined) return this.#note(path, body, true, head)
      const end = tries === 0 ? Math.ceil(body.length / 2) : body.length
      const headers = { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) }
      const sent = await rawRequest(this.#parts.port, { method: 'PATCH', path: address, headers, body: body.subarray(offset, Math.max(offset, end)) })
      if (sent.status === 409) continue
      isSent = this.#isFailure(sent) ? false : sent.headers['upload-offset'] === String(body.length)
    }
    this.#note(path, body, isSent, { ...begun, status: isSent ? 201 : 503, headers: { 'retry-after': '1', 'cache-control': 'no-store' } })
  }

  #note(path: string, body: Buffer | undefined, isAcknowledged: boolean, answer: RawResponse): void {
    if (isAcknowledged) {
      this.counts.written += 1
      this.possible.set(path, [body])
    } else {
      assert.ok(this.#isFailure(answer), `${path} ${answer.status} ${answer.body.toString()}`)
      this.possible.set(path, [...(this.possible.get(path) ?? [undefined]), body])
    }
  }

  #expectPossible(path: string, held: Buffer | undefined): void {
    const possible = this.possible.get(path) ?? [undefined]
    assert.ok(possible.some((each) => (each === undefined || held === undefined ? each === held : each.equals(held))), `${path} holds ${held?.length} bytes`)
  }

  /** A failure says when to come back, and nobody may keep it. */
  #isFailure({ status, headers, isCut }: RawResponse): boolean {
    if (!failures.includes(status)) return false
    assert.deepEqual([isCut, headers['cache-control']], [false, 'no-store'])
    if (status !== 502) assert.match(headers['retry-after'] ?? '', /^\d+$/)
    this.counts.failed += 1
    return true
  }

  #ask(request: RawRequest): Promise<RawResponse> {
    return rawRequest(this.#parts.port, request)
  }

  #ownPath(): string {
    return `/v1/demo/files${this.#parts.home}/${this.#below(6)}`
  }

  #newBody(): Buffer {
    return Buffer.from(this.#random.bytes([0, 10, 5000, 200_000][this.#below(4)]!))
  }

  #below(limit: number): number {
    return randomBelow(this.#random, limit)
  }
}

/** Of several ranges the boundary is drawn anew each time. */
function plainBody({ headers, body }: RawResponse): Buffer {
  const boundary = /boundary=(\w+)/.exec(headers['content-type'] ?? '')?.[1]
  return boundary === undefined ? body : Buffer.from(body.toString('latin1').replaceAll(boundary, 'x'), 'latin1')
}
