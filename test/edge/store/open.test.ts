import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'
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

test('an Azure store is opened by its URL, without a request, and its key is in no label', async () => {
  const environment = { AZURE_STORAGE_SAS_TOKEN: 'sv=1&sig=secret' }
  const opened = await openStore('az://account/container/p?endpoint=http://127.0.0.1:9/account', { ...settings, environment })
  expect(opened.store.label).toBe('az://account/container/p?endpoint=http://127.0.0.1:9/account')
  await opened.dispose()
})

/** Packages that are loaded with a file, not when something in it is called. */
async function packagesLoadedWith(entry: string): Promise<readonly string[]> {
  const { metafile } = await build({ entryPoints: [entry], bundle: true, write: false, metafile: true, packages: 'external', platform: 'node', format: 'esm' })
  const seen = new Set<string>()
  const packages = new Set<string>()
  const follow = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const { path: target, kind, external } of metafile.inputs[file]?.imports ?? []) {
      if (kind === 'dynamic-import') continue
      if (external === true) packages.add(target)
      else follow(target)
    }
  }
  for (const file of Object.keys(metafile.inputs)) if (path.resolve(file) === entry) follow(file)
  expect(seen.size).toBeGreaterThan(5)
  return [...packages]
}

test.each([['shim/main.ts'], ['edge/store/open.ts'], ['edge/worker.ts'], ['edge/deno.ts']])('%s loads no client of a cloud until one is opened', async (entry) => {
  const packages = await packagesLoadedWith(path.resolve(import.meta.dirname, '../../..', entry))
  expect(packages.filter((name) => /^@(?:aws-sdk|smithy|azure)\//.test(name))).toEqual([])
})

test('the bundle of the Worker has no client of a cloud in it at all', async () => {
  const entry = path.resolve(import.meta.dirname, '../../../edge/worker.ts')
  const { metafile } = await build({ entryPoints: [entry], bundle: true, write: false, metafile: true, platform: 'browser', format: 'esm', external: ['node:*', 'cloudflare:*'] })
  expect(Object.keys(metafile.inputs).filter((file) => /node_modules\/@(?:aws-sdk|smithy|azure)\//.test(file))).toEqual([])
})
