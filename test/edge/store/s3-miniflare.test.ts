/** The S3 store against the S3 endpoint of Cloudflare's simulator: signed requests, If-Match in quotes. */
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, expect, test } from 'vitest'
import { Volume } from '../../../shared/volume/volume.ts'
import { testLeases } from '../../suites/leases.ts'
import { testStore } from '../../suites/store.ts'
import { s3StoreAt, testBucket } from '../../support/s3-servers.ts'
import { failureOf, text } from '../../support/store-bytes.ts'
import { engineOf, linesOf, newVolume } from '../../support/test-volume.ts'

const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: 'export default {}',
    r2Buckets: { BUCKET: { id: testBucket, s3Credentials: credentials } },
    compatibilityDate: '2026-10-01',
  }),
)
let storeCount = 0

afterAll(() => miniflare.dispose())

async function server(): Promise<{ endpoint: string; accessKeyId: string; secretAccessKey: string }> {
  return { endpoint: `${(await miniflare.ready).origin}/cdn-cgi/local/r2/s3`, ...credentials }
}

testStore('s3 (miniflare)', async () => ({ store: s3StoreAt(await server(), `t${(storeCount += 1)}`) }), { keyBytesMax: 1016 })
testLeases('s3 (miniflare)', async () => ({ store: s3StoreAt(await server(), `t${(storeCount += 1)}`) }))

test('a wrong secret key is denied, and no message holds it', async () => {
  const store = s3StoreAt({ ...(await server()), secretAccessKey: 'not-the-secret' }, 'denied')
  expect(await failureOf(store.put('k', text('x')))).toBe('denied')
  await expect(store.get('k')).rejects.toThrow(/^Cannot read "k" from s3:\/\/edgemount-test\/denied\?endpoint=http:\S+: (?!.*not-the-secret).*AWS_SECRET_ACCESS_KEY/)
})

test('commits whose answers are lost are there, each once', async () => {
  let lostCount = 0
  const lossy: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init)
    const isCommit = init?.method === 'PUT' && new Headers(init.headers).has('if-none-match') && typeof input === 'string' && input.includes('/log/')
    if (!isCommit) return answer
    lostCount += 1
    await answer.body?.cancel()
    return new Response(null, { status: 500 })
  }
  const store = s3StoreAt(await server(), 'lossy', { fetch: lossy })
  const volume = await newVolume({ store })
  const names = ['/a', '/b', '/c', '/d']
  for (const path of names) await volume.writer().commit([{ op: 'mkdir', path }])
  expect(lostCount).toBeGreaterThanOrEqual(names.length)
  const head = await volume.head()
  expect((await linesOf(head)).filter((line) => names.some((name) => line.startsWith(name)))).toHaveLength(names.length)
  expect(await store.list('log/')).toHaveLength(names.length + 1)
})

test('of writers that commit at once, through stores of their own, each has its commits', async () => {
  const volume = await newVolume({ store: s3StoreAt(await server(), 'racing') })
  const writers = await Promise.all([1, 2, 3, 4].map(async (seed) => Volume.open(engineOf(s3StoreAt(await server(), 'racing'), { seed }))))
  await Promise.all(writers.map(async (writer, index) => {
    for (let round = 0; round < 3; round += 1) await writer.writer().commit([{ op: 'mkdir', path: `/by-${index}-${round}` }])
  }))
  expect((await linesOf(await volume.head())).filter((line) => line.startsWith('/by-'))).toHaveLength(12)
})
