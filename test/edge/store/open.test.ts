import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../../edge/store/open.ts'
import { systemClock } from '../../../shared/clock.ts'
import { Metrics } from '../../../shared/metrics.ts'
import { systemRandom } from '../../../shared/random.ts'
import { bytesAt, expectBytes, text } from '../../support/store-bytes.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const settings = { clock: systemClock, random: systemRandom }

test('a directory store, opened, written, opened again', async () => {
  const root = path.join(await tempDirectory(), 'data')
  const metrics = new Metrics()
  const first = await openStore(`dir:${root}`, { ...settings, metrics })
  expect(first.store.label).toBe(`dir:${root}`)
  await first.store.create('demo/head', text('1'))
  await first.dispose()
  expect(await readdir(path.join(root, 'demo'))).toEqual(['head'])
  expect(metrics.text()).toContain('edgemount_store_calls_total{operation="create",result="ok"} 1')
  const second = await openStore(`dir:${root}`, settings)
  onTestFinished(() => second.dispose())
  expectBytes(await bytesAt(second.store, 'demo/head'), text('1'))
})

test('each memory store is its own', async () => {
  const [one, two] = [await openStore('memory:', settings), await openStore('memory:', settings)]
  await one.store.create('k', text('x'))
  expect(await two.store.get('k')).toBeUndefined()
  await one.dispose()
})

test('an S3 store is opened by its URL or the environment, without a request', async () => {
  const opened = await openStore('s3://bucket/some/prefix?endpoint=http://127.0.0.1:9/&region=eu-north-1', settings)
  onTestFinished(() => opened.dispose())
  expect(opened.store.label).toBe('s3://bucket/some/prefix?endpoint=http://127.0.0.1:9')
  const other = await openStore('s3://bucket', { ...settings, environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:10' } })
  onTestFinished(() => other.dispose())
  expect(other.store.label).toBe('s3://bucket?endpoint=http://127.0.0.1:10')
})
