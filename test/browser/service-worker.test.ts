/** `edgemount/service-worker` in Chromium: readers that know nothing of it get verified bytes below a path of their own origin, with and without the edge. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as Registration from '../../edge/browser/service-worker/registration.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { testKeys, tokenFor } from '../edge/access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge/edge-under-test.ts'
import { type ChromiumBed, type Visit, startChromium } from '../support/chromium.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { shellWorker, workerFiles } from '../support/service-worker-page.ts'
import { startSlowProxy } from '../support/slow-proxy.ts'

/** In the page. */
declare const edgemount: typeof Registration

const MiB = 1024 * 1024
const big = new SeededRandom(31).bytes(8 * MiB)

let edge: EdgeUnderTest
let bed: ChromiumBed
let url: string

beforeAll(async () => {
  edge = await startEdge()
  url = `${edge.url}/v1/${volumeName}`
  await edge.commit(await fileOperation(edge.volume, '/data/big.bin', big), await fileOperation(edge.volume, '/data/small ä.txt', 'hello, world'), await fileOperation(edge.volume, '/data/page.html', '<script>parent.hacked = true</script>'))
  bed = await startChromium(await workerFiles())
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
})

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: readonly number[]
}

async function reload({ page }: Pick<Visit, 'page'>): Promise<void> {
  await page.reload()
  await page.waitForFunction(() => 'isReady' in globalThis)
}

/** As the browser itself does now and then. */
async function stopWorkers({ context, page }: Pick<Visit, 'page' | 'context'>): Promise<void> {
  const session = await context.newCDPSession(page)
  await session.send('ServiceWorker.enable')
  await session.send('ServiceWorker.stopAllWorkers')
  await session.detach()
}

/** What a page's `fetch` gets. */
async function get({ page }: Pick<Visit, 'page'>, path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Answered> {
  return await page.evaluate(
    async ({ path, headers, method }) => {
      const answer = await fetch(path, { headers, method })
      return { status: answer.status, headers: Object.fromEntries(answer.headers), bytes: [...new Uint8Array(await answer.arrayBuffer())] }
    },
    { path, headers, method },
  )
}

async function register({ page }: Pick<Visit, 'page'>, more: Partial<Registration.RegisterOptions> = {}): Promise<void> {
  await page.evaluate(async (options) => {
    await edgemount.registerVolume(options)
  }, { prefix: '/files/', url, script: shellWorker, ...more })
}

function text({ bytes }: Answered): string {
  return new TextDecoder().decode(Uint8Array.from(bytes))
}

describe('answers', () => {
  test('ranges, conditions and names as the edge has them', async () => {
    const visit = await bed.visit()
    await register(visit)
    const path = '/files/data/big.bin'
    const one = await get(visit, path, { range: 'bytes=3000000-3000099' })
    expect(one).toMatchObject({ status: 206, headers: { 'content-range': `bytes 3000000-3000099/${big.length}`, 'content-length': '100', 'accept-ranges': 'bytes' } })
    expect(one.bytes).toEqual([...big.subarray(3_000_000, 3_000_100)])
    expect((await get(visit, path, { range: 'bytes=-3' })).bytes).toEqual([...big.subarray(-3)])
    expect((await get(visit, path, { range: `bytes=${big.length - 5}-` })).bytes).toEqual([...big.subarray(-5)])
    expect(await get(visit, path, { range: `bytes=${big.length}-` })).toMatchObject({ status: 416, headers: { 'content-range': `bytes */${big.length}` } })
    const several = await get(visit, path, { range: 'bytes=0-9,5000-5009' })
    expect(several.headers['content-type']).toMatch(/^multipart\/byteranges; boundary=/)
    expect(Number(several.headers['content-length'])).toBe(several.bytes.length)
    const { etag = '' } = one.headers
    expect(etag).toBe((await edge.fetch(`/v1/${volumeName}/files/data/big.bin`, { method: 'HEAD' })).headers.get('etag'))
    expect(await get(visit, path, { 'if-none-match': etag })).toMatchObject({ status: 304 })
    expect(await get(visit, path, { range: 'bytes=0-9', 'if-range': '"other"' }, 'HEAD')).toMatchObject({ status: 200, headers: { 'content-length': String(big.length) } })
    expect(await get(visit, path, { range: 'bytes=0-' }, 'HEAD')).toMatchObject({ status: 206 })
    const small = await get(visit, '/files/data/small%20%C3%A4.txt?download')
    expect(text(small)).toBe('hello, world')
    expect(small.headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', 'content-disposition': `attachment; filename="small _.txt"; filename*=UTF-8''small%20%C3%A4.txt` })
    const listing = JSON.parse(text(await get(visit, '/files/data/'))) as { readonly items: readonly { readonly name: string }[] }
    expect(listing.items.map(({ name }) => name)).toEqual(['big.bin', 'page.html', 'small ä.txt'])
    // A page of the volume is not one of the app.
    expect((await get(visit, '/files/data/page.html')).headers['content-security-policy']).toBe('sandbox')
    expect(text(await get(visit, '/files/data/none'))).toContain('it does not exist')
    // A page of a later version may ask for what this worker does not know: that ends nothing.
    const answer = await visit.page.evaluate(
      async () =>
        await new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel()
          port1.addEventListener('message', ({ data }: MessageEvent<{ readonly kind: string }>) => data.kind !== 'alive' && resolve(data))
          port1.start()
          navigator.serviceWorker.controller!.postMessage({ for: 'edgemount', kind: 'defragment', prefix: '/files/' }, [port2])
        }),
    )
    expect(answer).toEqual({ kind: 'failed', code: 'unsupported', message: 'Cannot do what was asked: this service worker does not know it; reload the page, and host the worker of the same version' })
    expect((await get(visit, path, { range: 'bytes=0-9' })).status).toBe(206)
    expect(visit.problems.filter((problem) => !/status of 4(?:16|04)/.test(problem))).toEqual([])
  })
})

