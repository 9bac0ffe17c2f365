/**
 * What the page knows of its edge: where it is, what its token allows, the volumes that are open, and requests that change something. One of a page.
 *
 * The token is read from the page's own address and stays there: nothing is written anywhere.
 */
import { type BrowserVolume, openVolume } from '../browser/volume.ts'
import { EdgemountError, codeOfProxyStatus, errorCodes, messageOf } from '../../shared/error.ts'
import { isWithin, percentEncodePath, rootPath } from '../../shared/path.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import { routes } from '../../shared/wire/routes.ts'
import { type Claims, type Right, everyVolume, readToken } from '../../shared/wire/token.ts'

/** What everybody may in a volume that is public. */
const publicRights: readonly Right[] = ['read', 'list']
/** Kept at once: each may hold some tens of megabytes of what was read. */
const volumesMax = 4

export class Session {
  /** The edge's address, with the token if there is one, and a slash at its end. */
  readonly base: string
  readonly token: string | undefined
  /** Undefined without a token, or with one that is not of a kind that says what it allows. */
  readonly claims: Claims | undefined
  /** Why the edge would have a token, where the page has none: then public volumes may be read, and nothing else. */
  readonly refusal: string | undefined
  /** In order of last use. */
  readonly #volumes = new Map<string, Promise<BrowserVolume>>()

  constructor(location: Pick<Location, 'href'>, refusal?: string) {
    this.refusal = refusal
    this.base = new URL('.', location.href.replace(/[?#].*/, '')).href
    this.token = /\/t\/([^/]+)\/$/.exec(this.base)?.[1]
    this.claims = this.token === undefined ? undefined : claimsOf(this.token)
  }

  may(right: Right): boolean {
    if (this.claims !== undefined) return this.claims.rights.includes(right)
    return this.refusal === undefined || publicRights.includes(right)
  }

  /** The one volume that the token is for; undefined where there may be several. */
  get onlyVolume(): string | undefined {
    return this.claims === undefined || this.claims.volume === everyVolume ? undefined : this.claims.volume
  }

  /** What may be seen of a volume. */
  get prefix(): string {
    return this.claims?.prefix ?? rootPath
  }

  isReached(path: string): boolean {
    return isWithin(path, this.prefix)
  }

  /** The address of a route of the edge; see `shared/wire/routes.ts`. */
  url(path: string): string {
    return `${this.base}${path.slice(1)}`
  }

  /** Where a browser gets a file as it is, now or as a commit left it. */
  fileUrl(volume: string, path: string, seq?: number): string {
    return this.url(routes.file(volume, path, seq))
  }

  zipUrl(volume: string, path: string, seq?: number): string {
    return this.url(`/v1/${volume}/zip${percentEncodePath(path)}${seq === undefined ? '' : `?seq=${seq}`}`)
  }

  /** Open once, for all views; a failure is that of who asks now. Browsers that would ask their user whether it may be kept for good are not troubled. */
  volume(name: string): Promise<BrowserVolume> {
    const known = this.#volumes.get(name)
    const volume = known ?? openVolume(this.url(`/v1/${name}`), { cache: { persist: false } })
    this.#volumes.delete(name)
    this.#volumes.set(name, volume)
    if (known === undefined) volume.catch(() => this.#volumes.get(name) === volume && this.#volumes.delete(name))
    const [oldest] = this.#volumes.keys()
    // What still reads it may go on; then its memory is free.
    if (oldest !== undefined && this.#volumes.size > volumesMax) this.#volumes.delete(oldest)
    return volume
  }

  /** A page of the names of volumes. */
  async volumes(after: string | undefined, signal: AbortSignal): Promise<{ readonly names: readonly string[]; readonly isLast: boolean }> {
    if (this.onlyVolume !== undefined) return { names: [this.onlyVolume], isLast: true }
    const response = await this.send(`/v1${after === undefined ? '' : `?after=${after}`}`, { signal })
    const answer: unknown = await response.json().catch((error: unknown) => {
      if (signal.aborted) throw error
      throw new EdgemountError('unavailable', 'Cannot read the list of volumes: something on the way answers in the place of the edge; try again in a moment', { cause: error })
    })
    const items = fieldOf(answer, 'items')
    const names = Array.isArray(items) ? items.map((item) => fieldOf(item, 'name')).filter((name) => typeof name === 'string') : []
    return { names, isLast: fieldOf(answer, 'isLast') !== false }
  }

  /** Throws what the edge says, in its words; `unavailable` when it cannot be reached. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response
    try {
      response = await fetch(this.url(path), { redirect: 'error', ...init })
    } catch (error) {
      if (init.signal?.aborted === true) throw error
      throw new EdgemountError('unavailable', `Cannot reach the edge: ${messageOf(error)}; look whether you are online, and try again`, { cause: error })
    }
    if (response.ok) return response
    throw errorOf(response.status, await response.text().catch(() => ''))
  }

  /** Throws `stale` when it is not this version any more; undefined is any. */
  async rename(volume: string, path: string, to: string, version: string | undefined): Promise<void> {
    await this.send(`/v1/${volume}/rename${percentEncodePath(path)}?to=${percentEncodePath(to)}`, { method: 'POST', headers: ifMatch(version) })
  }

  /** False when it is there already. */
  async makeFolder(volume: string, path: string): Promise<boolean> {
    return (await this.send(`/v1/${volume}/mkdir${percentEncodePath(path)}`, { method: 'POST' })).status === 201
  }

  /** A directory with everything in it. Throws `stale` when it is not this version any more. */
  async remove(volume: string, path: string, { isDirectory, version }: { readonly isDirectory: boolean; readonly version: string }): Promise<void> {
    await this.send(`${routes.file(volume, path)}${isDirectory ? '?recursive=1' : ''}`, { method: 'DELETE', headers: ifMatch(version) })
  }
}

function ifMatch(version: string | undefined): Record<string, string> {
  return version === undefined ? {} : { 'if-match': `"${version}"` }
}

/** A token of another make is the edge's to judge. */
function claimsOf(token: string): Claims | undefined {
  try {
    return readToken(token).claims
  } catch {
    return undefined
  }
}

/** What an answer says that is none of success, in the edge's own words. */
export function errorOf(status: number, body: string): EdgemountError {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    value = undefined
  }
  const said = fieldOf(value, 'error')
  const named = fieldOf(said, 'code')
  const code = errorCodes.find((each) => each === named) ?? codeOfProxyStatus(status)
  const message = fieldOf(said, 'message')
  return new EdgemountError(code, typeof message === 'string' ? message : `Cannot get an answer of the edge: something on the way says ${status}; try again in a moment`)
}
