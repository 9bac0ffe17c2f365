/** Chromium reads from another origin than its page's: a video is played and sought, DuckDB queries a database, h5wasm reads a part of a file. */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import type * as duckdb from '@duckdb/duckdb-wasm'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import * as made from '../../support/client-files.ts'
import { watch } from '../../support/page-video.ts'
import type { ClientBrowser } from '../../support/client-browser.ts'
import { bytesOf, type ClientBed } from './bed.ts'

export function browserSuite(bed: () => ClientBed, browser: () => ClientBrowser): void {
  const open = (): Page => {
    bed().taken()
    return browser().page
  }
  const sizeOf = async (name: string): Promise<number> => (await stat(path.join(bed().files, name))).size

  test.each(['video.mp4', 'hls/index.m3u8'])('a video element plays %s, and seeks forward and back', async (name) => {
    const page = open()
    const frames = await page.evaluate(watch, { address: `${bed().base}/${name}`, times: [41.05, 5.05, 55.5] })
    const [played, ...sought] = frames
    // What is shown may be a frame behind the clock, which stops between two.
    expect(played?.time).toBeGreaterThanOrEqual(0.3)
    expect(Math.abs(played!.bright - made.brightness(played!.time))).toBeLessThanOrEqual(4)
    expect(sought.map(({ time }) => time)).toEqual([41.05, 5.05, 55.5])
    for (const { time, bright } of sought) expect(Math.abs(bright - made.brightness(time)), `at ${time} s`).toBeLessThanOrEqual(2)
    const requests = bed().taken().filter(({ status }) => status !== 0)
    expect(requests.filter(({ status }) => ![200, 206, 304].includes(status))).toEqual([])
    const size = await sizeOf('video.mp4')
    const starts = requests.map(({ range = '' }) => Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? 0))
    if (name.endsWith('.mp4')) expect(starts.some((start) => start > size / 2)).toBe(true)
    else expect(requests.map((request) => path.basename(request.path))).toContain('index10.ts')
  })

  test('DuckDB queries a database by ranges', async () => {
    const page = open()
    const [row] = await page.evaluate(query, { address: `${bed().base}/rows.duckdb`, sql: 'select id, name, (select count(*) from far.numbers) as count from far.numbers where id = 123456' })
    expect(row).toEqual({ id: 123_456, name: 'row 123456', count: made.duckdbRows })
    const requests = bed().taken()
    expect(requests.filter(({ method }) => method === 'HEAD').map(({ range, status }) => [range, status])).toContainEqual(['bytes=0-', 206])
    expect(bytesOf(requests)).toBeLessThan((await sizeOf('rows.duckdb')) / 2)
  })

  test('h5wasm reads a part of a dataset by ranges', async () => {
    const page = open()
    const start = 765_432
    const read = { address: `${bed().base}/samples.h5`, dataset: 'readings/samples', start, end: start + 4 }
    expect(await page.evaluate(readSamples, read)).toEqual({ values: [0, 1, 2, 3].map((index) => made.sampleValue(start + index)) })
    const requests = bed().taken()
    expect(requests.filter(({ method }) => method === 'GET').map(({ status }) => status)).not.toContain(200)
    expect(bytesOf(requests)).toBeLessThan((await sizeOf('samples.h5')) * 0.8)
  })
}

/** What the page's script has, and what stays on the page: a database takes seconds to start. */
interface DuckDbPage {
  readonly duckdb: typeof duckdb
  database?: duckdb.AsyncDuckDB
}

/** In the page: opens a database that lies far away, only to read it, and never as a whole, which DuckDB must be told. */
async function query({ address, sql }: { address: string; sql: string }): Promise<unknown[]> {
  const own = globalThis as unknown as DuckDbPage
  if (own.database === undefined) {
    own.database = new own.duckdb.AsyncDuckDB(new own.duckdb.VoidLogger(), new Worker('/duckdb-worker.js'))
    await own.database.instantiate('/duckdb.wasm')
    await own.database.open({ filesystem: { forceFullHTTPReads: false, allowFullHTTPReads: false, reliableHeadRequests: true } })
  }
  const connection = await own.database.connect()
  await connection.query(`attach '${address}' as far (read_only)`)
  const result = await connection.query(sql)
  await connection.query('detach far')
  await connection.close()
  return JSON.parse(JSON.stringify(result.toArray(), (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))) as unknown[]
}

/** In the page: asks the worker that has h5wasm. */
function readSamples(read: { address: string; dataset: string; start: number; end: number }): Promise<unknown> {
  return new Promise((resolve) => {
    const worker = new Worker('/h5-worker.js')
    worker.addEventListener('message', ({ data }) => {
      worker.terminate()
      resolve(data)
    })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's has none
    worker.postMessage(read)
  })
}
