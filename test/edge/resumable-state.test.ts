/** Uploads in parts against a tiny model: parts that are cut anywhere, at either of two edges over one store, with and without faults of the store; and their end by time. */
import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type App, type AppSettings, createApp } from '../../edge/app.ts'
import { nodeDigest } from '../../edge/http/node-digest.ts'
import { nodeHash } from '../../edge/node.ts'
import { openUploadsMax, uploadExpiresMs } from '../../edge/upload/pending-uploads.ts'
import { type FaultPlan, faultStore, seededFaults } from '../../edge/store/fault.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { retryStore } from '../../edge/store/retry.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { type Clock, systemClock } from '../../shared/clock.ts'
import { randomBelow } from '../../shared/random.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { uploadId } from '../../shared/volume/keys.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { testKeys, tokenFor } from './access/tokens.ts'

interface Bed {
  readonly volume: Volume
  /** Of all volumes. */
  readonly plain: ObjectStore
  /** Of the volume. */
  readonly store: ObjectStore
  readonly apps: readonly App[]
}

interface BedSettings {
  readonly clock?: Clock
  readonly wrap?: (store: ObjectStore) => ObjectStore
  readonly more?: Partial<AppSettings>
}

async function makeBed({ clock = systemClock, wrap = (same) => same, more = {} }: BedSettings = {}): Promise<Bed> {
  const plain = new MemoryStore()
  const chunking = { kind: 'content', minBytes: 4096, averageBytes: 16_384, maxBytes: 65_536 } as const
  const store = new ScopedStore(plain, 'demo')
  const volume = await Volume.create({ store, clock, random: new SeededRandom(1), hash: nodeHash }, { name: 'demo', chunking })
  const shared = { clock, hash: nodeHash, startDigest: nodeDigest, uploadPackBytesMax: 100_000, ...more }
  const settingsOf = (seed: number): AppSettings => ({ ...shared, random: new SeededRandom(seed), store: wrap(plain) })
  const apps = [createApp(settingsOf(2)), createApp(settingsOf(3))]
  onTestFinished(async () => {
    for (const app of apps) await app.dispose()
    await volume.close()
  })
  return { volume, plain, store, apps }
}

type Init = RequestInit & { duplex: 'half' }

/** Pieces of random sizes; an error instead of the end when it is cut. */
function bodyOf(bytes: Uint8Array, random: SeededRandom, isCut: boolean): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull: (controller) => {
      const end = Math.min(bytes.length, at + 1 + randomBelow(random, 40_000))
      if (at < end) controller.enqueue(bytes.slice(at, end))
      else if (isCut) controller.error(new Error('the connection broke'))
      else controller.close()
      at = end
    },
  })
}

const tus = { 'tus-resumable': '1.0.0' }
const ask = (app: App, method: string, address: string, headers: Record<string, string>, body?: ReadableStream<Uint8Array>): Promise<Response> => {
  const init: Init = { method, headers: { ...tus, ...headers }, duplex: 'half', ...(body === undefined ? {} : { body }) }
  return app.fetch(new Request(`http://edge.test${address}`, init))
}
const partHeaders = (offset: number): Record<string, string> => ({ 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) })
const checksumOf = (bytes: Uint8Array): string => `sha256 ${createHash('sha256').update(bytes).digest('base64')}`
const begin = async (app: App, path: string, length: number, headers: Record<string, string> = {}): Promise<Response> =>
  await ask(app, 'POST', `/v1/demo/uploads${path}`, { 'upload-length': String(length), ...headers })

