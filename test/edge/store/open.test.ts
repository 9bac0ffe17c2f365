import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openStore, parseStoreUrl } from '../../../edge/store/open.ts'
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { Metrics } from '../../../shared/metrics.ts'
import { systemRandom } from '../../../shared/random.ts'
import { bytesAt, expectBytes, text } from '../../support/store-bytes.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const settings = { clock: systemClock, random: systemRandom }

test.each([
  ['dir:./data', { kind: 'directory', path: './data' }],
  ['dir:/srv/a b', { kind: 'directory', path: '/srv/a b' }],
  ['DIR:x', { kind: 'directory', path: 'x' }],
  ['memory:', { kind: 'memory' }],
])('%s', (url, parsed) => {
  expect(parseStoreUrl(url)).toEqual(parsed)
})

test.each([
  ['./data', 'invalid', 'Cannot open the store "./data": it names no kind of store; for a directory write "dir:./data"'],
  ['', 'invalid', 'Cannot open the store "": it names no kind of store; for a directory write "dir:"'],
  ['dir:', 'invalid', 'Cannot open the store "dir:": "dir:" needs a path, for example dir:./data'],
  ['memory:x', 'invalid', 'Cannot open the store "memory:x": nothing may follow "memory:"'],
  ['s3://bucket', 'unsupported', 'Cannot open the store "s3://bucket": "s3:" is not supported; use dir:<path> or memory:'],
] as const)('%j is refused as %s', (url, code, message) => {
  expect(() => parseStoreUrl(url)).toThrow(new EdgemountError(code, message))
})

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
