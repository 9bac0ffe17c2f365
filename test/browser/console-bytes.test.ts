/** What the console reads over the network of large files: the beginning of a Parquet file, and a place in a video. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import { type EdgeUnderTest, startEdge } from '../edge/edge-under-test.ts'
import { ConsoleBed, expectNoProblems } from '../support/console-bed.ts'
import { parquetBytes, randomParquetBytes } from '../support/console-files.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { tempDirectory } from '../support/temp-directory.ts'

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

test('columns and first rows of a Parquet file of 300 MiB cost less than 2 MiB', async () => {
  const parquet = parquetBytes(1000)
  const footerStart = parquet.length - 8 - new DataView(parquet.buffer).getUint32(parquet.length - 8, true)
  const filler = new SeededRandom(21).bytes(MiB)
  // Megabytes that no column refers to, between the columns and the footer: the same chunks again and again, so that the store stays small.
  const size = await write('/table.parquet', (function* () {
    yield parquet.subarray(0, footerStart)
    for (let index = 0; index < 300; index += 1) yield filler
    yield parquet.subarray(footerStart)
  })())
  expect(size).toBeGreaterThan(300 * MiB)
  const opened = await bed.open('#/demo/')
  await opened.page.locator('.rows a', { hasText: 'table.parquet' }).waitFor()
  const before = opened.received()
  await opened.page.locator('.rows a', { hasText: 'table.parquet' }).click()
  await opened.page.getByText('The first 100 rows of 1,000 are shown.').waitFor()
  expect(opened.received() - before).toBeLessThan(2 * MiB)
  expectNoProblems(opened)
})

test('rows of a large row group are read by its index; without one, somebody is asked first', async () => {
  const indexed = randomParquetBytes(1_000_000, { pageSize: 64 * 1024 })
  const plain = randomParquetBytes(1_000_000, {}, false)
  expect(Math.min(indexed.length, plain.length)).toBeGreaterThan(3 * MiB)
  await write('/indexed.parquet', [indexed])
  await write('/plain.parquet', [plain])
  await write('/gzip.parquet', [randomParquetBytes(1000, { codec: 'GZIP', compressors: { GZIP: (bytes) => new Uint8Array(gzipSync(bytes)) } })])
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
  await page.evaluate(() => (location.hash = '#/demo/gzip.parquet'))
  await page.getByText('Its rows are compressed with GZIP').waitFor()
  await page.getByRole('rowheader', { name: '1' }).waitFor()
  expectNoProblems(opened)
})

test('a seek in a video of 100 MiB reads less than 4 MiB before it plays', async () => {
  const directory = await tempDirectory()
  const file = path.join(directory, 'video.webm')
  // Noise at a few megabits, a key frame a second.
  const source = ['-f', 'lavfi', '-i', 'nullsrc=s=320x180:r=15:d=4,geq=random(1)*255:128:128']
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...source, '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '2M', '-g', '15', file], { timeout: 60_000 })
  const looped = path.join(directory, 'looped.webm')
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', '-stream_loop', '99', '-i', file, '-c', 'copy', '-cues_to_front', '1', looped], { timeout: 60_000 })
  const bytes = await readFile(looped)
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
