/**
 * A hundred thousand requests of somebody who means harm, to an edge with secrets: none is a 5xx, none ends it, none tells anything from outside of what its token reaches, and
 * the volumes are sound afterwards. One volume has a publisher who means harm, too: of what he has damaged, and of nothing else, reads may be 502.
 */
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type App, createApp } from '../../edge/app.ts'
import { nodeDigest } from '../../edge/http/node-digest.ts'
import { nodeBytesBody, nodeHash, serveNode } from '../../edge/node.ts'
import { MemoryBlocks } from '../../edge/store/cache/memory-blocks.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import { encodeRecord } from '../../shared/format/commit.ts'
import type { Pointer, Root } from '../../shared/format/entry.ts'
import { isWithin } from '../../shared/path.ts'
import { randomBelow } from '../../shared/random.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { ReadBudget } from '../../shared/volume/read-budget.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { effort } from '../support/effort.ts'
import { hashOf } from '../support/hash-of.ts'
import { type HostileRequest, HostileRequests, type HostileWorld, hostileBytes } from '../support/hostile-requests.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { engineOf, linesOf, randomBytes } from '../support/test-volume.ts'
import { otherSecret, ringOf, testKeys, tokenFor } from './access/tokens.ts'
import { fileOperation } from './edge-under-test.ts'

const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
const directCount = 100_000 * effort
const socketCount = 6000 * effort
const atOnce = 100
const findingsMax = 20

/** Nobody's token but its owner's may tell it: as a name, in a body, or in the base64 of an entry. */
const canary = 'kqzcanaryzqk'
const needles = [canary, ...[0, 1, 2].map((pad) => Buffer.from(`${'x'.repeat(pad)}${canary}`).toString('base64').slice(4, 16))]
const prefix = '/a/b'

let app: App
let appCount = 0
let goodRoot: Root
let volumes: Readonly<Record<'demo' | 'other' | 'hostile', Volume>>
let store: MemoryStore
const random = new SeededRandom(seed)
const findings: string[] = []
const statuses: Record<number, number> = {}
const begun: string[] = []
const begunMax = 20

const inside: readonly (readonly [path: string, target: string | undefined])[] = [
  ['in.txt', undefined], ['sub/x.txt', undefined], ['rel-in', 'sub/x.txt'], ['out', '../secret.txt'], ['abs-out', '/top.txt'], ['up', '..'], ['chain', 'out'], ['gone', '/nowhere'], ['dir-out', '/a/bx'], ['loop', 'loop'],
].map(([name, target]) => [`${prefix}/${name}`, target] as const)

beforeAll(async () => {
  store = new MemoryStore()
  const make = (name: string, index: number): Promise<Volume> => Volume.create(engineOf(new ScopedStore(store, name), { seed: seed + index }), { name })
  const [demo, other, hostile] = await Promise.all([make('demo', 1), make('other', 2), make('hostile', 3)])
  volumes = { demo, other, hostile }
  const secret = Buffer.concat([Buffer.from(canary), randomBytes(5, 90_000), Buffer.from(canary)])
  const file = (volume: Volume, path: string, body: Uint8Array | string = canary): Promise<Operation> => fileOperation(volume, path, body)
  await volumes.demo.writer().commit(await Promise.all(['/a/secret.txt', '/a/bx/y.txt', '/top.txt', `/a/${canary}`, `/${canary}/z`].map((path) => file(volumes.demo, path))))
  await volumes.demo.writer().commit([await file(volumes.demo, '/a/big', secret), await file(volumes.demo, `/a/${canary}-swap/plain`, 'plain'), await file(volumes.demo, '/a/linked', 'linked')])
  await volumes.demo.writer().commit([...(await missing()), { op: 'link', path: '/a/linked', to: `${prefix}/hard` }])
  await volumes.other.writer().commit([await file(volumes.other, '/a/b/in.txt'), await file(volumes.other, `/a/b/${canary}`, secret)])
  await volumes.hostile.writer().commit([await file(volumes.hostile, '/a/b/in.txt', 'plain'), await file(volumes.hostile, '/a/b/big', randomBytes(6, 90_000))])
  goodRoot = (await volumes.hostile.head()).record.root
  app = newApp()
})

afterAll(() => app.dispose())

function newApp(): App {
  const cache = { blocks: new MemoryBlocks({ bytesMax: 8 * 1024 * 1024 }), fills: new ReadBudget(8 * 1024 * 1024) }
  const access = { keys: testKeys, tokenRate: 0, anonymousRate: 0 }
  return createApp({ store, clock: systemClock, random: new SeededRandom(seed + (appCount += 1) * 100), hash: nodeHash, bytesBody: nodeBytesBody, startDigest: nodeDigest, pollMs: 50, access, cache })
}

