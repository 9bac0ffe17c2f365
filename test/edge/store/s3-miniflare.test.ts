/** The S3 store against the S3 endpoint of Cloudflare's simulator: signed requests, If-Match in quotes. */
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, expect, test } from 'vitest'
import { testStore } from '../../suites/store.ts'
import { s3StoreAt, testBucket } from '../../support/s3-servers.ts'
import { failureOf, text } from '../../support/store-bytes.ts'

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

test('a wrong secret key is denied, and no message holds it', async () => {
  const store = s3StoreAt({ ...(await server()), secretAccessKey: 'not-the-secret' }, 'denied')
  expect(await failureOf(store.put('k', text('x')))).toBe('denied')
  await expect(store.get('k')).rejects.toThrow(/^Cannot read "k" from s3:\/\/edgemount-test\/denied\?endpoint=http:\S+: (?!.*not-the-secret).*AWS_SECRET_ACCESS_KEY/)
})
