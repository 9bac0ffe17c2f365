/** What a file's address answers, row by row, as it stands on the wire. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHash } from 'node:crypto'
import { pattern } from '../support/store-bytes.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { type EdgeUnderTest, fileOperation } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

const letters = 'abcdefghijklmnopqrstuvwxyz'
const modified = Date.UTC(2025, 0, 15, 10) / 1000
const date = (seconds: number): string => new Date(seconds * 1000).toUTCString()
const tag = `"${createHash('sha256').update(letters).digest('hex')}"`
const big = pattern(3_000_000)

let edge: EdgeUnderTest

interface Row {
  readonly title: string
  readonly method?: string
  readonly file?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly status: number
  readonly body?: string
  readonly has?: Readonly<Record<string, string | undefined>>
}

const range = (value: string): { range: string } => ({ range: value })
const part = (value: string, start: number, end: number, more: object = {}): Row => ({
  title: value,
  headers: { ...range(value), ...more },
  status: 206,
  body: letters.slice(start, end),
  has: { 'content-range': `bytes ${start}-${end - 1}/26`, 'content-length': String(end - start) },
})
const whole = (title: string, headers: Record<string, string> = {}): Row => ({
  title,
  headers,
  status: 200,
  body: letters,
  has: { 'content-range': undefined, 'content-length': '26' },
})
const unsatisfiable = (value: string): Row => ({
  title: value,
  headers: range(value),
  status: 416,
  has: { 'content-range': 'bytes */26', 'cache-control': 'no-store', etag: tag },
})

const rangeRows: readonly Row[] = [
  whole('no Range'),
  part('bytes=0-0', 0, 1),
  part('bytes=0-25', 0, 26),
  part('bytes=0-', 0, 26),
  part('bytes=5-9', 5, 10),
  part('bytes=25-', 25, 26),
  part('bytes=20-99', 20, 26),
  part('bytes=-1', 25, 26),
  part('bytes=-26', 0, 26),
  part('bytes=-99', 0, 26),
  part('BYTES=1-2', 1, 3),
  part('bytes=01-002', 1, 3),
  part('bytes= 1-2', 1, 3),
  part('bytes=1-2,', 1, 3),
  part('bytes=0-4,5-9', 0, 10),
  part('bytes=9-12,0-9', 0, 13),
  part('bytes=0-4,10-14', 0, 15),
  part('bytes=0-1,99-', 0, 2),
  part('bytes=0-18446744073709551616', 0, 26),
  unsatisfiable('bytes=26-'),
  unsatisfiable('bytes=26-30'),
  unsatisfiable('bytes=-0'),
  unsatisfiable('bytes=99-,100-'),
  unsatisfiable('bytes=18446744073709551616-'),
  whole('bytes=9-5', range('bytes=9-5')),
  whole('bytes=-', range('bytes=-')),
  whole('bytes=', range('bytes=')),
  whole('bytes', range('bytes')),
  whole('bytes=x-y', range('bytes=x-y')),
  whole('bytes=0-1;2-3', range('bytes=0-1;2-3')),
  whole('bytes=0-1,x', range('bytes=0-1,x')),
  whole('bytes=0x1-2', range('bytes=0x1-2')),
  whole('bytes:0-1', range('bytes:0-1')),
  whole('rows=0-1', range('rows=0-1')),
  whole('an empty Range', range('')),
  whole('201 ranges', range(`bytes=${'0-0,'.repeat(201)}`)),
  { title: 'an empty file', file: 'empty', status: 200, body: '', has: { 'content-length': '0' } },
  { title: 'bytes=0- of an empty file', file: 'empty', headers: range('bytes=0-'), status: 416, has: { 'content-range': 'bytes */0' } },
  { title: 'bytes=-5 of an empty file', file: 'empty', headers: range('bytes=-5'), status: 200, body: '', has: { 'content-range': undefined } },
  { title: 'bytes=0-0 of one byte', file: 'one', headers: range('bytes=0-0'), status: 206, body: 'x', has: { 'content-range': 'bytes 0-0/1' } },
  { title: 'bytes=-5 of one byte', file: 'one', headers: range('bytes=-5'), status: 206, body: 'x' },
]

