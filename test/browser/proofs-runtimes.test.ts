/**
 * What `edgemount/browser` and `edgemount/service-worker` promise of a bad day, from an edge on each runtime that asks for tokens: nothing is asked for that is kept,
 * damaged chunks, no edge, two tabs, no room, a token that ends. `engine.test.ts` and `service-worker.test.ts` look at each closely, on Node.
 */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as Registration from '../../edge/browser/service-worker/registration.ts'
import type * as Engine from '../../edge/browser/volume.ts'
import { nodeHash } from '../../edge/node.ts'
import { systemClock } from '../../shared/clock.ts'
import { tokenFor } from '../edge/access/tokens.ts'
import { type EdgeUnderTest, fileOperation, volumeName } from '../edge/edge-under-test.ts'
import { closedRuntimes } from '../edge/runtimes.ts'
import { type ChromiumBed, type Visit, bundleForPage, startChromium } from '../support/chromium.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { shellWorker, workerFiles } from '../support/service-worker-page.ts'
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts'

/** In the page. */
declare const edgemount: typeof Registration
declare const engine: typeof Engine

const MiB = 1024 * 1024
const big = new SeededRandom(61).bytes(4 * MiB)
const piece = { start: 3_000_000, end: 3_000_010 }
const pieceBytes = [...big.subarray(piece.start, piece.end)]

let bed: ChromiumBed

beforeAll(async () => {
  const text = await bundleForPage("export * from './edge/browser/volume.ts'")
  bed = await startChromium(
    await workerFiles({
      '/more.js': { text: "import('/browser.js').then((module) => { globalThis.engine = module }, () => undefined)", type: 'text/javascript' },
      '/browser.js': { text, type: 'text/javascript' },
    }),
  )
})
afterAll(async () => await bed?.close())

interface Source {
  readonly url: string
  readonly token: string
}

/** In the page: every chunk that is kept is another one from now on. */
async function damageChunks(): Promise<number> {
  const database = await new Promise<IDBDatabase>((resolve) => {
    const opening = indexedDB.open('edgemount')
    opening.addEventListener('success', () => resolve(opening.result))
  })
  const store = database.transaction('entries', 'readwrite').objectStore('entries')
  const keys = await new Promise<IDBValidKey[]>((resolve) => {
    const asking = store.getAllKeys(IDBKeyRange.bound('b/c/', 'b/c0'))
    asking.addEventListener('success', () => resolve(asking.result))
  })
  for (const key of keys) store.put(new Uint8Array(100_000), key)
  await new Promise((resolve) => store.transaction.addEventListener('complete', resolve))
  database.close()
  return keys.length
}

/** In the page: as one that is opened anew reads. */
async function readPiece({ url, token, start, end }: Source & { readonly start: number; readonly end: number }): Promise<{ bytes: number[]; names: string[]; status: number; corruptKept: number; failure: string | undefined }> {
  const volume = await engine.openVolume(url, { token })
  const names = (await volume.list('/data')).items.map(({ name }) => name)
  const bytes = [...(await volume.read('/data/big.bin', { start, end }))]
  const failure = volume.isOffline ? await volume.read('/data/big.bin').then(() => 'nothing', ({ message }: Error) => message) : undefined
  const { status } = await engine.createFetch(volume)(`${url}/files/data/big.bin`, { headers: { range: `bytes=${start}-${end - 1}` } })
  const { corruptKept } = await volume.stats()
  await volume.close()
  return { bytes, names, status, corruptKept, failure }
}

/** In the page: the sum of all bytes, and how the cache fared with little room. */
async function readAll({ url, token, from }: Source & { readonly from: number }): Promise<{ sum: number; quotaErrors: number; evictions: number; failure: string | undefined }> {
  const volume = await engine.openVolume(url, { token, cache: { bytes: 2 * 1024 * 1024 }, memoryBytes: 1024 * 1024 })
  let sum = 0
  for (let step = 0; step < 8; step += 1) {
    const start = ((step + from) % 8) * 512 * 1024
    for (const byte of await volume.read('/data/big.bin', { start, end: start + 512 * 1024 })) sum += byte
    await volume.flush()
  }
  const { quotaErrors, evictions, cacheFailure: failure } = await volume.stats()
  await volume.close()
  return { sum, quotaErrors, evictions, failure }
}

