/** `edgemount/service-worker` in Chromium: readers that know nothing of it get verified bytes below a path of their own origin, with and without the edge. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type * as Registration from '../../edge/browser/service-worker/registration.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge/edge-under-test.ts'
import { type ChromiumBed, type Visit, startChromium } from '../support/chromium.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { shellWorker, workerFiles } from '../support/service-worker-page.ts'

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
    expect(visit.problems.filter((problem) => !problem.includes('416'))).toEqual([])
  })
})