/** What the limited client has taken away of what is there for it. */
async function missing(): Promise<Operation[]> {
  const head = await volumes.demo.head()
  const operations: Operation[] = []
  for (const [path, target] of inside) {
    if (await head.resolve(path).then(() => true, () => false)) continue
    operations.push(target === undefined ? await fileOperation(volumes.demo, path, 'inside') : { op: 'symlink', path, target, parents: true })
  }
  return operations
}

async function worldOf(token: string, names: readonly string[]): Promise<HostileWorld> {
  const now = Math.floor(systemClock.now() / 1000)
  const tokens = await Promise.all([
    tokenFor({ prefix, rights: ['read'], expiry: now - 10 }), tokenFor({ volume: 'nowhere' }), tokenFor({ prefix, rights: ['list'] }), tokenFor({ prefix: `${prefix}/in.txt`, rights: ['read'], reach: { kind: 'file', seq: undefined } }),
    tokenFor({ prefix: '/' }, ringOf(`k2:${otherSecret}`)), tokenFor({ prefix: '/' }, ringOf(`k1:${otherSecret}`)), tokenFor({ volume: 'hostile', rights: ['read', 'publish'] }),
  ])
  const packs = (await store.list('', { limit: 1000 })).flatMap(({ key }) => /(?:data|meta)\/(.*)$/.exec(key)?.[1] ?? [])
  const { record } = await volumes.hostile.head()
  return {
    random,
    routes: app.routes,
    volumes: names,
    paths: ['/', '/a', '/a/b', '/a/b/in.txt', '/a/b/out', '/a/b/up/secret.txt', '/a/b/dir-out/y.txt', '/a/b/hard', '/a/secret.txt', '/a/big', '/top.txt', '/a/bx', '/a/b/chain', '/a/b/moved/plain', '/a/b/up/b/in.txt'],
    packs,
    uploads: await uploadIds(),
    begun,
    freeSeq: () => volumes.hostile.seenSeq + 1,
    tokens: ['', 'em1.', ...tokens],
    token,
    documents: [
      JSON.parse(Buffer.from(encodeRecord(record)).toString()) as object,
      { format: 1, publicRead: true, revoked: [{ id: '0123456789abcdef01234567', until: 4_102_444_800 }] },
      { action: 'acquire', holder: 'h', nonce: 'n', leaseMs: 5000 }, { action: 'renew', holder: 'h', epoch: 1, leaseMs: 5000 }, { action: 'fence', epoch: 1 },
      { urls: ['http://10.0.0.7:8788'], zone: 'z', cacheBytes: 5, version: '1' },
      { chunking: { kind: 'content', minBytes: 65_536, averageBytes: 262_144, maxBytes: 1_048_576 } }, { format: 1, ...volumes.hostile.config },
    ],
  }
}

/** Of uploads that are open outside of the prefix: an id alone opens nothing. */
async function uploadIds(): Promise<string[]> {
  const owner = await tokenFor()
  const ids: string[] = []
  for (const path of ['/a/kept', `/a/${canary}-upload`]) {
    const headers = { authorization: `Bearer ${owner}`, 'tus-resumable': '1.0.0', 'upload-length': '20', 'upload-metadata': `name ${Buffer.from(canary).toString('base64')}` }
    const { headers: answered } = await app.fetch(requestOf({ method: 'POST', target: `/v1/demo/uploads${path}`, headers, body: undefined })!)
    ids.push(/upload=(\w+)/.exec(answered.get('location') ?? '')![1]!)
  }
  return ids
}

/** As a server makes it from the bytes of a request line. Undefined for what the platform's `Request` cannot hold. */
function requestOf({ method, target, headers, body }: HostileRequest): Request | undefined {
  try {
    const request = new Request('http://edge.test/', { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) })
    return Object.defineProperty(request, 'url', { value: `http://edge.test${Buffer.from(target).toString('latin1')}` })
  } catch {
    return undefined
  }
}

function judge(asked: HostileRequest, status: number, told: string): void {
  statuses[status] = (statuses[status] ?? 0) + 1
  const isPublishersOwn = status === 502 && asked.target.includes('/hostile')
  const leak = needles.find((needle) => told.includes(needle))
  if ((status < 500 && leak === undefined && status > 0) || (isPublishersOwn && leak === undefined)) return
  if (findings.length < findingsMax) findings.push(`${leak === undefined ? '' : `LEAK ${leak} `}${status} ${asked.method} ${asked.target.slice(0, 300)} ${JSON.stringify(asked.headers).slice(0, 300)} ${Buffer.from(asked.body ?? []).toString().slice(0, 200)} → ${told.slice(-400)}`)
}