describe('without the edge', () => {
  test('a folder that is pinned is whole after a reload and a new start of the worker: listings and bytes', async () => {
    const own = await startEdge()
    const fileCount = 80
    const writer = own.volume.writer()
    const random = new SeededRandom(32)
    const truth = new Map<string, Uint8Array>()
    const operations: Operation[] = []
    for (let index = 0; index < fileCount; index += 1) {
      const path = `/album/${index % 10}/file ${index}.bin`
      const bytes = random.bytes(index % 7 === 0 ? 3000 : 100_000 + index * 300)
      truth.set(path, bytes)
      operations.push({ op: 'create', path, parents: true, ...(await writer.write([bytes])) })
    }
    await writer.flush()
    await own.commit(...operations)
    const total = [...truth.values()].reduce((sum, { length }) => sum + length, 0)
    const visit = await bed.visit()
    await register(visit, { url: `${own.url}/v1/${volumeName}`, cacheBytes: MiB })
    const pinned = await visit.page.evaluate(async (url) => {
      const volume = await edgemount.registerVolume({ prefix: '/files/', url, script: '/app-worker.js', cacheBytes: 1024 * 1024 })
      const told: number[] = []
      const done = await volume.pin('/album', { onProgress: ({ bytes }) => told.push(bytes) })
      return { done, told, pins: await volume.pins() }
    }, `${own.url}/v1/${volumeName}`)
    expect(pinned.done).toEqual({ files: fileCount, totalFiles: fileCount, bytes: total, totalBytes: total })
    expect(pinned.told).toEqual(pinned.told.toSorted((a, b) => a - b))
    expect(pinned.told.length).toBeGreaterThanOrEqual(fileCount)
    expect(pinned.pins).toMatchObject([{ path: '/album', seq: 2, isComplete: true, files: fileCount }])
    // What is read beside it has to fit into the rest, and takes nothing of it.
    await own.commit(await fileOperation(own.volume, '/other.bin', big), await fileOperation(own.volume, '/never.bin', big.subarray(100)))
    // What is shown is at most a second old.
    await expect.poll(async () => await visit.page.evaluate(async () => (await (await fetch('/files/other.bin')).arrayBuffer()).byteLength)).toBe(big.length)

    await own.close()
    await visit.context.setOffline(true)
    await stopWorkers(visit)
    await reload(visit)
    const wrong = await visit.page.evaluate(async (files) => {
      const wrong: string[] = []
      for (const [path, hash] of files) {
        const answer = await fetch(`/files${path.split('/').map(encodeURIComponent).join('/')}`)
        const found = new Uint8Array(await crypto.subtle.digest('SHA-256', await answer.arrayBuffer()))
        if (answer.status !== 200 || found.toHex() !== hash) wrong.push(`${path}: ${answer.status}`)
      }
      return wrong
    }, [...truth].map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')] as const))
    expect(wrong).toEqual([])
    const listing = JSON.parse(text(await get(visit, '/files/album/3'))) as { readonly items: readonly unknown[] }
    expect(listing.items).toHaveLength(fileCount / 10)
    const absent = await get(visit, '/files/never.bin', { range: 'bytes=7000000-7000009' })
    expect(absent.status).toBe(503)
    expect(text(absent)).toMatch(/Cannot send \\"\/never.bin\\" without the edge: not all of it is kept on this device; connect, or pin it while the edge is there/)
  })
})

describe('who may', () => {
  const startMs = systemClock.now()
  /** More than is fetched ahead. */
  const long = new Uint8Array(5 * big.length).map((_, index) => big[index % big.length]! ^ Math.floor(index / big.length))
  let aheadMs = 0
  let closed: EdgeUnderTest
  beforeAll(async () => {
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs }
    closed = await startEdge({ clock, access: { keys: testKeys, tokenRate: 0, anonymousRate: 0 } })
    await closed.commit(await fileOperation(closed.volume, '/data/big.bin', big), await fileOperation(closed.volume, '/data/long.bin', long), await fileOperation(closed.volume, '/data/sub/small.txt', 'hello, world'), await fileOperation(closed.volume, '/secret.txt', 'secret'))
  })
  afterAll(async () => await closed?.close())

  test.each(['beside the address', 'in the address'])('a token that is not kept, given %s, is asked for from the page, also for a worker that was started anew; without one nothing is served', async (place) => {
    const token = await tokenFor({ rights: ['read', 'list'] })
    const visit = await bed.visit()
    const settings = { url: `${closed.url}/v1/${volumeName}`, token, keepToken: false }
    await register(visit, place === 'in the address' ? { ...settings, url: `${closed.url}/t/${token}/v1/${volumeName}`, token: undefined } : settings)
    expect(text(await get(visit, '/files/data/sub/small.txt'))).toBe('hello, world')
    await stopWorkers(visit)
    expect(text(await get(visit, '/files/data/sub/small.txt'))).toBe('hello, world')
    const kept = await visit.page.evaluate(async () => {
      const found: string[] = []
      for (const { name = '' } of await indexedDB.databases()) {
        const database = await new Promise<IDBDatabase>((resolve) => {
          const opening = indexedDB.open(name)
          opening.addEventListener('success', () => resolve(opening.result))
        })
        const store = database.transaction('entries').objectStore('entries')
        const all = await Promise.all([store.getAll(), store.getAllKeys()].map((asking) => new Promise((resolve) => asking.addEventListener('success', () => resolve(asking.result)))))
        found.push(name, JSON.stringify(all))
        database.close()
      }
      return found.join('\n')
    })
    expect(kept).toContain('edgemount-service-worker')
    expect(kept).not.toContain(token.slice(4, 40))
    await register(visit, { ...settings, token: undefined })
    const refused = await get(visit, '/files/secret.txt')
    expect(refused.status).toBe(403)
    expect(text(refused)).toContain('token')
  })

  test('a token for a folder reads that, pins it, and nothing else; when it ends, a body under way breaks and the next answer says why', async () => {
    const token = await tokenFor({ prefix: '/data', rights: ['read', 'list'], expiry: Math.floor(startMs / 1000) + 3600 })
    const visit = await bed.visit()
    await register(visit, { url: `${closed.url}/v1/${volumeName}`, token })
    expect((await get(visit, '/files/data/big.bin', { range: 'bytes=10-19' })).bytes).toEqual([...big.subarray(10, 20)])
    expect((await get(visit, '/files/secret.txt')).status).toBe(403)
    const pinned = await visit.page.evaluate(async (options) => await (await edgemount.registerVolume(options)).pin('/data/sub'), { prefix: '/files/', url: `${closed.url}/v1/${volumeName}`, token, script: shellWorker })
    expect(pinned).toMatchObject({ files: 1 })
    const outcome = visit.page.evaluate(async () => {
      const reader = (await fetch('/files/data/long.bin')).body!.getReader()
      await reader.read()
      Object.assign(globalThis, { hasBegun: true })
      await new Promise((resolve) => Object.assign(globalThis, { goOn: resolve }))
      try {
        while (!(await reader.read()).done);
        return 'whole'
      } catch (error) {
        return String(error)
      }
    })
    await visit.page.waitForFunction(() => 'goOn' in globalThis)
    aheadMs = 2 * 3600_000
    await visit.page.evaluate(() => (globalThis as unknown as { goOn: () => void }).goOn())
    expect(await outcome).toMatch(/^TypeError/)
    await expect.poll(async () => (await get(visit, '/files/data/sub/small.txt')).status, { timeout: 15_000 }).toBe(403)
    expect(text(await get(visit, '/files/data/sub/small.txt'))).toMatch(/expired|ended/)
    aheadMs = 0
    await register(visit, { url: `${closed.url}/v1/${volumeName}`, token: await tokenFor({ prefix: '/data', rights: ['read', 'list'] }) })
    await visit.page.evaluate(async () => {
      for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.update()
    })
    expect(text(await get(visit, '/files/data/sub/small.txt'))).toBe('hello, world')
  })
})

