/**
 * What a route is: a template, its documentation and its handler, as one value. `app.ts` registers the values with the router, `openapi.ts` turns the same
 * values into the document, so neither can know a route that the other does not.
 */
import type { Clock } from '../shared/clock.ts'
import { EdgemountError } from '../shared/error.ts'
import type { HashFunction } from '../shared/hash.ts'
import type { Logger } from '../shared/log.ts'
import type { Metrics } from '../shared/metrics.ts'
import { percentDecodeName, percentDecodePath } from '../shared/path.ts'
import type { Random } from '../shared/random.ts'
import type { KeyRing } from '../shared/wire/key-ring.ts'
import type { ReadBudget } from '../shared/volume/read-budget.ts'
import type { Right } from '../shared/wire/token.ts'
import { checkVolumeName } from '../shared/wire/routes.ts'
import type { Grant } from './access/grant.ts'
import type { VolumeAccesses } from './access/volume-access.ts'
import type { BytesBody } from './http/body.ts'
import type { BodyPlaces } from './http/body-places.ts'
import type { StartDigest } from './http/digest.ts'
import type { ConsoleFiles } from './console-files.ts'
import type { HeaderMap } from './http/respond.ts'
import type { OpenVolume, Volumes } from './volumes.ts'

/** What all routes of one app share. */
export interface Edge {
  readonly clock: Clock
  readonly random: Random
  readonly hash: HashFunction
  readonly log: Logger
  readonly metrics: Metrics
  readonly volumes: Volumes
  /** Who may read a volume without a token, and which tokens it has revoked. */
  readonly accesses: VolumeAccesses
  /** What tokens are signed with; undefined where everybody may everything. */
  readonly keys: KeyRing | undefined
  readonly bytesBody: BytesBody
  /** Memory is short: what is long is streamed. */
  readonly isStreaming: boolean
  /** The longest that a call to the store, or a piece of a body of it, may take. */
  readonly storeCallMs: number
  /** Undefined: what senders say of their bodies cannot be checked. */
  readonly startDigest: StartDigest | undefined
  readonly uploadMemory: UploadMemory
  /** Files being written; each may hold a few packs in memory. */
  readonly uploads: BodyPlaces
  /** Packs being received, in memory. */
  readonly packs: BodyPlaces
  /** What long slices of packs may hold together while they are sent. */
  readonly slices: ReadBudget
  /** The largest file that may be uploaded. */
  readonly uploadBytesMax: number
  /** Event streams and long polls at once. */
  readonly listenersMax: number
  /** What people see at `/`; undefined where it was not built. */
  readonly console: ConsoleFiles | undefined
  /** Fires when the edge shuts down. */
  readonly closing: AbortSignal
}

/** What one upload may hold. */
export interface UploadMemory {
  /** Of an upload in parts, before it is kept. */
  readonly stepBytes: number
  /** The format's most unless given. */
  readonly packBytesMax: number | undefined
}

export interface Exchange {
  readonly edge: Edge
  readonly request: Request
  readonly isHead: boolean
  /** What the caller may. */
  readonly grant: Grant
  /** What stands before `path` in the address that was asked for: `/t/{token}`, or nothing. Before every address that an answer tells. */
  readonly base: string
  /** The address's path and query, still percent-encoded. */
  readonly path: string
  readonly query: string
  /** Values of the template's parameters, still percent-encoded. */
  readonly parameters: Readonly<Record<string, string>>
  /** Fires when the client goes away. */
  readonly signal: AbortSignal
}

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

export interface RouteParameter {
  readonly name: string
  readonly in: 'query' | 'header'
  readonly text: string
}

/** Headers of a protocol that an address speaks. */
export interface Protocol {
  /** Of every answer, errors too. */
  readonly answers: HeaderMap
  /** Of the answer to OPTIONS. */
  readonly options: HeaderMap
}

/** An error that was to be answered. */
export interface Refused {
  readonly request: Request
  readonly base: string
  readonly response: Response
  /** What may be told of it. */
  readonly message: string
  readonly console: ConsoleFiles | undefined
}

