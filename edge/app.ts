/**
 * The edge as one function from request to response, the same on every runtime. `node.ts`, `deno.ts` and tests give it a store, time and chance.
 *
 * Here and nowhere else: which routes there are, what every request passes (metrics, the log, CORS, errors), and the store's deadlines.
 */
import { Hono } from 'hono'
import type { Clock } from '../shared/clock.ts'
import { EdgemountError, codeOf, httpStatusOfCode } from '../shared/error.ts'
import type { HashFunction } from '../shared/hash.ts'
import { webHash } from '../shared/hash.ts'
import { Lifetime } from '../shared/lifetime.ts'
import { type Logger, silentLogger } from '../shared/log.ts'
import { type Counter, type Histogram, Metrics } from '../shared/metrics.ts'
import type { Random } from '../shared/random.ts'
import type { ObjectStore } from '../shared/store.ts'
import { isVolumeName } from '../shared/wire/routes.ts'
import type { Right } from '../shared/wire/token.ts'
import { ReadBudget } from '../shared/volume/read-budget.ts'
import { type Address, readAddress, shownPath } from './access/address.ts'
import { restrictCaching } from './access/caching.ts'
import { type Grant, fullGrant } from './access/grant.ts'
import { type AccessSettings, type Client, type Guard, createGuard } from './access/guard.ts'
import { AccessMemory, VolumeAccesses } from './access/volume-access.ts'
import { BodyTooLarge, type BytesBody } from './http/body.ts'
import { BodyPlaces } from './http/body-places.ts'
import type { ConsoleFiles } from './console-files.ts'
import type { StartDigest } from './http/digest.ts'
import { authorityOf } from './http/host.ts'
import { type HeaderMap, respondError, respondPreflight, respondThrown, shownMessage } from './http/respond.ts'
import { type Edge, type Route, parametersOf, routerPattern, snapshotHint } from './route.ts'
import { aboutRoutes } from './routes/about.ts'
import { accessRoutes } from './routes/access.ts'
import { consoleRoutes } from './routes/console.ts'
import { eventRoutes } from './routes/events.ts'
import { fileRoutes } from './routes/files.ts'
import { historyRoutes } from './routes/history.ts'
import { leaseRoutes } from './routes/leases.ts'
import { logRoutes } from './routes/log.ts'
import { lookupRoutes } from './routes/lookup.ts'
import { mkdirRoutes } from './routes/mkdir.ts'
import { packRoutes } from './routes/packs.ts'
import { peerRoutes } from './routes/peers.ts'
import { renameRoutes } from './routes/rename.ts'
import { resumableRoutes } from './routes/resumable.ts'
import { restoreRoutes } from './routes/restore.ts'
import { shareRoutes } from './routes/share.ts'
import { uploadRoutes } from './routes/upload.ts'
import { volumeRoutes } from './routes/volumes.ts'
import { zipRoutes } from './routes/zip.ts'
import type { EdgeCache } from './store/cache/edge-cache.ts'
import { blameStore } from './store/blame.ts'
import { deadlineStore } from './store/deadline.ts'
import { Volumes } from './volumes.ts'

/** A pack of 64 MiB over 10 Mbit/s takes 54 s; what takes longer is not coming. */
const storeCallMsDefault = 60_000
/** With the follower's read itself, a commit made elsewhere is told within half a second. */
const pollMsDefault = 400
/** A socket and a few kilobytes each while they wait, a megabyte or so while they catch up. */
const listenersMaxDefault = 1000
/** Each holds a pack or two until all of it is stored: 8 × 192 MiB is the most that uploads can take. */
const uploadsAtOnce = 8
/** Of an upload in parts: what is received before it is kept, which costs three writes. */
const uploadStepBytes = 32 * 1024 * 1024
/** Each holds its pack, 64 MiB at most. Apart from the uploads, so that neither can keep the other waiting. */
const packsAtOnce = 8

/** 32 slices of 8 MiB; a client that asks and does not read holds its own for minutes. */
const sliceBytesMax = 256 * 1024 * 1024

export interface AppSettings {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  /** WebCrypto's unless given; Node's own is faster for what is small. */
  readonly hash?: HashFunction | undefined
  readonly log?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** How this platform's `Response` takes bytes best; as they are unless given. */
  readonly bytesBody?: BytesBody | undefined
  /** Digests of streams, as the platform has them. Without it a request that brings a digest is refused. */
  readonly startDigest?: StartDigest | undefined
  /** The longest that one call to the store may take. */
  readonly storeCallMs?: number | undefined
  /** Event streams and long polls at once; 1000 unless given. */
  readonly listenersMax?: number | undefined
  /** How often a followed log is read. */
  readonly pollMs?: number | undefined
  /** The largest request for the bytes of a file; 8 MiB unless given. A reader holds two of them. */
  readonly readBytesMax?: number | undefined
  /** True where memory is short: long bodies are held chunk by chunk. */
  readonly isStreaming?: boolean | undefined
  /** What all readers may hold together; the engine's default unless given. */
  readonly readBudget?: ReadBudget | undefined
  /** Blocks of packs, so that what was read lately costs no request to the store. */
  readonly cache?: EdgeCache | undefined
  /** The most that one pack of an upload has, and one step of an upload in parts, where memory is scarce. */
  readonly uploadPackBytesMax?: number | undefined
  /** True lets pages of every origin write. Without it a page somebody visits cannot change a volume on their machine. */
  readonly allowsForeignWrites?: boolean | undefined
  /** Nothing can be changed through it. */
  readonly isReadOnly?: boolean | undefined
  /** The keys of tokens. Unless given, everybody may everything. */
  readonly access?: AccessSettings | undefined
  /** The largest file that may be uploaded, in one request or in parts; any unless given. */
  readonly uploadBytesMax?: number | undefined
  /** What people see at `/`; the plain list of addresses unless given. */
  readonly console?: ConsoleFiles | undefined
}

