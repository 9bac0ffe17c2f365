/** `edgemount/browser` in Chromium: the real IndexedDB, tabs, workers, and a network that counts. `proofs-runtimes.test.ts` has what holds from every runtime's edge. */
import type * as Hyparquet from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as Edgemount from '../../edge/browser/volume.ts'
import { type ChromiumBed, bundleForPage, startChromium } from '../support/chromium.ts'
import { startCountingProxy } from '../support/counting-proxy.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { cacheTableChecks } from '../suites/cache-table.ts'
import type { CacheTable } from '../../edge/browser/cache-table.ts'
import { testKeys, tokenFor } from '../edge/access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge/edge-under-test.ts'

/** In the page. */
declare const edgemount: typeof Edgemount
declare const hyparquet: typeof Hyparquet
declare const tables: { readonly IdbTable: new (name: string) => CacheTable; readonly cacheTableChecks: typeof cacheTableChecks }

const MiB = 1024 * 1024
const big = new SeededRandom(11).bytes(8 * MiB)

let edge: EdgeUnderTest
let bed: ChromiumBed
let url: string

beforeAll(async () => {
  edge = await startEdge()
  url = `${edge.url}/v1/${volumeName}`
  await edge.commit(await fileOperation(edge.volume, '/data/big.bin', big), await fileOperation(edge.volume, '/data/small.txt', 'hello, world'))
  const page = `<!doctype html><link rel="icon" href="data:,"><script type="module">
    globalThis.edgemount = await import('/browser.js')
    globalThis.hyparquet = await import('/hyparquet.js')
    globalThis.tables = await import('/tables.js')
    globalThis.isReady = true
  </script>`
  const worker = `import { openVolume } from '/browser.js'
    onmessage = async ({ data: { url, path, range } }) => {
      try {
        const volume = await openVolume(url)
        const bytes = await volume.read(path, range)
        await volume.flush()
        postMessage({ bytes, stats: await volume.stats() })
      } catch (error) {
        postMessage({ failure: error.message })
      }
    }`
  bed = await startChromium({
    '/': { text: page, type: 'text/html' },
    '/browser.js': { text: await bundleForPage("export * from './edge/browser/volume.ts'"), type: 'text/javascript' },
    '/hyparquet.js': { text: await bundleForPage("export * from 'hyparquet'"), type: 'text/javascript' },
    '/tables.js': { text: await bundleForPage("export * from './test/suites/cache-table.ts'; export * from './edge/browser/idb-table.ts'"), type: 'text/javascript' },
    '/worker.js': { text: worker, type: 'text/javascript' },
  })
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
})