export interface Route {
  /** HEAD goes where GET is. */
  readonly method: Method
  /** With `{name}` for a segment and `{path}` for the rest, which may be empty. */
  readonly template: string
  /** What a caller must be allowed; undefined where everybody is. */
  readonly needs: Right | undefined
  /** Its handler holds to `grant.prefix` by itself, so that who may see only a part of a volume may ask. */
  readonly isFiltered?: boolean
  /** Also of a public volume it is only for who has a token: who works on it, and from where. */
  readonly isNeverPublic?: boolean
  /** Nothing of a volume is other than before, whatever the method: an edge that only reads answers it, too. */
  readonly changesNothing?: boolean
  /** It tells nothing that is anybody's: whoever has a token that counts may ask, whatever that is for. */
  readonly isForEveryToken?: boolean
  /** As how many requests it counts where rates are counted: it may cost the store a hundred. One unless given; what is for everybody counts only if it is. */
  readonly weight?: number
  readonly summary: string
  readonly parameters?: readonly RouteParameter[]
  /** The content type of the request's body, if it takes one. */
  readonly requestType?: string
  readonly protocol?: Protocol
  /** Status → what it means. */
  readonly responses: Readonly<Record<number, string>>
  /** What stands for an error where people look at it; undefined leaves the JSON. */
  readonly showError?: (refused: Refused) => Response | undefined
  readonly handle: (exchange: Exchange) => Promise<Response> | Response
}

/** The router's pattern of a template. */
export function routerPattern(template: string): string {
  return template.replace('/{path}', '/*').replace('@{seq}', ':at{@[0-9]+}').replace('{start}-{end}', ':slice').replaceAll(/\{(\w+)\}/g, ':$1')
}

const matchers = new Map<string, RegExp>()

/** The values of a template's parameters in a path that the router matched. */
export function parametersOf(template: string, path: string): Readonly<Record<string, string>> {
  let matcher = matchers.get(template)
  if (matcher === undefined) {
    const source = template
      .replace('/{path}', '(?:/(?<path>.*))?')
      .replace('{start}-{end}', '(?<start>[^/]*?)-(?<end>[^/]*)')
      .replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')
    matcher = new RegExp(`^${source}$`, 's')
    matchers.set(template, matcher)
  }
  const match = matcher.exec(path)
  if (match === null) throw new EdgemountError('invalid', `Cannot read the address "${path}": it must look like ${template}`)
  return { ...match.groups }
}

/** The volume that a request is about. */
export async function volumeOf({ edge, parameters, signal }: Exchange): Promise<OpenVolume> {
  return await edge.volumes.open(volumeNameOf(parameters), signal)
}

export function volumeNameOf(parameters: Readonly<Record<string, string>>): string {
  const name = percentDecodeName(parameters['volume'] ?? '')
  const hint = snapshotHint(name)
  if (hint !== undefined) throw new EdgemountError('not-found', `Cannot find a volume "${name}": ${hint}`)
  checkVolumeName(name)
  return name
}

/** Commands write `volume@12`; whoever writes that in an address learns how commits stand there. Undefined for other names. */
export function snapshotHint(segment: string): string | undefined {
  const match = /^([^/@]+)@(\d+)$/.exec(segment)
  return match === null ? undefined : `what commit ${match[2]} left is below /v1/${match[1]}/@${match[2]}/, as in /v1/${match[1]}/@${match[2]}/<path>`
}

/** The canonical volume path that a request is about, and whether the address ended with a slash. */
export function pathOf({ parameters }: Exchange): { readonly path: string; readonly isSlashed: boolean } {
  const text = parameters['path']
  // `percentDecodePath` takes a leading slash as part of a path; here it is an empty name, and the file would have two addresses.
  if (text?.startsWith('/') === true) throw new EdgemountError('invalid', `Cannot use the address "${text}": a name in it is empty; take one of the slashes away`)
  return { path: percentDecodePath(text ?? ''), isSlashed: text === '' || text?.endsWith('/') === true }
}
