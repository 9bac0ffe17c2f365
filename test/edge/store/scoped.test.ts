import { expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { ScopedStore } from '../../../edge/store/scoped.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { bytesAt, expectBytes, failureOf, text } from '../../support/store-bytes.ts'
import { type StoreUnderTest, testStore } from '../../suites/store.ts'

const openScoped = async (): Promise<StoreUnderTest> => {
  const inner = new MemoryStore()
  await inner.create('demo', text('beside the scope'))
  await inner.create('demo-2/x', text('another scope'))
  await inner.create('demo0', text('after the scope'))
  return { store: new ScopedStore(inner, 'demo') }
}
testStore('scoped', openScoped, { keyBytesMax: 1024 - 'demo/'.length })

test('keys of the scope lie below its prefix, and nothing else can be reached', async () => {
  const inner = new MemoryStore()
  const scoped = new ScopedStore(inner, 'team/demo')
  await inner.create('team/other', text('secret'))
  await scoped.create('log/1', text('x'))
  expectBytes(await bytesAt(inner, 'team/demo/log/1'), text('x'))
  expect(await failureOf(scoped.get('../other'))).toBe('invalid')
  expect(await failureOf(scoped.list('../'))).toBe('invalid')
  expect(await scoped.list('')).toEqual([{ key: 'log/1', size: 1 }])
  expect(scoped.label).toBe('memory:/team/demo')
})

test.each(['', '/', '..', 'a/', '/a'])('%j is no scope', (scope) => {
  expect(() => new ScopedStore(new MemoryStore(), scope)).toThrow(/Cannot use the key/)
})

test('in the address of a cloud the scope comes before the parameters', () => {
  const labelled = (label: string): ObjectStore => ({ ...aroundCalls(new MemoryStore(), (_, run) => run(undefined)), label })
  expect(new ScopedStore(labelled('s3://bucket/p?endpoint=http://h'), 'demo').label).toBe('s3://bucket/p/demo?endpoint=http://h')
  expect(new ScopedStore(labelled('dir:/srv/what?'), 'demo').label).toBe('dir:/srv/what?/demo')
})