async function send(asked: HostileRequest): Promise<void> {
  const request = requestOf(asked)
  if (request === undefined) return
  const response = await app.fetch(request, { address: '192.0.2.1' })
  const location = response.headers.get('location')
  if (response.status === 201 && location?.startsWith(`/v1/demo/uploads${prefix}`) === true) begun[Math.min(begun.length, randomBelow(random, begunMax))] = location
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\n`).join('')
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) await response.body?.cancel()
  const body = response.bodyUsed || response.headers.get('content-type')?.startsWith('text/event-stream') === true ? '' : await response.arrayBuffer().then((bytes) => Buffer.from(bytes).toString('latin1'), (error: unknown) => `broken off: ${String(error)}`)
  judge(asked, body.startsWith('broken off') && !asked.target.includes('/hostile') ? 599 : response.status, headers + body)
}

/** Renames and changes beside the requests, into the prefix and out of it. */
async function disturb(round: number): Promise<void> {
  const writer = volumes.demo.writer()
  const [from, to] = round % 2 === 0 ? [`/a/${canary}-swap`, `${prefix}/moved`] : [`${prefix}/moved`, `/a/${canary}-swap`]
  await writer.commit([{ op: 'rename', path: from, to }]).catch(() => undefined)
  await volumes.demo.writer().commit(await missing()).catch(() => undefined)
}

/** A record that follows the head, and whose root is not what it should be: what a publisher can do to his own volume. */
async function publish(token: string, isSubtle = false): Promise<void> {
  const { hostile, other } = volumes
  const { record } = await hostile.head()
  const { root } = record
  const foreign = (await other.head()).record.root
  const pack = `m01${Array.from({ length: 24 }, () => 'ABCDEFGHJKMNPQRSTVWXYZ'[randomBelow(random, 22)]).join('')}`
  const page = await other.loadPage(pointerOf(foreign)!)
  const garbage = randomBytes(randomBelow(random, 1000), 500)
  const own = pointerOf(root)
  const bodies = [page, garbage]
  const body = isSubtle ? page : bodies[randomBelow(random, 2)]!
  const authorization = `Bearer ${token}`
  await send({ method: 'POST', target: `/v1/hostile/packs?pack=${pack}`, headers: { authorization }, body })
  const pointers: (Pointer | undefined)[] = [
    pointerOf(goodRoot), pointerOf(foreign), own && { ...own, hash: hashOf(garbage) }, own && { ...own, offset: own.offset + 1 }, own && { ...own, length: 2 ** 31 },
    { pack: pack as Pointer['pack'], offset: 0, length: body.length, hash: hashOf(body) }, { pack: pack as Pointer['pack'], offset: 0, length: body.length + 5, hash: hashOf(body) }, undefined,
  ]
  // Half of the time it is whole again, so that there is something to damage.
  const pointer = pointers[isSubtle ? 5 : Math.max(0, randomBelow(random, pointers.length * 2) - pointers.length)]
  const operations = [[], [{ op: 'create', path: '/a/b/ghost' }], [{ op: 'rename', path: '/a', to: '/a/b' }], [{ op: 'subtree', path: '/' }]][randomBelow(random, 4)]!
  const next = { ...record, seq: record.seq + 1, parent: hashOf(encodeRecord(record)), root: withPointer(root, pointer), nonce: `n${randomBelow(random, 2 ** 32)}`, operations }
  try {
    await send({ method: 'POST', target: `/v1/hostile/log/${next.seq}`, headers: { authorization, 'content-type': 'application/json' }, body: encodeRecord(next as typeof record) })
  } catch {
    // What cannot even be written down.
  }
}

function pointerOf({ directory: { content } }: Root): Pointer | undefined {
  return content.kind === 'tree' ? content.root.pointer : undefined
}

function withPointer(root: Root, pointer: Pointer | undefined): Root {
  const { directory } = root
  return directory.content.kind === 'tree' ? { ...root, directory: { ...directory, content: { kind: 'tree', root: { ...directory.content.root, pointer } } } } : root
}

async function outsideOf(volume: Volume): Promise<string[]> {
  return (await linesOf(await volume.head())).filter((line) => !isWithin(line.split(' ')[0]!, prefix) && !line.includes('-swap'))
}

async function errorsOf(volume: Volume): Promise<string[]> {
  const errors: string[] = []
  for await (const { severity, path, what, why } of volume.check({ readsBodies: true })) if (severity === 'error') errors.push(`${path}: ${what}: ${why}`)
  return errors
}

it(`${directCount} hostile requests (EDGEMOUNT_SEED=${seed})`, async () => {
  const limited = await tokenFor({ prefix, rights: ['read', 'list', 'write'] })
  const publisher = await tokenFor({ volume: 'hostile' })
  const worlds = [
    new HostileRequests(await worldOf(limited, ['demo', 'demo', 'demo', 'other', 'hostile', 'nowhere'])),
    new HostileRequests(await worldOf(limited, ['demo'])),
    new HostileRequests(await worldOf(limited, ['demo'])),
    new HostileRequests(await worldOf(publisher, ['hostile', 'hostile', 'hostile', 'demo', 'other'])),
    new HostileRequests(await worldOf(publisher, ['hostile'])),
    new HostileRequests(await worldOf('em1.AAAA', ['demo', 'other', 'hostile'])),
  ]
  const before = [await outsideOf(volumes.demo), await linesOf(await volumes.other.head())]
  for (let sent = 0, round = 0; sent < directCount && findings.length < findingsMax; sent += atOnce, round += 1) {
    const batch = Array.from({ length: atOnce }, (_, index) => send(worlds[index % worlds.length]!.next()))
    if (round % 10 === 0) batch.push(disturb(round / 10), publish(publisher))
    await Promise.all(batch)
  }
  expect(findings).toEqual([])
  expect([await outsideOf(volumes.demo), await linesOf(await volumes.other.head())]).toEqual(before)
  expect([await errorsOf(volumes.demo), await errorsOf(volumes.other)]).toEqual([[], []])
  // They did come far.
  for (const status of [200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 412, 416]) expect(statuses[status] ?? 0, `${status} of ${JSON.stringify(statuses)}`).toBeGreaterThan(0)
}, 300_000)

it(`${socketCount} connections with bytes that are no requests, or several`, async () => {
  const limited = await tokenFor({ prefix, rights: ['read', 'list', 'write'] })
  const requests = new HostileRequests(await worldOf(limited, ['demo', 'other']))
  const server = await serveNode({ app: newApp(), port: 0, closeMs: 500 })
  try {
    for (let sent = 0; sent < socketCount && findings.length < findingsMax; sent += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, async () => {
        const asked = requests.next()
        const told = await tell(server.port, hostileBytes(asked, random))
        const answered = [...told.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
        judge(asked, Math.max(400, ...answered), told)
      }))
    }
    expect(findings).toEqual([])
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  } finally {
    await server.close()
  }
}, 120_000)

/** Everything that comes back; the sender's half is closed at once. */
function tell(port: number, bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const received: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.end(bytes))
    const done = (): void => resolve(Buffer.concat(received).toString('latin1'))
    socket.on('data', (data) => received.push(data)).on('error', done).on('close', done)
    socket.setTimeout(5000, () => {
      received.unshift(Buffer.from('HTTP/1.1 599 nothing came for five seconds\r\n'))
      socket.destroy()
    })
  })
}

it.each<[string, string, string, string | undefined, number]>([
  ['an access.json of a later format', 'PUT', '/v1/hostile/access', '{"format":99}', 415],
  ['a record of a later format', 'POST', '/v1/hostile/log/2', '{"format":99}', 415],
  ['a volume.json of a later format', 'PUT', '/v1/hostile', '{"format":99,"id":"x"}', 415],
  ['a query with bytes that should have been encoded, in a redirect', 'GET', '/v1/hostile/files/a?x=\u0661', undefined, 302],
])('found once: %s', async (_, method, target, body, status) => {
  const headers = { authorization: `Bearer ${await tokenFor({ volume: 'hostile' })}`, 'if-match': '*', accept: 'text/html' }
  const response = await app.fetch(requestOf({ method, target, headers: method === 'GET' ? { authorization: headers.authorization, accept: headers.accept } : headers, body: body === undefined ? undefined : Buffer.from(body) })!)
  expect([response.status, response.headers.get('location')]).toEqual([status, status === 302 ? './a/?x=%d9%a1' : null])
})

it('says what a publisher has damaged, and nothing else is', async () => {
  const token = await tokenFor({ volume: 'hostile' })
  // Its root is a page that is whole; what that names lies in packs of another volume.
  await publish(token, true)
  expect(await errorsOf(volumes.hostile)).not.toEqual([])
  const { status } = await app.fetch(requestOf({ method: 'GET', target: '/v1/hostile/list/a', headers: { authorization: `Bearer ${token}` }, body: undefined })!)
  expect(status).toBe(502)
  expect([await errorsOf(volumes.demo), await errorsOf(volumes.other)]).toEqual([[], []])
})