async function visitReady(): Promise<Visit> {
  const visit = await bed.visit()
  await visit.page.waitForFunction(() => 'engine' in globalThis)
  return visit
}

async function reload(page: Page): Promise<void> {
  await page.reload()
  await page.waitForFunction(() => 'isReady' in globalThis && 'engine' in globalThis)
}

async function limitQuota({ context, page }: Visit, quotaSize: number): Promise<void> {
  const session = await context.newCDPSession(page)
  await session.send('Storage.overrideQuotaForOrigin', { origin: bed.url, quotaSize })
}

/** What comes of a file whose token ends in the middle, why it ends, and what another token brings of the rest. */
async function readPastExpiry({ page }: Visit, source: Source): Promise<{ readonly length: number; readonly why: string; readonly restLength: number }> {
  const expiryMs = Math.ceil(systemClock.now() / 1000 + 3) * 1000
  const ending = await tokenFor({ rights: ['read', 'list'], expiry: expiryMs / 1000 })
  return await page.evaluate(
    async ({ url, token, ending, expiryMs }) => {
      const volume = await engine.openVolume(url, { token: ending, cache: false, memoryBytes: 512 * 1024 })
      const reader = volume.stream('/data/big.bin').getReader()
      let length = (await reader.read()).value?.length ?? 0
      await new Promise((resolve) => setTimeout(resolve, expiryMs + 50 - Date.now()))
      let why = 'nothing'
      try {
        for (let read = await reader.read(); !read.done; read = await reader.read()) length += read.value.length
      } catch (error) {
        why = (error as Error).message
      }
      const rest = await (await engine.openVolume(url, { token, cache: false })).read('/data/big.bin', { start: length })
      return { length, why, restLength: rest.length }
    },
    { ...source, ending, expiryMs },
  )
}