describe('what moves on', () => {
  test('a commit is seen within seconds, a pin follows it, and offline it is the newer one that is there; what is unpinned can go', async () => {
    const own = await startEdge()
    await own.commit(await fileOperation(own.volume, '/docs/a.txt', 'first a '.repeat(2000)), await fileOperation(own.volume, '/docs/b.txt', 'first b '.repeat(2000)))
    const visit = await bed.visit()
    const settings = { prefix: '/files/', url: `${own.url}/v1/${volumeName}`, script: '/app-worker.js' }
    const pins = async (): Promise<readonly Registration.Pinned[]> => await visit.page.evaluate(async (options) => await (await edgemount.registerVolume(options)).pins(), settings)
    await visit.page.evaluate(async (options) => await (await edgemount.registerVolume(options)).pin('/docs'), settings)
    await own.commit({ op: 'unlink', path: '/docs/b.txt' }, await fileOperation(own.volume, '/docs/c.txt', 'second c '.repeat(2000)))
    await expect.poll(async () => text(await get(visit, '/files/docs/c.txt')).slice(0, 8), { timeout: 15_000 }).toBe('second c')
    await expect.poll(async () => (await pins()).map(({ seq }) => seq), { timeout: 15_000 }).toEqual([3])
    await own.close()
    await stopWorkers(visit)
    expect(text(await get(visit, '/files/docs/c.txt')).slice(0, 8)).toBe('second c')
    expect(text(await get(visit, '/files/docs/a.txt')).slice(0, 7)).toBe('first a')
    expect((await get(visit, '/files/docs/b.txt')).status).toBe(404)
    const left = await visit.page.evaluate(async (options) => {
      const volume = await edgemount.registerVolume(options)
      await volume.unpin('/docs')
      return { pins: await volume.pins(), pinnedBytes: (await volume.stats()).pinnedBytes }
    }, settings)
    expect(left).toEqual({ pins: [], pinnedBytes: 0 })
  })

  test('two volumes have a prefix each, also when two tabs register them at once; one that is unregistered is the app\'s own address again', async () => {
    const visit = await bed.visit()
    const other = await visit.newPage()
    await Promise.all([register(visit), register({ page: other }, { prefix: '/more/', seq: 2 })])
    const range = { range: 'bytes=10-19' }
    for (const prefix of ['/files', '/more']) expect((await get(visit, `${prefix}/data/big.bin`, range)).bytes).toEqual([...big.subarray(10, 20)])
    await visit.page.evaluate(async (url) => await (await edgemount.registerVolume({ prefix: '/more/', url, script: '/app-worker.js' })).unregister(), url)
    await expect.poll(async () => (await get(visit, '/more/data/big.bin', range)).status).toBe(404)
    expect((await get(visit, '/files/data/big.bin', range)).status).toBe(206)
  })
})

