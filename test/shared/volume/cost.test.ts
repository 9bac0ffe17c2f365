/** What operations cost in requests, counted. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { encodeEntry } from '../../../shared/format/entry-codec.ts'
import type { Entry } from '../../../shared/format/entry.ts'
import { editTree } from '../../../shared/format/tree-edit.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { CommitLog } from '../../../shared/volume/commit-log.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { silentLogger } from '../../../shared/log.ts'
import { bytesOf, expectBytes, engineOf, newVolume, nodeHash, notingStore, randomBytes, utf8, writesOf } from '../../support/test-volume.ts'

const million = 1_000_000

test('a directory of a million entries resolves a name in 3 page reads and takes a new file in 3 writes', async () => {
  const inner = new MemoryStore()
  await volumeOfMillion(inner)
  const { store, calls } = notingStore(inner)
  const volume = await Volume.open(engineOf(store, { seed: 2 }))
  const head = await volume.head()
  calls.length = 0
  expect((await head.resolve('/big/file-0777777')).size).toBe(5)
  expect(calls.filter((call) => call.startsWith('get meta/')).length).toBeLessThanOrEqual(3)
  await expect(head.resolve('/big/file-0777777x')).rejects.toMatchObject({ code: 'not-found' })

  const writer = volume.writer()
  calls.length = 0
  const { snapshot } = await writer.commit([{ op: 'create', path: '/big/file-0777777x', ...(await writer.write([randomBytes(1, 10_000)])) }])
  expect(writesOf(calls)).toEqual(['create data', 'create meta', 'create log'])
  expect(calls.filter((call) => call.startsWith('get meta/')).length).toBeLessThanOrEqual(8)
  expectBytes(await bytesOf(snapshot, '/big/file-0777777x'), randomBytes(1, 10_000))
  expect(await snapshot.resolve('/big')).toMatchObject({ content: { root: { entryCount: million + 1 } } })
  await volume.close()
}, 60_000)

test('ten thousand small files are one data pack, one metadata pack and one record', async () => {
  const { store, calls } = notingStore()
  const volume = await newVolume({ store })
  const writer = volume.writer()
  calls.length = 0
  const body = randomBytes(3, 5000)
  const operations = await Promise.all(
    Array.from({ length: 10_000 }, async (_, index): Promise<Operation> => {
      const own = body.slice()
      own.set(utf8(String(index)))
      return { op: 'create', path: `/d${index % 100}/f${index}`, parents: true, ...(await writer.write([own])) }
    }),
  )
  const { snapshot } = await writer.commit(operations)
  expect(writesOf(calls)).toEqual(['create data', 'create meta', 'create log'])
  calls.length = 0
  let count = 0
  for await (const { entry } of snapshot.walk()) count += entry.kind === 'file' ? 1 : 0
  expect(count).toBe(10_000)
  // A walk in a fresh process: neighbouring directories share requests.
  const again = await (await Volume.open(engineOf(store))).head()
  calls.length = 0
  for await (const { path } of again.walk()) count -= path.includes('/f') ? 1 : 0
  expect(count).toBe(0)
  expect(calls.length).toBeLessThan(15)
  await volume.close()
}, 60_000)

test('a file that fits its entry costs no data pack', async () => {
  const { store, calls } = notingStore()
  const volume = await newVolume({ store })
  calls.length = 0
  const writer = volume.writer()
  await writer.commit([{ op: 'create', path: '/a', ...(await writer.write([utf8('small')])) }])
  expect(writesOf(calls)).toEqual(['create meta', 'create log'])
})

test('a range of a sparse file of 10 TiB is found in 3 page reads', async () => {
  const { store, calls } = notingStore()
  const volume = await newVolume({ store })
  const writer = volume.writer()
  const stored = await writer.write([randomBytes(5, 12_000)])
  const { snapshot } = await writer.commit([{ op: 'create', path: '/f', ...stored }])
  const [first] = await Array.fromAsync(snapshot.runs(await snapshot.resolve('/f')))
  const chunk = first!.run
  const holeBytes = 10 * 2 ** 20
  function* runs(): Iterable<typeof chunk> {
    for (let index = 0; index < 2 ** 20; index += 1) {
      yield chunk
      yield { kind: 'hole', length: holeBytes - chunk.length }
    }
  }
  const sparse = await writer.assemble(runs())
  expect(sparse.size).toBe(10 * 2 ** 40)
  await writer.commit([{ op: 'create', path: '/sparse', ...sparse }])
  const head = await (await Volume.open(engineOf(store))).head()
  const entry = await head.resolve('/sparse')
  calls.length = 0
  const at = 777_777 * holeBytes
  const [run] = await Array.fromAsync(head.runs(entry, { start: at, end: at + 1 }))
  expect(run).toEqual({ start: at, run: chunk })
  expect(calls.length).toBeLessThanOrEqual(3)
}, 60_000)

/** Built from its tree, which takes seconds; a million operations would take more. */
async function volumeOfMillion(store: ObjectStore): Promise<void> {
  const engine = engineOf(store)
  const volume = await Volume.create(engine, { name: 'big' })
  const writer = volume.writer()
  const { root } = (await writer.commit([{ op: 'mkdir', path: '/big' }, { op: 'create', path: '/big/x', ...(await writer.write([utf8('12345')])) }])).snapshot
  const head = await volume.head()
  const file = encodeEntry(await head.resolve('/big/x'))
  const io = { load: (pointer: Parameters<typeof head.pages.load>[0]) => head.pages.load(pointer), store: (page: Uint8Array) => writer.storePage(page) }
  function* edits(): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    for (let index = 0; index < million; index += 1) yield { key: utf8(`file-${String(index).padStart(7, '0')}`), value: file }
  }
  const pointer = await editTree(undefined, edits(), io)
  const big: Entry = { ...(await head.resolve('/big')), content: { kind: 'tree', root: { pointer, entryCount: million, directoryCount: 0 } } }
  const top = await editTree(undefined, [{ key: utf8('big'), value: encodeEntry(big) }], io)
  await writer.flush()
  const directory: Entry = { ...root.directory, content: { kind: 'tree', root: { pointer: top, entryCount: 1, directoryCount: 1 } } }
  const commits = new CommitLog({ ...engine, hash: nodeHash, log: silentLogger })
  const parent = await commits.head()
  await commits.append({ ...parent.record, seq: parent.record.seq + 1, parent: parent.hash, root: { directory, inodes: undefined }, nonce: 'million' })
  await commits.settle()
}