describe('reading', () => {
  test('a worker reads, and shares what is kept with the page', async () => {
    const { page, requests, problems } = await bed.visit()
    const inWorker = async (): Promise<{ readonly bytes: readonly number[]; readonly stats: { readonly cacheHits: number; readonly cacheFailure?: string } }> =>
      await page.evaluate(async (url) => {
        const worker = new Worker('/worker.js', { type: 'module' })
        const answer = new Promise<{ bytes: Uint8Array; stats: { cacheHits: number; cacheFailure?: string } }>((resolve) => {
          worker.addEventListener('message', ({ data }) => resolve(data))
        })
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is a window's
        worker.postMessage({ url, path: '/data/big.bin', range: { start: 10, end: 20 } })
        const { bytes, stats } = await answer
        worker.terminate()
        return { bytes: [...bytes], stats }
      }, url)
    expect((await inWorker()).bytes).toEqual([...big.subarray(10, 20)])
    requests.length = 0
    expect((await inWorker()).stats).toMatchObject({ cacheHits: 1 })
    const hits = await page.evaluate(async (url) => {
      const volume = await edgemount.openVolume(url)
      await volume.read('/data/big.bin', { start: 10, end: 20 })
      return (await volume.stats()).cacheHits
    }, url)
    expect(hits).toBe(1)
    expect(requests.filter((asked) => asked.includes('/packs/'))).toEqual([])
    expect(problems).toEqual([])
  })

  test('the schema of a Parquet file of 1 GiB reads less than 2 MiB', async () => {
    const rows = Array.from({ length: 1000 }, (_, index) => index)
    const parquet = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'id', data: rows, type: 'INT32' }, { name: 'text', data: rows.map((row) => `row ${row}`) }] }))
    const footerLength = new DataView(parquet.buffer).getUint32(parquet.length - 8, true)
    const footerStart = parquet.length - 8 - footerLength
    // A gigabyte that no column refers to, between the columns and the footer: a valid file whose chunks are many and whose packs are small.
    const filler = new SeededRandom(21).bytes(MiB)
    const writer = edge.volume.writer()
    const body = function* (): Generator<Uint8Array> {
      yield parquet.subarray(0, footerStart)
      for (let index = 0; index < 1024; index += 1) yield filler
      yield parquet.subarray(footerStart)
    }
    const { content, size } = await writer.write(body())
    await writer.flush()
    await edge.commit({ op: 'create', path: '/table.parquet', content, size })
    const { page, requests, problems } = await bed.visit()
    const found = await page.evaluate(async (url) => {
      const volume = await edgemount.openVolume(url)
      const file = await volume.asyncBuffer('/table.parquet')
      const metadata = await hyparquet.parquetMetadataAsync(file)
      const { bytesFromNetwork } = await volume.stats()
      const rows = await hyparquet.parquetReadObjects({ file, metadata, rowStart: 998, rowEnd: 1000 })
      return { byteLength: file.byteLength, names: metadata.schema.map(({ name }) => name), bytesFromNetwork, rows }
    }, url)
    expect(found.byteLength).toBeGreaterThan(1024 * MiB)
    expect(found.names).toEqual(['root', 'id', 'text'])
    expect(found.rows).toEqual([{ id: 998, text: 'row 998' }, { id: 999, text: 'row 999' }])
    expect(found.bytesFromNetwork).toBeLessThan(2 * MiB)
    expect(requests.length).toBeLessThan(20)
    expect(problems).toEqual([])
  })
})

test('with tokens, for all and for a part of a volume: no request asks first whether it may be sent', async () => {
  const closed = await startEdge({ access: { keys: testKeys } })
  const proxy = await startCountingProxy(closed.url)
  try {
    await closed.commit(await fileOperation(closed.volume, '/part/big.bin', big), await fileOperation(closed.volume, '/secret.txt', 'no'))
    const { page, requests, problems } = await bed.visit()
    const read = async (token: string): Promise<unknown> =>
      await page.evaluate(
        async ({ url, token }) => {
          const volume = await edgemount.openVolume(url, { token, cache: { name: token.slice(-20) } })
          const bytes = await volume.read('/part/big.bin', { start: 1_000_000, end: 1_000_010 })
          const secret = await volume.stat('/secret.txt').catch(({ message }: Error) => message)
          await volume.close()
          return { bytes: [...bytes], secret }
        },
        { url: `${proxy.url}/v1/${volumeName}`, token },
      )
    const bytes = [...big.subarray(1_000_000, 1_000_010)]
    expect(await read(await tokenFor({ rights: ['read'] }))).toEqual({ bytes, secret: expect.objectContaining({ size: 2 }) })
    expect(problems).toEqual([])
    expect(await read(await tokenFor({ rights: ['read'], prefix: '/part' }))).toEqual({ bytes, secret: expect.stringMatching(/^Cannot /) })
    expect(problems).toEqual([expect.stringContaining('403')])
    expect(requests.every((asked) => asked.includes('/t/em1.'))).toBe(true)
    expect(proxy.taken()).toEqual({ GET: requests.length })
  } finally {
    await proxy.stop()
    await closed.close()
  }
})