describe.each(closedRuntimes)('from %s', (_, start) => {
  let edge: EdgeUnderTest
  let proxy: SlowProxy
  let source: Source

  beforeAll(async () => {
    edge = await start()
    proxy = await startSlowProxy(edge.url)
    source = { url: `${proxy.url}/v1/${volumeName}`, token: await tokenFor({ rights: ['read', 'list'] }) }
    await edge.commit(await fileOperation(edge.volume, '/data/big.bin', big), await fileOperation(edge.volume, '/data/small.txt', 'hello, world'), await fileOperation(edge.volume, '/more.bin', new SeededRandom(62).bytes(12 * MiB)))
  }, 60_000)
  afterAll(async () => {
    await proxy?.stop()
    await edge?.close()
  })

  test('a page: what is kept is not asked for, what is damaged is, and the rest waits for the edge; two tabs, a full disk, a token that ends', async () => {
    const pastExpiry = readPastExpiry(await visitReady(), source)
    pastExpiry.catch(() => undefined)
    const visit = await visitReady()
    const { page, context, requests, problems } = visit
    const read = (): ReturnType<typeof readPiece> => page.evaluate(readPiece, { ...source, ...piece })
    const expected = { bytes: pieceBytes, names: ['big.bin', 'small.txt'], status: 206, corruptKept: 0, failure: undefined }
    expect(await read()).toEqual(expected)
    await reload(page)
    requests.length = 0
    expect(await read()).toEqual(expected)
    expect(requests).toEqual([expect.stringMatching(/\/head$/)])
    expect(await page.evaluate(damageChunks)).toBeGreaterThan(0)
    expect(await read()).toEqual({ ...expected, corruptKept: expect.toSatisfy((count: number) => count > 0) })
    expect(requests.filter((asked) => asked.includes('/packs/d')).length).toBeGreaterThan(0)
    expect(await read()).toEqual(expected)
    expect(problems).toEqual([])

    await context.route(`${proxy.url}/**`, (route) => route.abort('internetdisconnected'))
    await reload(page)
    expect(await read()).toEqual({ ...expected, failure: expect.stringMatching(/^Cannot reach the edge http/) })
    expect(problems.splice(0).every((problem) => problem.includes('ERR_INTERNET_DISCONNECTED'))).toBe(true)
    await context.unroute(`${proxy.url}/**`)

    const other = await visit.newPage()
    await other.waitForFunction(() => 'engine' in globalThis)
    const whole = { sum: big.reduce((sum, byte) => sum + byte, 0), failure: undefined }
    const tabs = await Promise.all([page.evaluate(readAll, { ...source, from: 0 }), other.evaluate(readAll, { ...source, from: 4 })])
    for (const tab of tabs) expect(tab).toMatchObject({ ...whole, quotaErrors: 0 })
    expect(tabs[0].evictions + tabs[1].evictions).toBeGreaterThan(0)
    expect(problems).toEqual([])
    // Another profile: the browser remembers for a while how much room there was.
    const small = await visitReady()
    await limitQuota(small, MiB)
    const full = await small.page.evaluate(readAll, { ...source, from: 0 })
    expect(full).toMatchObject(whole)
    expect(full.quotaErrors).toBeGreaterThan(0)
    expect(small.problems).toEqual([])

    const { length, why, restLength } = await pastExpiry
    expect(why).toMatch(/it expired on .*; ask for a new one/)
    expect(length).toBeGreaterThan(0)
    expect(length + restLength).toBe(big.length)
  }, 30_000)

  test('a service worker: two tabs pin at once, a damaged chunk is fetched again, a full disk is told, and what is pinned is whole without the edge', async () => {
    const visit = await visitReady()
    const { page, context, problems } = visit
    const options = { ...source, prefix: '/files/', script: shellWorker, cacheBytes: MiB }
    const pin = (tab: Page): Promise<unknown> => tab.evaluate(async (all) => await (await edgemount.registerVolume(all)).pin('/data'), options)
    const hash = (): Promise<string> =>
      page.evaluate(async () => {
        const answer = await fetch('/files/data/big.bin')
        return `${answer.status} ${new Uint8Array(await crypto.subtle.digest('SHA-256', await answer.arrayBuffer())).toHex()}`
      })
    const stop = async (): Promise<void> => {
      const session = await context.newCDPSession(page)
      await session.send('ServiceWorker.enable')
      await session.send('ServiceWorker.stopAllWorkers')
    }
    const expected = `200 ${await nodeHash(big)}`
    await limitQuota(visit, 12 * MiB)
    const done = { files: 2, totalFiles: 2, bytes: big.length + 12, totalBytes: big.length + 12 }
    expect(await Promise.all([pin(page), pin(await visit.newPage())])).toEqual([done, done])
    expect(await page.evaluate(damageChunks)).toBeGreaterThan(0)
    await stop()
    expect(await hash()).toBe(expected)
    expect(await page.evaluate(async (all) => (await (await edgemount.registerVolume(all)).stats()).corruptKept, options)).toBeGreaterThan(0)
    const why = await page.evaluate(async (all) => await (await edgemount.registerVolume(all)).pin('/more.bin').then(String, ({ message }: Error) => message), options)
    expect(why).toMatch(/^Cannot keep "\/more.bin" offline: the browser has no room for it/)
    await proxy.stop()
    await context.setOffline(true)
    await stop()
    await page.reload()
    await page.waitForFunction(() => 'isReady' in globalThis)
    expect(await hash()).toBe(expected)
    expect(problems.filter((problem) => !/ERR_INTERNET_DISCONNECTED|browser\.js/.test(problem))).toEqual([])
  }, 30_000)
})
