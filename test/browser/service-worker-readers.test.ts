/** What reads files by HTTP and knows nothing of edgemount, through the service worker: elements of a page, pdf.js, DuckDB in a worker, a reader of Parquet. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type * as duckdb from '@duckdb/duckdb-wasm'
import type * as Hyparquet from 'hyparquet'
import type * as PdfJs from 'pdfjs-dist'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as Registration from '../../edge/browser/service-worker/registration.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge/edge-under-test.ts'
import { runtimes } from '../edge/runtimes.ts'
import { type ChromiumBed, type Visit, bundleForPage, startChromium } from '../support/chromium.ts'
import { brightness, duckdbRows, parquetBytes, parquetRows, pdfBytes, pdfPages, writeDuckDb } from '../support/client-files.ts'
import { longVideo } from '../support/long-video.ts'
import { watch } from '../support/page-video.ts'
import { shellWorker, workerFiles } from '../support/service-worker-page.ts'
import { startSlowProxy } from '../support/slow-proxy.ts'

/** In the page. */
declare const edgemount: typeof Registration
declare const readers: { readonly duckdb: typeof duckdb; readonly hyparquet: typeof Hyparquet; readonly pdf: typeof PdfJs }

const modules = path.resolve(import.meta.dirname, '../../node_modules')

let bed: ChromiumBed
let files: ReadonlyMap<string, Uint8Array>

beforeAll(async () => {
  files = await makeFiles()
  const packaged = async (file: string, type: string): Promise<{ text: Uint8Array; type: string }> => ({ text: await readFile(path.join(modules, file)), type })
  const script = await bundleForPage(`import * as duckdb from '@duckdb/duckdb-wasm'\nimport * as hyparquet from 'hyparquet'\nimport * as pdf from 'pdfjs-dist'\nglobalThis.readers = { duckdb, hyparquet, pdf }`)
  bed = await startChromium(
    await workerFiles({
      '/more.js': { text: "import('/readers.js')", type: 'text/javascript' },
      '/readers.js': { text: script, type: 'text/javascript' },
      '/pdf.worker.mjs': await packaged('pdfjs-dist/build/pdf.worker.min.mjs', 'text/javascript'),
      '/duckdb.wasm': await packaged('@duckdb/duckdb-wasm/dist/duckdb-eh.wasm', 'application/wasm'),
      '/duckdb-worker.js': await packaged('@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js', 'text/javascript'),
    }),
  )
}, 60_000)

afterAll(async () => await bed?.close())

async function makeFiles(): Promise<ReadonlyMap<string, Uint8Array>> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgemount-readers-'))
  const at = (name: string): string => path.join(directory, name)
  const quiet = ['-hide_banner', '-loglevel', 'error']
  const light = `nullsrc=s=160x240:r=10:d=20,format=gray,geq=lum='20+3*floor(T)'`
  const noise = `nullsrc=s=80x240:r=10:d=20,format=gray,geq=lum='random(1)*255'`
  const coding = ['-filter_complex', '[0][1]hstack,format=yuv420p', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '2M', '-g', '10']
  await promisify(execFile)('ffmpeg', [...quiet, '-f', 'lavfi', '-i', light, '-f', 'lavfi', '-i', noise, ...coding, at('video.webm')])
  await promisify(execFile)('ffmpeg', [...quiet, '-f', 'lavfi', '-i', 'color=red:s=320x200', '-frames:v', '1', at('picture.png')])
  await writeDuckDb(at('rows.duckdb'))
  // DuckDB's log, too.
  const made = await Promise.all((await readdir(directory)).map(async (name) => [name, new Uint8Array(await readFile(at(name)))] as const))
  await rm(directory, { recursive: true })
  return new Map([...made, ['pages.pdf', new Uint8Array(pdfBytes())], ['rows.parquet', new Uint8Array(parquetBytes())]])
}

async function writeFiles(edge: EdgeUnderTest): Promise<void> {
  const operations: Operation[] = []
  for (const [name, bytes] of files) operations.push(await fileOperation(edge.volume, `/${name}`, bytes))
  await edge.commit(...operations)
}

async function visitWith(edge: EdgeUnderTest): Promise<Visit> {
  const visit = await bed.visit()
  await visit.page.waitForFunction(() => 'readers' in globalThis)
  await visit.page.evaluate(async (options) => {
    await edgemount.registerVolume(options)
  }, { prefix: '/files/', url: `${edge.url}/v1/${volumeName}`, script: shellWorker })
  return visit
}