describe('cut anywhere', () => {
  it.each([1, 2, 3, 4])('what arrived is kept, at whichever edge it goes on (seed %i)', async (seed) => {
    const random = new SeededRandom(seed)
    const { volume, apps } = await makeBed()
    const app = (): App => apps[randomBelow(random, 2)]!
    for (let round = 0; round < 6; round += 1) {
      const body = random.bytes(randomBelow(random, 600_000))
      if (round % 2 === 0) body.fill(0, body.length >>> 2, body.length >>> 1)
      const path = `/file-${round}`
      const address = (await begin(app(), path, body.length)).headers.get('location') ?? ''
      const hint = (offset: number): string => `seed ${seed} round ${round}: at ${offset} of ${body.length}`
      for (let offset = 0; offset < body.length; ) {
        const length = Math.min(body.length - offset, 1 + randomBelow(random, 250_000))
        const isCut = randomBelow(random, 2) === 0
        const isChecked = randomBelow(random, 3) === 0
        const part = body.subarray(offset, offset + (isCut ? randomBelow(random, length) : length))
        const headers = { ...partHeaders(offset), ...(isChecked ? { 'upload-checksum': checksumOf(body.subarray(offset, offset + length)) } : {}) }
        const response = await ask(app(), 'PATCH', address, headers, bodyOf(part, random, isCut))
        expect(response.ok, hint(offset)).toBe(!isCut)
        if (!isCut || !isChecked) offset += part.length
        const told = (await ask(app(), 'HEAD', address, {})).headers.get('upload-offset')
        expect(told, hint(offset)).toBe(String(offset))
        if (offset < body.length) expect((await ask(app(), 'HEAD', `/v1/demo/files${path}`, {})).status, hint(offset)).toBe(404)
      }
      const whole = await volume.writer().write([body])
      const { content } = await (await volume.head()).resolve(path)
      expect(content.kind === 'manifest' ? content.root.contentId : content, hint(body.length)).toEqual(whole.content.kind === 'manifest' ? whole.content.root.contentId : whole.content)
    }
    expect((await volume.head()).seq).toBe(7)
  })
})