const rangeWanted = range('bytes=0-4')
const ranged = (title: string, headers: Record<string, string>): Row => ({ title, headers: { ...rangeWanted, ...headers }, status: 206, body: 'abcde' })
const ifRangeRows: readonly Row[] = [
  ranged('If-Range with the tag', { 'if-range': tag }),
  whole('If-Range with another tag', { ...rangeWanted, 'if-range': '"other"' }),
  whole('If-Range with the tag, weak', { ...rangeWanted, 'if-range': `W/${tag}` }),
  whole('If-Range with the date: it is no strong validator', { ...rangeWanted, 'if-range': date(modified) }),
  whole('If-Range with an earlier date', { ...rangeWanted, 'if-range': date(modified - 1) }),
  whole('If-Range with a later date', { ...rangeWanted, 'if-range': date(modified + 1) }),
  whole('If-Range with what is neither', { ...rangeWanted, 'if-range': tag.slice(1, -1) }),
  whole('If-Range without Range', { 'if-range': tag }),
  whole('If-Range fails before an unsatisfiable Range', { range: 'bytes=99-', 'if-range': '"other"' }),
]

const failed: Pick<Row, 'status' | 'has'> = { status: 412, has: { 'cache-control': 'no-store' } }
const unmodified: Pick<Row, 'status' | 'body' | 'has'> = {
  status: 304,
  body: '',
  has: { etag: tag, 'last-modified': date(modified), 'cache-control': 'no-cache, no-transform', 'content-length': undefined },
}
const conditionRows: readonly Row[] = [
  whole('If-Match: the tag', { 'if-match': tag }),
  whole('If-Match: a list with the tag', { 'if-match': `"a", ${tag}` }),
  whole('If-Match: *', { 'if-match': '*' }),
  { title: 'If-Match: another', headers: { 'if-match': '"a"' }, ...failed },
  { title: 'If-Match: the tag, weak', headers: { 'if-match': `W/${tag}` }, ...failed },
  { title: 'If-Match: unquoted', headers: { 'if-match': 'abc' }, ...failed },
  { title: 'If-None-Match: the tag', headers: { 'if-none-match': tag }, ...unmodified },
  { title: 'If-None-Match: the tag, weak', headers: { 'if-none-match': `W/${tag}` }, ...unmodified },
  { title: 'If-None-Match: *', headers: { 'if-none-match': '*' }, ...unmodified },
  { title: 'If-None-Match: a list', headers: { 'if-none-match': `"x,y", ${tag}` }, ...unmodified },
  whole('If-None-Match: another', { 'if-none-match': '"a"' }),
  { title: 'If-None-Match on HEAD', method: 'HEAD', headers: { 'if-none-match': tag }, ...unmodified },
  { title: 'If-None-Match before Range', headers: { 'if-none-match': tag, range: 'bytes=0-4' }, ...unmodified },
  { title: 'If-None-Match before an unsatisfiable Range', headers: { 'if-none-match': tag, range: 'bytes=99-' }, ...unmodified },
  { title: 'If-Modified-Since: the date', headers: { 'if-modified-since': date(modified) }, ...unmodified },
  { title: 'If-Modified-Since: later', headers: { 'if-modified-since': date(modified + 5) }, ...unmodified },
  { title: 'If-Modified-Since in the form of RFC 850', headers: { 'if-modified-since': 'Wednesday, 15-Jan-25 10:00:00 GMT' }, ...unmodified },
  { title: 'If-Modified-Since in the form of asctime', headers: { 'if-modified-since': 'Wed Jan 15 10:00:00 2025' }, ...unmodified },
  whole('If-Modified-Since: earlier', { 'if-modified-since': date(modified - 1) }),
  whole('If-Modified-Since: no date', { 'if-modified-since': 'today' }),
  whole('If-None-Match is stronger than If-Modified-Since', { 'if-none-match': '"a"', 'if-modified-since': date(modified + 5) }),
  whole('If-Unmodified-Since: the date', { 'if-unmodified-since': date(modified) }),
  { title: 'If-Unmodified-Since: earlier', headers: { 'if-unmodified-since': date(modified - 1) }, ...failed },
  whole('If-Match is stronger than If-Unmodified-Since', { 'if-match': tag, 'if-unmodified-since': date(modified - 1) }),
  { title: 'If-Match fails before If-None-Match', headers: { 'if-match': '"a"', 'if-none-match': tag }, ...failed },
  { title: 'If-None-Match after If-Match', headers: { 'if-match': tag, 'if-none-match': tag }, ...unmodified },
  { title: 'If-Match fails before Range', headers: { 'if-match': '"a"', range: 'bytes=0-4' }, ...failed },
  { title: 'If-Match and Range', headers: { 'if-match': tag, range: 'bytes=0-4' }, status: 206, body: 'abcde' },
]