/** In the page: a database is opened only to be read, and never as a whole. */
async function query(sql: string): Promise<unknown[]> {
  const database = new readers.duckdb.AsyncDuckDB(new readers.duckdb.VoidLogger(), new Worker('/duckdb-worker.js'))
  await database.instantiate('/duckdb.wasm')
  await database.open({ filesystem: { forceFullHTTPReads: false, allowFullHTTPReads: false, reliableHeadRequests: true } })
  const connection = await database.connect()
  await connection.query(`attach '${location.origin}/files/rows.duckdb' as far (read_only)`)
  const result = await connection.query(sql)
  await connection.close()
  await database.terminate()
  return JSON.parse(JSON.stringify(result.toArray(), (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))) as unknown[]
}

describe.each(runtimes)('from %s', (_, start) => {
  let edge: EdgeUnderTest
  let visit: Visit

  beforeAll(async () => {
    edge = await start()
    await writeFiles(edge)
  }, 60_000)
  afterAll(async () => await edge?.close())

  test('a video plays and seeks, a picture is shown', async () => {
    visit = await visitWith(edge)
    const [played, ...sought] = await visit.page.evaluate(watch, { address: '/files/video.webm', times: [15.05, 2.05] })
    expect(played?.time).toBeGreaterThanOrEqual(0.3)
    expect(sought.map(({ time }) => time.toFixed(2))).toEqual(['15.05', '2.05'])
    for (const { time, bright } of sought) expect(Math.abs(bright - brightness(time)), `at ${time} s`).toBeLessThanOrEqual(6)
    const size = await visit.page.evaluate(async () => {
      const image = new Image()
      image.src = '/files/picture.png'
      await image.decode()
      return [image.naturalWidth, image.naturalHeight]
    })
    expect(size).toEqual([320, 200])
    expect(visit.problems).toEqual([])
  })

  test('pdf.js reads a page by ranges, hyparquet a few rows, DuckDB one row', async () => {
    visit = await visitWith(edge)
    const page = await visit.page.evaluate(async () => {
      readers.pdf.GlobalWorkerOptions.workerSrc = '/pdf.worker.mjs'
      const document = await readers.pdf.getDocument({ url: '/files/pages.pdf', rangeChunkSize: 16_384, disableAutoFetch: true, disableStream: true }).promise
      const { items } = await (await document.getPage(7)).getTextContent()
      return { pageCount: document.numPages, items: items.map((item) => ('str' in item ? item.str : '')) }
    })
    expect(page).toEqual({ pageCount: pdfPages, items: ['This is page 7'] })
    const rows = await visit.page.evaluate(async () => {
      const file = await readers.hyparquet.asyncBufferFromUrl({ url: '/files/rows.parquet' })
      return await readers.hyparquet.parquetReadObjects({ file, rowStart: 61_000, rowEnd: 61_002 })
    })
    expect(rows).toEqual(parquetRows.slice(61_000, 61_002))
    const sql = 'select id, name, (select count(*) from far.numbers) as count from far.numbers where id = 123456'
    expect(await visit.page.evaluate(query, sql)).toEqual([{ id: 123_456, name: 'row 123456', count: duckdbRows }])
    expect(visit.problems).toEqual([])
  }, 40_000)
})

test('a seek in a video of 70 MiB has the edge send less than 4 MiB before it plays', async () => {
  const MiB = 1024 * 1024
  const video = await longVideo(62)
  expect(video.length).toBeGreaterThan(64 * MiB)
  const edge = await startEdge()
  const proxy = await startSlowProxy(edge.url)
  try {
    await edge.commit(await fileOperation(edge.volume, '/video.webm', video))
    const visit = await visitWith({ ...edge, url: proxy.url })
    const { page } = visit
    // 24 Mbit/s: over the loopback a browser has filled its buffers before anybody could look.
    proxy.bytesPerSecond = 3 * MiB
    await page.evaluate(async () => {
      const element = document.createElement('video')
      element.muted = true
      const isReady = new Promise((resolve) => element.addEventListener('canplay', resolve, { once: true }))
      element.src = '/files/video.webm'
      document.body.replaceChildren(element)
      await isReady
    })
    const before = proxy.sent()
    const from = await page.evaluate(async () => {
      const element = document.querySelector('video')!
      element.currentTime = element.duration * 0.7
      await new Promise((resolve) => element.addEventListener('seeked', resolve, { once: true }))
      await element.play()
      return element.duration * 0.7
    })
    const bytesSent = proxy.sent() - before
    expect(bytesSent).toBeLessThan(4 * MiB)
    expect(bytesSent).toBeGreaterThan(0)
    await page.waitForFunction((start) => document.querySelector('video')!.currentTime > start + 0.2, from)
    expect(visit.problems).toEqual([])
  } finally {
    await proxy.stop()
    await edge.close()
  }
}, 40_000)