describe('a store that fails in one of ten calls', () => {
  it.each([1, 2, 3])('nothing but whole files is visible, each made once (seed %i)', async (seed) => {
    const random = new SeededRandom(seed)
    const chances = seededFaults(random, { error: 0.04, lost: 0.04, cut: 0.01, flip: 0.01 })
    const plan: FaultPlan = (call) => {
      const fault = chances(call)
      // A flipped bit of a record or of the configuration is another document's matter.
      return fault?.kind === 'flip' && !/\/(uploads|data|meta)\//.test(call.key) ? undefined : fault
    }
    const retry = { clock: systemClock, random, tryCountMax: 3, firstPauseMs: 1, pauseMsMax: 4 }
    const { volume, apps, store } = await makeBed({ wrap: (inner) => retryStore(faultStore(inner, { clock: systemClock, plan }), retry) })
    const app = (): App => apps[randomBelow(random, 2)]!
    const upload = async (path: string, body: Uint8Array): Promise<void> => {
      let address: string | null = null
      for (let count = 0; address === null; count += 1) {
        expect(count).toBeLessThan(50)
        address = (await begin(app(), path, body.length, { 'if-none-match': '*' })).headers.get('location')
      }
      for (let count = 0; ; count += 1) {
        expect(count).toBeLessThan(200)
        const asked = await ask(app(), 'HEAD', address, {})
        if (!asked.ok) continue
        const offset = Number(asked.headers.get('upload-offset'))
        const served = (await volume.head()).resolve(path).then(({ size }) => size, () => undefined)
        expect([undefined, body.length], `seed ${seed}`).toContain(await served)
        if (offset === body.length) return
        await ask(app(), 'PATCH', address, partHeaders(offset), bodyOf(body.subarray(offset, offset + 1 + randomBelow(random, 90_000)), random, randomBelow(random, 5) === 0))
      }
    }
    const bodies = Array.from({ length: 8 }, () => random.bytes(randomBelow(random, 200_000)))
    await Promise.all(bodies.map((body, index) => upload(`/file-${index}`, body)))
    const head = await volume.head()
    expect(head.seq).toBe(9)
    for (const [index, body] of bodies.entries()) {
      const { entry } = await head.follow(`/file-${index}`)
      const pieces: Uint8Array[] = []
      for await (const piece of head.read(entry, { start: 0, end: entry.size }, { label: 'x' })) pieces.push(piece.slice())
      expect(Buffer.compare(Buffer.concat(pieces), body), `seed ${seed} file ${index}`).toBe(0)
    }
    const findings = []
    for await (const finding of volume.check({ readsBodies: true })) findings.push(finding)
    expect(findings).toEqual([])
    expect((await store.list('uploads/')).length).toBeGreaterThanOrEqual(8)
  }, 30_000)

  it('a part whose keeping did not answer is one that was kept', async () => {
    let count = 0
    const { apps } = await makeBed({
      wrap: (inner) => faultStore(inner, { clock: systemClock, plan: ({ operation }) => (operation !== 'replace' ? undefined : (count += 1) % 2 === 1 ? { kind: 'lost' } : { kind: 'error' }) }),
    })
    const address = (await begin(apps[0]!, '/x', 500_000)).headers.get('location') ?? ''
    const sent = await ask(apps[0]!, 'PATCH', address, partHeaders(0), bodyOf(new Uint8Array(300_000).fill(1), new SeededRandom(1), false))
    expect([sent.status, sent.headers.get('upload-offset')]).toEqual([204, '300000'])
    expect(count).toBeGreaterThan(3)
  })

  it('a commit whose answer was lost, and whose edge died, is not made again', async () => {
    let isDead = false
    const { volume, apps, plain, store } = await makeBed({
      // Nothing comes through any more once the record is there.
      wrap: (inner) => faultStore(inner, { clock: systemClock, plan: ({ operation, key }) => (isDead || (operation === 'create' && key.includes('/done/')) ? ((isDead = true), { kind: 'error' }) : undefined) }),
    })
    const address = (await begin(apps[0]!, '/x', 5)).headers.get('location') ?? ''
    const body = new TextEncoder().encode('hello')
    await ask(apps[0]!, 'PATCH', address, partHeaders(0), bodyOf(body, new SeededRandom(1), false))
    expect((await volume.head()).seq).toBe(2)
    isDead = false
    await volume.writer().commit([{ op: 'unlink', path: '/x' }])
    const after = createApp({ store: plain, clock: systemClock, random: new SeededRandom(9), hash: nodeHash })
    onTestFinished(() => after.dispose())
    expect((await ask(after, 'HEAD', address, {})).headers.get('upload-offset')).toBe('0')
    const again = await ask(after, 'PATCH', address, partHeaders(0), bodyOf(body, new SeededRandom(1), false))
    expect([again.status, again.headers.get('upload-offset'), again.headers.get('edgemount-seq')]).toEqual([204, '5', '2'])
    expect((await volume.head()).seq).toBe(3)
    expect((await store.list('uploads/')).map(({ key }) => key.split('/')[1])).toEqual(['done'])
  })
})

describe('time', () => {
  it('after a week an upload is over; fsck names it, and those that begin later remove it', async () => {
    const clock = new ManualClock()
    const { volume, apps, store } = await makeBed({ clock })
    const app = apps[0]!
    const open = (await begin(app, '/open', 10)).headers.get('location') ?? ''
    const done = (await begin(app, '/done', 0)).headers.get('location') ?? ''
    const findings = async (): Promise<string[]> => {
      const found = []
      for await (const { severity, path, why } of volume.check()) found.push(`${severity} ${path.slice(0, 13)} ${why}`)
      return found
    }
    expect(await findings()).toEqual([])
    await clock.advance(uploadExpiresMs + 1)
    for (const address of [open, done]) expect((await ask(app, 'HEAD', address, {})).status).toBe(410)
    expect(await findings()).toEqual([expect.stringMatching(/^warning uploads\/open\/ it expired at /), expect.stringMatching(/^warning uploads\/done\/ it expired at /)])
    expect((await begin(app, '/next', 10)).status).toBe(201)
    expect(await findings()).toEqual([])
    expect(await store.list('uploads/')).toHaveLength(1)
  })

  it('so many are open in a volume, and no more', async () => {
    const { apps, store } = await makeBed()
    const random = new SeededRandom(5)
    for (let count = 0; count < openUploadsMax; count += 1) await store.create(`uploads/open/${uploadId(Date.now() + 60_000, random.bytes(16))}`, new Uint8Array(1))
    const response = await begin(apps[0]!, '/x', 1)
    expect([response.status, await response.text()]).toEqual([429, expect.stringContaining(`${openUploadsMax} are open`)])
  })

  it('damage to what is kept is told, never used', async () => {
    const { apps, store } = await makeBed()
    const address = (await begin(apps[0]!, '/x', 10)).headers.get('location') ?? ''
    const [{ key } = { key: '' }] = await store.list('uploads/open/')
    const found = await store.get(key)
    const bytes = (await found!.bytes()).slice()
    bytes[bytes.length - 5]! ^= 1
    await store.put(key, bytes)
    const response = await ask(apps[0]!, 'GET', address, {})
    expect([response.status, await response.text()]).toEqual([502, expect.stringContaining('delete it and upload again')])
  })
})