export interface App {
  /** Never rejects. */
  fetch(request: Request, client?: Client): Promise<Response>
  /** What the router knows, for tests of the documents. */
  readonly routes: readonly { readonly method: string; readonly pattern: string; readonly needs: Right | undefined; readonly isForEveryToken: boolean }[]
  /** Ends event streams; requests under way go on. */
  dispose(): Promise<void>
}

export function createApp(settings: AppSettings): App {
  const lifetime = new Lifetime('the edge')
  const edge = edgeOf(settings, lifetime)
  const handling = new Handling(edge, settings)
  const { hono, routes } = (routing ??= createRouting())
  return {
    fetch: async (request, client = {}) => await hono.fetch(request, { handling, client }),
    routes,
    dispose: () => lifetime.dispose(),
  }
}

/** What the router gives to a handler: the app that the request is for, and who asks. */
interface Bindings {
  readonly handling: Handling
  readonly client: Client
}

interface Routing {
  readonly hono: Hono<{ Bindings: Bindings }>
  readonly routes: App['routes']
}

/** The same for all apps, and dear to make: on Workers each request has an app of its own. Knows no request and no store. */
let routing: Routing | undefined

function createRouting(): Routing {
  const documented = [
    ...fileRoutes, ...uploadRoutes, ...resumableRoutes, ...renameRoutes, ...mkdirRoutes, ...zipRoutes, ...lookupRoutes, ...packRoutes, ...logRoutes,
    ...eventRoutes, ...historyRoutes, ...restoreRoutes, ...shareRoutes, ...leaseRoutes, ...peerRoutes, ...volumeRoutes, ...accessRoutes, ...consoleRoutes,
  ]
  const routes = [...documented, ...aboutRoutes(documented)]
  const hono = new Hono<{ Bindings: Bindings }>({ getPath: (request) => readAddress(request.url).path })
  for (const route of routes) hono.on(route.method, routerPattern(route.template), ({ env, req }) => env.handling.request(route, req.raw, env.client))
  for (const [template, methods] of methodsByTemplate(routes)) {
    const headers = routes.find((route) => route.template === template)?.protocol?.options
    hono.all(routerPattern(template), (context) => refuseMethod(context.req.raw, methods, headers))
  }
  hono.notFound((context) => {
    const { path } = readAddress(context.req.url)
    return respondError(404, 'not-found', `Cannot find "${shownPath(path)}": ${snapshotHint(path.split('/')[2] ?? '') ?? 'there is no such address; / lists them'}`)
  })
  hono.onError((error, { env }) => env.handling.failure('router', error))
  return { hono, routes: routes.map(({ method, template, needs, isForEveryToken = false }) => ({ method, pattern: template, needs, isForEveryToken })) }
}

function edgeOf(settings: AppSettings, lifetime: Lifetime): Edge {
  const { clock, random, hash = webHash, log = silentLogger, metrics = new Metrics(), storeCallMs = storeCallMsDefault, pollMs = pollMsDefault, startDigest } = settings
  const { bytesBody = (bytes: Uint8Array) => bytes, isStreaming = false, readBytesMax, readBudget = new ReadBudget(), uploadBytesMax = Number.MAX_SAFE_INTEGER, uploadPackBytesMax: packBytesMax } = settings
  const { listenersMax = listenersMaxDefault } = settings
  const store = blameStore(deadlineStore(settings.store, { clock, callMs: storeCallMs }), { clock, log })
  const volumes = new Volumes({ store, clock, random, hash, log, pollMs, readBytesMax, readBudget, isStreaming, waitMs: storeCallMs, metrics, cache: settings.cache })
  void lifetime.defer(() => volumes.dispose())
  const accesses = new VolumeAccesses({ scope: (name) => volumes.scope(name), clock, memory: settings.access?.memory ?? new AccessMemory() })
  const uploads = new BodyPlaces('uploads', { clock, limit: uploadsAtOnce })
  const uploadMemory = { stepBytes: Math.min(packBytesMax ?? uploadStepBytes, uploadStepBytes), packBytesMax }
  const packs = new BodyPlaces('packs that are received', { clock, limit: packsAtOnce })
  return { clock, random, hash, log, metrics, volumes, accesses, keys: settings.access?.keys, bytesBody, isStreaming, storeCallMs, startDigest, uploadMemory, uploads, packs, slices: new ReadBudget(sliceBytesMax), uploadBytesMax, listenersMax, console: settings.console, closing: lifetime.signal }
}