test('a prefix is registered while a pin of another is under way, which is gone on with', async () => {
  const proxy = await startSlowProxy(edge.url)
  try {
    const visit = await bed.visit()
    const options = { prefix: '/files/', url: `${proxy.url}/v1/${volumeName}`, script: shellWorker }
    await register(visit, options)
    proxy.bytesPerSecond = MiB / 2
    const order = await visit.page.evaluate(async (all) => {
      const volume = await edgemount.registerVolume(all)
      const { promise, resolve } = Promise.withResolvers<void>()
      const order: string[] = []
      const pinning = volume.pin('/data', { onProgress: ({ bytes }) => bytes > 0 && resolve() }).then(({ files }) => order.push(`${files} pinned`))
      await promise
      await edgemount.registerVolume({ ...all, prefix: '/more/' })
      order.push('registered')
      Object.assign(globalThis, { pinned: pinning.then(() => order) })
      return order
    }, options)
    expect(order).toEqual(['registered'])
    proxy.bytesPerSecond = Infinity
    expect(await visit.page.evaluate(() => (globalThis as unknown as { pinned: Promise<string[]> }).pinned)).toEqual(['registered', '3 pinned'])
    expect((await get(visit, '/more/data/big.bin', { range: 'bytes=0-9' })).bytes).toEqual([...big.subarray(0, 10)])
    expect(visit.problems).toEqual([])
  } finally {
    await proxy.stop()
  }
}, 40_000)

