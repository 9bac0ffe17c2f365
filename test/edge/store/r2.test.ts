/** The R2 store against miniflare's R2, which runs in workerd's own simulator. One bucket a test. */
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll } from 'vitest'
import { type R2Bucket, R2Store } from '../../../edge/store/r2.ts'
import { testLeases } from '../../suites/leases.ts'
import { type StoreUnderTest, testStore } from '../../suites/store.ts'

const bucketCount = 120
const buckets = Array.from({ length: bucketCount }, (_, index) => `BUCKET${index}`)
const miniflare = new Miniflare(
  convertV4MiniflareOptions({ modules: true, script: 'export default {}', r2Buckets: buckets, compatibilityDate: '2026-10-01' }),
)

afterAll(() => miniflare.dispose())

const open = async (): Promise<StoreUnderTest> => {
  const name = buckets.pop()
  if (name === undefined) throw new Error(`The suites have more than ${bucketCount} tests: give miniflare more buckets`)
  return { store: new R2Store((await miniflare.getR2Bucket(name)) as unknown as R2Bucket, name) }
}

testStore('r2', open)
testLeases('r2', open)
