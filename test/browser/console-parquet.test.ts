/** Parquet files that were made to do harm, or that the console cannot read, in the console itself: the page goes on, and says a sentence. `test/edge/console/parquet.test.ts` has many more. */
import { parquetMetadata } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import { readHeader } from '../../edge/console/parquet/thrift.ts'
import { concatBytes } from '../../shared/bytes.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../edge/edge-under-test.ts'
import { ConsoleBed, expectNoProblems } from '../support/console-bed.ts'
import { parquetBytes } from '../support/console-files.ts'
import { packers } from '../support/parquet-codecs.ts'

const MiB = 1024 * 1024
let edge: EdgeUnderTest
let bed: ConsoleBed

beforeAll(async () => {
  edge = await startEdge({ console: await buildConsole() })
  const put = (name: string, bytes: Uint8Array): ReturnType<typeof fileOperation> => fileOperation(edge.volume, name, bytes)
  const compressors = { ...Object.fromEntries(packers), LZO: (bytes: Uint8Array) => bytes }
  const columnData = [{ name: 'packed', data: ['x', 'y'], codec: 'LZO' as const }, { name: 'plain', data: ['x', 'y'] }, ...[...packers.keys()].map((codec) => ({ name: `by ${codec}`, data: [`first of ${codec}`, 'second'], codec }))]
  await edge.commit(
    await put('/endless.parquet', endless()),
    await put('/long.parquet', withFooter(9 * MiB)),
    await put('/longest.parquet', withFooter(70 * MiB)),
    await put('/beyond.parquet', withFooter(100, 4_000_000_000)),
    await put('/packed.parquet', new Uint8Array(parquetWriteBuffer({ columnData, compressors }))),
  )
  bed = await ConsoleBed.start(edge.url)
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
})

/** A page that its own decompression never leaves: a literal of snappy that leads back to itself. */
function endless(): Uint8Array {
  const bytes = parquetBytes(500)
  const { data_page_offset, dictionary_page_offset } = parquetMetadata(bytes).row_groups[0]!.columns[0]!.meta_data!
  const page = readHeader(new DataView(bytes.buffer), Number(dictionary_page_offset ?? data_page_offset), bytes.length)
  bytes.set([1, 0xfc, 0xfa, 0xff, 0xff, 0xff, 0, 0], page.end)
  return bytes
}

/** The footer of a file at the end of one that is as long as it is said to be, in front of it zeroes. */
function withFooter(bytes: number, said = bytes): Uint8Array {
  const footer = parquetBytes(10)
  const tail = new Uint8Array(8)
  new DataView(tail.buffer).setUint32(0, said, true)
  tail.set(footer.subarray(-4), 4)
  return concatBytes([footer.subarray(0, 4), new Uint8Array(bytes), tail])
}

test('a file that is endless, too long or not to be read is a sentence, and the page goes on', async () => {
  const opened = await bed.open('#/demo/')
  const { page, shows } = opened
  await page.locator('.rows .name').first().waitFor()
  const go = (name: string): Promise<string> => page.evaluate((hash) => (location.hash = hash), `#/demo/${name}`)
  await go('beyond.parquet')
  await page.getByText('Cannot show the file as Parquet: its footer is said to be longer than the file; download it to look closer.').waitFor()
  await go('packed.parquet')
  await page.getByText('“packed” is compressed with LZO, which this page cannot read: rows are shown without.').waitFor()
  await page.getByRole('columnheader', { name: 'plain' }).waitFor()
  for (const codec of packers.keys()) await page.getByRole('cell', { name: `first of ${codec}`, exact: true }).waitFor()
  const before = opened.received()
  await go('longest.parquet')
  await page.getByText('Its footer, which says what is in the file, is 70 MiB long: more than this page reads.').waitFor()
  await go('long.parquet')
  await page.getByText('Its footer, which says what is in the file, is 9.0 MiB long, and is read whole.').waitFor()
  expect(opened.received() - before).toBeLessThan(MiB)
  await page.getByRole('button', { name: 'Read 9.0 MiB' }).click()
  await page.getByRole('alert').getByText('Cannot show the file as Parquet: its footer is damaged').waitFor()
  await page.evaluate(() => {
    const send = Worker.prototype.postMessage
    const sent: string[] = []
    Worker.prototype.postMessage = function (this: Worker, ...given: unknown[]) {
      sent.push((given[0] as { ask: string }).ask)
      Reflect.apply(send, this, given)
    }
    Object.assign(globalThis, { sent })
  })
  await page.clock.install()
  await go('endless.parquet')
  // The page is as quick as ever while the worker goes round and round: it has what it wished for.
  await page.waitForFunction(() => /rows.*bytes/.test((globalThis as unknown as { sent: string[] }).sent.join(' ')))
  await page.clock.runFor(11_000)
  await page.getByText('Cannot show the file as Parquet: 10 seconds were not enough to understand it; download it to look closer.').waitFor()
  await page.getByText('500 rows, 3 columns, 1 row group').waitFor()
  await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(0)
  await go('')
  await shows('demo')
  expectNoProblems(opened)
})