describe('who may', () => {
  const body = (text: string): ReadableStream<Uint8Array> => bodyOf(new TextEncoder().encode(text), new SeededRandom(1), false)
  const bearer = async (prefix: string): Promise<Record<string, string>> => ({ authorization: `Bearer ${await tokenFor({ prefix, rights: ['write'] })}` })

  it('goes on with an upload is who may write its path; knowing its id is not enough', async () => {
    const { apps, volume } = await makeBed({ more: { access: { keys: testKeys } } })
    const app = apps[0]!
    const mine = await bearer('/mine')
    const theirs = await bearer('/theirs')
    const address = (await begin(app, '/mine/x', 4, mine)).headers.get('location') ?? ''
    expect((await begin(app, '/mine/x', 4, theirs)).status).toBe(403)
    for (const method of ['HEAD', 'PATCH', 'DELETE']) {
      expect((await ask(app, method, address, { ...theirs, ...partHeaders(0) })).status).toBe(403)
      expect((await ask(app, method, address, partHeaders(0))).status).toBe(401)
      expect((await ask(app, method, address.replace('/mine/', '/theirs/'), { ...theirs, ...partHeaders(0) })).status).toBe(404)
    }
    // A symlink that is made meanwhile does not lead out.
    await volume.writer().commit([{ op: 'symlink', path: '/mine/x', target: '/theirs/file', parents: true }, { op: 'create', path: '/theirs/file', parents: true }])
    expect((await ask(app, 'PATCH', address, { ...mine, ...partHeaders(0) }, body('mine'))).status).toBe(403)
    expect((await (await volume.head()).resolve('/theirs/file')).size).toBe(0)
    await volume.writer().commit([{ op: 'unlink', path: '/mine/x' }])
    expect((await ask(app, 'PATCH', address, { ...mine, ...partHeaders(0) }, body('mine'))).status).toBe(204)
  })

  it('has a token in the address finds it in the Location', async () => {
    const { apps } = await makeBed({ more: { access: { keys: testKeys } } })
    const token = await tokenFor({ prefix: '/mine', rights: ['write'] })
    const begun = await ask(apps[0]!, 'POST', `/t/${token}/v1/demo/uploads/mine/x`, { 'upload-length': '4' })
    const address = begun.headers.get('location') ?? ''
    expect(address).toMatch(new RegExp(`^/t/${RegExp.escape(token)}/v1/demo/uploads/mine/x\\?upload=`))
    expect((await ask(apps[1]!, 'PATCH', address, partHeaders(0), body('mine'))).status).toBe(204)
  })

  it('uploads too much is refused before', async () => {
    const { apps } = await makeBed({ more: { uploadBytesMax: 1000 } })
    expect([(await begin(apps[0]!, '/x', 1001)).status, (await begin(apps[0]!, '/x', 1000)).status]).toEqual([413, 201])
  })
})