describe('what is kept', () => {
  test('IndexedDB keeps the promises of a table', async () => {
    const { page, problems } = await bed.visit()
    const wrong = await page.evaluate(async () => {
      const wrong: string[] = []
      // Each has a database of its own.
      for (const [name, check] of Object.entries(tables.cacheTableChecks)) await check(new tables.IdbTable(name), new tables.IdbTable(name)).catch((error: Error) => wrong.push(`${name}: ${error.message}`))
      return { wrong, count: Object.keys(tables.cacheTableChecks).length }
    })
    expect(wrong).toEqual({ wrong: [], count: Object.keys(cacheTableChecks).length })
    expect(problems).toEqual([])
  })

  test('two tabs read at once within one small budget, and lose nothing of each other', async () => {
    const { page, newPage, problems } = await bed.visit()
    const other = await newPage()
    const readAll = async (tab: typeof page, from: number): Promise<number> =>
      await tab.evaluate(
        async ({ url, from }) => {
          const volume = await edgemount.openVolume(url, { cache: { bytes: 2 * 1024 * 1024 }, memoryBytes: 1024 * 1024 })
          let sum = 0
          for (let step = 0; step < 16; step += 1) {
            const start = ((step + from) % 16) * 512 * 1024
            for (const byte of await volume.read('/data/big.bin', { start, end: start + 512 * 1024 })) sum += byte
            await volume.flush()
            const { keptBytes, cacheFailure } = await volume.stats()
            if (keptBytes > 2 * 1024 * 1024 || cacheFailure !== undefined) throw new Error(`${keptBytes} bytes are kept, ${cacheFailure}`)
          }
          const { evictions } = await volume.stats()
          if (evictions === 0) throw new Error('nothing was evicted')
          return sum
        },
        { url, from },
      )
    const expected = big.reduce((sum, byte) => sum + byte, 0)
    expect(await Promise.all([readAll(page, 0), readAll(other, 8)])).toEqual([expected, expected])
    // What the table counts is what it has.
    const counted = await page.evaluate(async () => {
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('edgemount')
        request.addEventListener('success', () => resolve(request.result))
      })
      const store = database.transaction('entries').objectStore('entries')
      const ask = <T>(request: IDBRequest<T>): Promise<T> => new Promise((resolve) => request.addEventListener('success', () => resolve(request.result)))
      const bodies: Uint8Array[] = await ask(store.getAll(IDBKeyRange.bound('b/', 'b0')))
      const total: number = await ask(store.get('total'))
      database.close()
      return { total, bytes: bodies.reduce((sum, body) => sum + body.length, 0) }
    })
    expect(counted.bytes).toBe(counted.total)
    expect(counted.total).toBeLessThanOrEqual(2 * MiB)
    expect(problems).toEqual([])
  })

  test('when the volume moves on, chunks that only the older version of a file had go', async () => {
    const before = new SeededRandom(31).bytes(2 * MiB)
    await edge.commit(await fileOperation(edge.volume, '/moving', before))
    const { page, problems } = await bed.visit()
    await page.evaluate(async (url) => {
      const volume = await edgemount.openVolume(url)
      await volume.read('/moving')
      await volume.flush()
      Object.assign(globalThis, { volume, keptBefore: (await volume.stats()).keptBytes })
    }, url)
    await edge.commit(await fileOperation(edge.volume, '/moving', 'now it is small', { replace: true }))
    const found = await page.evaluate(async () => {
      const { volume, keptBefore } = globalThis as unknown as { volume: Awaited<ReturnType<typeof edgemount.openVolume>>; keptBefore: number }
      const hasMoved = await volume.refresh()
      await volume.flush()
      return { hasMoved, freed: keptBefore - (await volume.stats()).keptBytes, text: new TextDecoder().decode(await volume.read('/moving')) }
    })
    expect(found).toMatchObject({ hasMoved: true, text: 'now it is small' })
    expect(found.freed).toBeGreaterThan(1.5 * MiB)
    expect(problems).toEqual([])
  })
})