describe('what goes wrong', () => {
  test('a worker that the browser ends comes back by itself, for requests and within a pin', async () => {
    const visit = await bed.visit()
    await register(visit)
    await stopWorkers(visit)
    expect((await get(visit, '/files/data/big.bin', { range: 'bytes=10-19' })).bytes).toEqual([...big.subarray(10, 20)])
    await visit.page.evaluate((url) => {
      const pinning = edgemount.registerVolume({ prefix: '/files/', url, script: '/app-worker.js' }).then(async (volume) => await volume.pin('/data', { onProgress: () => Object.assign(globalThis, { hasBegun: true }) }))
      Object.assign(globalThis, { pinning })
    }, url)
    await visit.page.waitForFunction(() => 'hasBegun' in globalThis)
    await stopWorkers(visit)
    expect(await visit.page.evaluate(() => (globalThis as unknown as { pinning: Promise<unknown> }).pinning)).toMatchObject({ files: 3, bytes: big.length + 49 })
  }, 40_000)

  test('a pin goes on when its page was loaded again, and stops when it is given up', async () => {
    const visit = await bed.visit()
    await register(visit)
    const outcome = await visit.page.evaluate(async (url) => {
      const volume = await edgemount.registerVolume({ prefix: '/files/', url, script: '/app-worker.js' })
      const giving = new AbortController()
      const why = await volume.pin('/data', { signal: giving.signal, onProgress: () => giving.abort() }).then(String, String)
      while ((await volume.pins()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
      void volume.pin('/data', { onProgress: () => Object.assign(globalThis, { hasBegun: true }) })
      return why
    }, url)
    expect(outcome).toMatch(/the caller gave up/)
    await visit.page.waitForFunction(() => 'hasBegun' in globalThis)
    await reload(visit)
    const pins = async (): Promise<readonly Registration.Pinned[]> =>
      await visit.page.evaluate(async (url) => await (await edgemount.registerVolume({ prefix: '/files/', url, script: '/app-worker.js' })).pins(), url)
    await expect.poll(async () => (await pins()).map(({ isComplete, files }) => [isComplete, files]), { timeout: 15_000 }).toEqual([[true, 3]])
    expect(visit.problems).toEqual([])
  })

  test('pins that do not fit are refused with a sentence, by the budget and by the browser; reading goes on', async () => {
    const visit = await bed.visit()
    const session = await visit.context.newCDPSession(visit.page)
    await session.send('Storage.overrideQuotaForOrigin', { origin: bed.url, quotaSize: 3 * MiB })
    const pin = async (pinBytes?: number): Promise<string> =>
      await visit.page.evaluate(async ({ url, pinBytes }) => {
        const volume = await edgemount.registerVolume({ prefix: '/files/', url, script: '/app-worker.js', pinBytes })
        const why = await volume.pin('/data').then(String, (error: Error) => error.message)
        return `${why} ${JSON.stringify(await volume.pins())}`
      }, { url, pinBytes })
    expect(await pin(MiB)).toBe(`Cannot pin "/data": it has ${big.length + 49} bytes; ${MiB} may be: unpin something, or register the volume with more pinBytes []`)
    expect(await pin()).toMatch(/^Cannot keep "\/data\/big.bin" offline: the browser has no room for it.* \[\]$/)
    expect((await get(visit, '/files/data/big.bin', { range: 'bytes=7000000-7000009' })).bytes).toEqual([...big.subarray(7_000_000, 7_000_010)])
  })
})