const headRows: readonly Row[] = [
  { title: 'HEAD', method: 'HEAD', status: 200, body: '', has: { 'content-length': '26', 'accept-ranges': 'bytes', etag: tag } },
  {
    title: 'HEAD with a satisfiable range',
    method: 'HEAD',
    headers: range('bytes=0-4'),
    status: 206,
    body: '',
    has: { 'content-length': '5', 'content-range': 'bytes 0-4/26' },
  },
  { title: 'HEAD with an unsatisfiable range', method: 'HEAD', headers: range('bytes=99-'), status: 200, body: '', has: { 'content-length': '26' } },
  { title: 'HEAD with several ranges', method: 'HEAD', headers: range('bytes=0-0,500-'), status: 206, body: '', has: { 'content-length': '1' } },
  { title: 'HEAD with a malformed range', method: 'HEAD', headers: range('bytes=z'), status: 200, body: '' },
  { title: 'HEAD with a failing If-Match', method: 'HEAD', headers: { 'if-match': '"a"' }, status: 412, body: '' },
  { title: 'HEAD of nothing', method: 'HEAD', file: 'nothing', status: 404, body: '' },
]

async function ask({ method = 'GET', file = 'letters.txt', headers = {} }: Row): Promise<RawResponse> {
  return await edge.raw({ method, path: `/v1/demo/files/${file}`, headers })
}

/** The row's own wishes, and what holds for every answer with a body of the file. */
function expectRow({ status, body, has = {}, file }: Row, response: RawResponse): void {
  const text = response.body.toString()
  const isBody = status === 200 || status === 206
  const always = { 'accept-ranges': 'bytes', 'cache-control': 'no-cache, no-transform', 'last-modified': date(modified) }
  const absent = ['content-encoding', ...Object.keys(has).filter((name) => has[name] === undefined)]
  expect({ status: response.status, isCut: response.isCut, text }).toEqual({ status, isCut: false, text: body ?? text })
  expect(response.headers).toMatchObject({ ...(isBody ? always : {}), ...(isBody && file === undefined ? { etag: tag } : {}), ...definedOf(has) })
  expect(absent.filter((name) => name in response.headers)).toEqual([])
}

function definedOf(has: NonNullable<Row['has']>): Record<string, string> {
  const defined: Record<string, string> = {}
  for (const [name, value] of Object.entries(has)) if (value !== undefined) defined[name] = value
  return defined
}

