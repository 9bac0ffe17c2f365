/** The S3 store against Ceph's radosgw, a server of its own kind: it wants If-Match without quotes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testLeases } from '../../suites/leases.ts'
import { testStore } from '../../suites/store.ts'
import { type Radosgw, startRadosgw } from '../../support/radosgw.ts'
import { makeBucket, s3StoreAt } from '../../support/s3-servers.ts'
import { bytesAt, expectBytes, pattern, text } from '../../support/store-bytes.ts'

let server: Radosgw | undefined
let storeCount = 0

beforeAll(async () => {
  server = await startRadosgw()
  await makeBucket(server)
})

afterAll(() => server?.stop())

testStore('s3 (radosgw)', async () => ({ store: s3StoreAt(server!, `t${(storeCount += 1)}`) }), { keyBytesMax: 1016 })
testLeases('s3 (radosgw)', async () => ({ store: s3StoreAt(server!, `t${(storeCount += 1)}`) }))

test('the form of If-Match is learnt once, and nothing of that stays', async () => {
  const counted: string[] = []
  const counting: typeof fetch = (input, init) => {
    counted.push(`${init?.method} ${new Headers(init?.headers).get('if-match') === null ? '' : 'if-match'}`.trim())
    return fetch(input, init)
  }
  const store = s3StoreAt(server!, 'learn', { fetch: counting })
  await store.put('lease', text('1'))
  const { etag } = (await store.get('lease'))!
  const second = await store.replace('lease', text('2'), etag)
  expect(second).toBeDefined()
  counted.length = 0
  expect(await store.replace('lease', text('3'), second!)).toBeDefined()
  expect(counted).toEqual(['PUT if-match'])
  expect(await store.list('')).toEqual([{ key: 'lease', size: 1 }])
})

test('a large object goes in parts', async () => {
  const body = pattern(12 * 2 ** 20 + 7)
  const store = s3StoreAt(server!, 'parts', { singleBytesMax: 2 ** 20, partBytes: 5 * 2 ** 20 })
  await store.put('data/large', body)
  expectBytes(await bytesAt(store, 'data/large'), body)
  expectBytes(await bytesAt(store, 'data/large', { start: 5 * 2 ** 20 - 1, end: 5 * 2 ** 20 + 1 }), body.subarray(5 * 2 ** 20 - 1, 5 * 2 ** 20 + 1))
})
