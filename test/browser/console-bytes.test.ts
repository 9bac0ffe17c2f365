/** What the console reads over the network of large files: the beginning of a Parquet file, and a place in a video. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import type { Run } from '../../shared/format/entry.ts'
import { type EdgeUnderTest, startEdge } from '../edge/edge-under-test.ts'
import { ConsoleBed, expectNoProblems } from '../support/console-bed.ts'
import { parquetBytes, randomParquetBytes } from '../support/console-files.ts'
import { longVideo } from '../support/long-video.ts'

const MiB = 1024 * 1024
let edge: EdgeUnderTest
let bed: ConsoleBed

beforeAll(async () => {
  edge = await startEdge({ console: await buildConsole() })
  bed = await ConsoleBed.start(edge.url)
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
})

async function write(name: string, pieces: Iterable<Uint8Array>): Promise<number> {
  const writer = edge.volume.writer()
  const { content, size } = await writer.write(pieces)
  await writer.flush()
  await edge.commit({ op: 'create', path: name, content, size })
  return size
}

test('columns and first rows of a Parquet file of 1 GiB cost less than 2 MiB', async () => {
  // A thousand row groups, and between them and the footer a hole of which no column speaks.
  const parquet = parquetBytes(100_000, { rowGroupSize: 100 })
  const footerStart = parquet.length - 8 - new DataView(parquet.buffer).getUint32(parquet.length - 8, true)
  const footerBytes = parquet.length - footerStart
  expect(footerBytes).toBeGreaterThan(100 * 1024)
  await write('/rows', [parquet.subarray(0, footerStart)])
  await write('/footer', [parquet.subarray(footerStart)])
  const snapshot = await edge.volume.head()
  const runsOf = async (name: string): Promise<Run[]> => (await Array.fromAsync(snapshot.runs(await snapshot.resolve(name)))).map(({ run }) => run)
  const writer = edge.volume.writer()
  const { content, size } = await writer.assemble([...(await runsOf('/rows')), { kind: 'hole', length: 1024 * MiB - parquet.length }, ...(await runsOf('/footer'))])
  await writer.commit([{ op: 'create', path: '/table.parquet', content, size }])
  expect(size).toBe(1024 * MiB)
  const opened = await bed.open('#/demo/')
  await opened.page.locator('.rows a', { hasText: 'table.parquet' }).waitFor()
  const before = opened.received()
  await opened.page.locator('.rows a', { hasText: 'table.parquet' }).click()
  await opened.page.getByText('The first 100 rows of 100,000 are shown.').waitFor()
  const bytesRead = opened.received() - before
  expect(bytesRead).toBeGreaterThan(footerBytes)
  expect(bytesRead).toBeLessThan(2 * MiB)
  expectNoProblems(opened)
})

test('rows of a large row group are read by its index; without one, somebody is asked first', async () => {
  const indexed = randomParquetBytes(1_000_000, { pageSize: 64 * 1024 })
  const plain = randomParquetBytes(1_000_000, {}, false)
  expect(Math.min(indexed.length, plain.length)).toBeGreaterThan(3 * MiB)
  await write('/indexed.parquet', [indexed])
  await write('/plain.parquet', [plain])
  const opened = await bed.open('#/demo/')
  const { page } = opened
  await page.locator('.rows a', { hasText: 'indexed.parquet' }).waitFor()
  const before = opened.received()
  await page.locator('.rows a', { hasText: 'indexed.parquet' }).click()
  await page.getByText('The first 100 rows of 1,000,000 are shown.').waitFor()
  expect(opened.received() - before).toBeLessThan(2 * MiB)
  await page.evaluate(() => (location.hash = '#/demo/plain.parquet'))
  await page.getByText(/^The first rows are in a row group of 3\.8 MiB, which is read whole\.$/).waitFor()
  expect(opened.received() - before).toBeLessThan(2 * MiB)
  await page.getByRole('button', { name: 'Read 3.8 MiB' }).click()
  await page.getByText('The first 100 rows of 1,000,000 are shown.').waitFor()
  expectNoProblems(opened)
})

test('a seek in a video of 100 MiB reads less than 4 MiB before it plays', async () => {
  const bytes = await longVideo(100)
  expect(bytes.length).toBeGreaterThan(60 * MiB)
  await write('/video.webm', [bytes])
  const opened = await bed.open('#/demo/video.webm')
  const { page } = opened
  await page.waitForFunction(() => (document.querySelector('video')?.readyState ?? 0) >= 1)
  const duration = await page.evaluate(() => document.querySelector('video')!.duration)
  expect(duration).toBeGreaterThan(300)
  await page.waitForTimeout(300)
  // 24 Mbit/s: over the loopback a browser has filled its buffers before anybody could look.
  await opened.slow(3 * MiB)
  const before = opened.received()
  await page.evaluate(async () => {
    const video = document.querySelector('video')!
    video.muted = true
    video.currentTime = video.duration * 0.7
    await new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }))
    await video.play()
  })
  const bytesRead = opened.received() - before
  expect(bytesRead).toBeLessThan(4 * MiB)
  expect(bytesRead).toBeGreaterThan(0)
  await page.waitForFunction((from) => document.querySelector('video')!.currentTime > from, duration * 0.7 + 0.2)
  await opened.shoot('video')
  expectNoProblems(opened)
})