/** What every request passes on its way to a handler and back. */
class Handling {
  readonly #edge: Edge
  readonly #allowsForeignWrites: boolean
  readonly #isReadOnly: boolean
  /** Undefined: everybody may everything. */
  readonly #guard: Guard | undefined
  readonly #requests: Counter
  readonly #seconds: Histogram

  constructor(edge: Edge, { allowsForeignWrites = false, isReadOnly = false, access }: AppSettings) {
    this.#edge = edge
    this.#guard = access === undefined ? undefined : createGuard(access, edge)
    this.#allowsForeignWrites = allowsForeignWrites
    this.#isReadOnly = isReadOnly
    this.#requests = edge.metrics.counter('edgemount_edge_requests_total', 'Requests by route, method and status')
    this.#seconds = edge.metrics.histogram('edgemount_edge_request_seconds', 'Seconds until the headers of an answer, by route')
  }

  async request(route: Route, request: Request, client: Client): Promise<Response> {
    const startMs = this.#edge.clock.now()
    const response = await this.#answer(route, request, client)
    for (const [name, value] of Object.entries(route.protocol?.answers ?? {})) response.headers.set(name, value)
    this.#requests.add(1, { route: route.template, method: request.method, status: String(response.status) })
    this.#seconds.observe((this.#edge.clock.now() - startMs) / 1000, { route: route.template })
    return response
  }

  failure(route: string, error: unknown, isStranger = false): Response {
    if (error instanceof BodyTooLarge) return respondError(413, error.code, error.message)
    const code = codeOf(error)
    // What this edge cannot is the client's to change: whoever asks for a fifo tells nobody anything.
    if (httpStatusOfCode[code] >= 500 && code !== 'closed' && code !== 'unsupported') this.#edge.log.error('a request failed', { route, error })
    return respondThrown(error, isStranger)
  }

  async #answer(route: Route, request: Request, client: Client): Promise<Response> {
    let grant: Grant | undefined
    let response: Response
    try {
      const address = readAddress(request.url)
      grant = this.#guard === undefined ? fullGrant : await this.#guard.admit({ route, request, address, client })
      response = await this.#handle(route, request, address, grant)
    } catch (error) {
      if (codeOf(error) === 'corrupt') this.#doubt(request)
      const isStranger = this.#guard !== undefined && grant?.isByToken !== true
      response = this.failure(route.template, error, isStranger)
      response = route.showError?.({ request, base: readAddress(request.url).base, response, message: shownMessage(error, isStranger), console: this.#edge.console }) ?? response
    }
    if (this.#guard !== undefined && route.needs !== undefined) restrictCaching(response.headers, grant, Math.floor(this.#edge.clock.now() / 1000))
    return response
  }

  #doubt({ url }: Request): void {
    const name = readAddress(url).path.split('/')[2] ?? ''
    if (isVolumeName(name)) this.#edge.volumes.doubt(name)
  }

  async #handle(route: Route, request: Request, { path, query, base }: Address, grant: Grant): Promise<Response> {
    // A page has no token but the one that somebody gave it.
    if (route.method !== 'GET' && !grant.isByToken && !this.#allowsForeignWrites) refuseForeign(request)
    if (route.method !== 'GET' && route.changesNothing !== true && this.#isReadOnly) throw new EdgemountError('denied', `Cannot ${request.method} "${path}": this edge only reads`)
    const parameters = parametersOf(route.template, path)
    const { signal } = request
    return await route.handle({ edge: this.#edge, request, isHead: request.method === 'HEAD', grant, base, path, query, parameters, signal })
  }
}

/** Browsers say which page a write comes from; programs say nothing. */
function refuseForeign(request: Request): void {
  const origin = request.headers.get('origin')
  if (origin === null) return
  const host = request.headers.get('host') ?? authorityOf(request.url)
  if (origin === `http://${host}` || origin === `https://${host}`) return
  throw new EdgemountError('denied', `Cannot let a page of "${origin}" write here: it is another origin`)
}

function methodsByTemplate(routes: readonly Route[]): Map<string, string[]> {
  const methods = new Map<string, string[]>()
  for (const { template, method } of routes) {
    const known = methods.get(template) ?? []
    known.push(...(method === 'GET' ? ['GET', 'HEAD'] : [method]))
    methods.set(template, known)
  }
  for (const known of methods.values()) known.push('OPTIONS')
  return methods
}

function refuseMethod(request: Request, methods: readonly string[], options?: HeaderMap): Response {
  if (request.method === 'OPTIONS') return respondPreflight(methods, request, options)
  const message = `Cannot ${request.method} "${shownPath(readAddress(request.url).path)}": the address takes ${methods.join(', ')}`
  return respondError(405, 'invalid', message, { allow: methods.join(', ') })
}