describe.each(runtimes)('on %s', (_runtime, start) => {
  beforeAll(async () => {
    edge = await start()
    const times = { mtime: { seconds: modified, nanoseconds: 123_456_789 }, ctime: { seconds: modified, nanoseconds: 0 } }
    await edge.commit(
      await fileOperation(edge.volume, '/letters.txt', letters, times),
      await fileOperation(edge.volume, '/empty', '', times),
      await fileOperation(edge.volume, '/one', 'x', times),
      await fileOperation(edge.volume, '/big.bin', big, times),
    )
  })

  afterAll(() => edge.close())

  describe.each([
    ['ranges', rangeRows],
    ['If-Range', ifRangeRows],
    ['preconditions', conditionRows],
    ['HEAD', headRows],
  ])('%s', (_, rows) => {
    it.each(rows)('$title → $status', async (row) => {
      expectRow(row, await ask(row))
    })
  })

  describe('an mtime that is set back', () => {
    it('together with new bytes is no reason to keep the old ones', async () => {
      const mtime = { seconds: modified, nanoseconds: 0 }
      await edge.commit(await fileOperation(edge.volume, '/again', 'first', { mtime, ctime: mtime }))
      const first = await ask({ title: '', file: 'again', status: 200 })
      await edge.commit(await fileOperation(edge.volume, '/again', 'other', { mtime, replace: true }))
      const date = first.headers['last-modified'] ?? ''
      const later = await ask({ title: '', file: 'again', headers: { 'if-modified-since': date }, status: 200 })
      expect([later.status, later.body.toString()]).toEqual([200, 'other'])
      expect((await ask({ title: '', file: 'again', headers: { 'if-unmodified-since': date }, status: 412 })).status).toBe(412)
      expect((await ask({ title: '', file: 'again', headers: { ...rangeWanted, 'if-range': later.headers['last-modified'] ?? '' }, status: 200 })).status).toBe(200)
    })
  })

  describe('bodies of several chunks', () => {
    it.each([
      [0, 3_000_000],
      [0, 1],
      [2_999_999, 3_000_000],
      [65_535, 65_537],
      [100_000, 2_900_000],
      [1_048_575, 1_048_577],
    ])('bytes %d to %d', async (start, end) => {
      const response = await ask({ title: '', file: 'big.bin', headers: range(`bytes=${start}-${end - 1}`), status: 206 })
      expect(response.status).toBe(206)
      expect(response.body.equals(big.subarray(start, end))).toBe(true)
    })

    it('several ranges are multipart/byteranges of exactly the promised length', async () => {
      const wanted = [[2_000_000, 2_000_010], [0, 100_000], [1_000_000, 1_200_000]] as const
      const header = `bytes=${wanted.map(([start, end]) => `${start}-${end - 1}`).join(', ')}`
      const response = await ask({ title: '', file: 'big.bin', headers: range(header), status: 206 })
      expect(response.status).toBe(206)
      expect(response.headers).not.toHaveProperty('content-range')
      expect(response.isCut).toBe(false)
      const boundary = /^multipart\/byteranges; boundary=([0-9a-f]{32})$/.exec(response.headers['content-type'] ?? '')?.[1]
      const parts = wanted.map(([start, end], index) => {
        const lead = index === 0 ? '' : '\r\n'
        const head = `${lead}--${boundary}\r\ncontent-type: application/octet-stream\r\ncontent-range: bytes ${start}-${end - 1}/3000000\r\n\r\n`
        return Buffer.concat([Buffer.from(head), big.subarray(start, end)])
      })
      expect(response.body.equals(Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]))).toBe(true)
    })

    it('200 tiny ranges cost what they are worth', async () => {
      const header = `bytes=${Array.from({ length: 200 }, (_, index) => `${index * 10_000}-${index * 10_000}`).join()}`
      const response = await ask({ title: '', file: 'big.bin', headers: range(header), status: 206 })
      expect(response.status).toBe(206)
      expect(response.body.length).toBeLessThan(200 * 200)
    })

    it('overlapping ranges never send a byte twice', async () => {
      const response = await ask({ title: '', file: 'big.bin', headers: range(`bytes=${'0-,'.repeat(150)}0-`), status: 206 })
      expect(response.headers['content-range']).toBe('bytes 0-2999999/3000000')
      expect(response.body.length).toBe(3_000_000)
    })
  })
})
