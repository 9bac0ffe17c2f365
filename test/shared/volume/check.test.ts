/** A sound volume has no findings; each kind of damage has its own. */
import { describe, expect, test } from 'vitest'
import { faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { encodeEntry, linkEntry } from '../../../shared/format/entry-codec.ts'
import type { Entry, Hash, Pointer, Root } from '../../../shared/format/entry.ts'
import { inodeKey } from '../../../shared/format/inode-key.ts'
import { editTree } from '../../../shared/format/tree-edit.ts'
import { silentLogger } from '../../../shared/log.ts'
import { compareBytes } from '../../../shared/name.ts'
import { randomBelow } from '../../../shared/random.ts'
import { CommitLog } from '../../../shared/volume/commit-log.ts'
import type { CheckOptions, CheckProgress, Finding } from '../../../shared/volume/finding.ts'
import { logKey } from '../../../shared/volume/keys.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { fileId } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { engineOf, inPieces, newVolume, nodeHash, randomBytes, utf8 } from '../../support/test-volume.ts'

/** Directories of several pages, files of one chunk and of several manifest pages, hard links, and operations in pages: all of it in one commit. */
async function richStore(): Promise<MemoryStore> {
  const store = new MemoryStore()
  const volume = await newVolume({ store, seed: 7 })
  const writer = volume.writer({ packBytesMax: 3_000_000 })
  const operations: Operation[] = [{ op: 'mkdir', path: '/d' }]
  operations.push({ op: 'create', path: '/large', ...(await writer.write(inPieces(randomBytes(1, 7_000_000)))) })
  operations.push({ op: 'create', path: '/small', ...(await writer.write(inPieces(randomBytes(2, 9000)))) })
  for (let index = 0; index < 1500; index += 1) operations.push({ op: 'create', path: `/d/a file with a long name ${index}`, ...(await writer.write([utf8(`${index}`)])) })
  for (let index = 0; index < 5; index += 1) operations.push({ op: 'link', path: '/small', to: `/d/link ${index}` }, { op: 'mkdir', path: `/d/inner ${index}` })
  await writer.commit(operations)
  await volume.close()
  return store
}

async function findings(store: MemoryStore, options: CheckOptions = {}): Promise<Finding[]> {
  return Array.fromAsync((await Volume.open(engineOf(store, { seed: 9 }))).check(options))
}

describe('a sound volume', () => {
  test('has no findings, and all of it was looked at', async () => {
    const store = await richStore()
    const check = (await Volume.open(engineOf(store, { seed: 9 }))).check({ readsBodies: true })
    const step = await check.next()
    expect(step).toEqual({ done: true, value: { recordCount: 2, entryCount: 1513, packCount: (await store.list('data/')).length + (await store.list('meta/')).length, readBytes: 7_009_000 } })
  })

  test('is told of while it is gone through', async () => {
    const seen: CheckProgress[] = []
    await findings(await richStore(), { onProgress: (progress) => seen.push(progress) })
    expect(seen.map(({ entryCount }) => entryCount)).toContain(1000)
    expect(seen.at(-1)).toMatchObject({ recordCount: 2, entryCount: 1513, readBytes: 0 })
  })

  test('a store that is away is no finding', async () => {
    const store = await richStore()
    const away = faultStore(store, { clock: systemClock, plan: ({ key }) => (key.startsWith('meta/') ? { kind: 'error' } : undefined) })
    await expect(Array.fromAsync((await Volume.open(engineOf(away))).check())).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('ends when its signal fires', async () => {
    const volume = await Volume.open(engineOf(await richStore()))
    await expect(Array.fromAsync(volume.check({ signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: 'aborted' })
  })
})

test('whatever object of a volume is lost, cut or flipped, it is found', async () => {
  const store = await richStore()
  const keys = [...(await store.list('data/')), ...(await store.list('meta/')), ...(await store.list('log/'))].map(({ key }) => key)
  expect(keys.length).toBeGreaterThan(5)
  const random = new SeededRandom(5)
  for (const key of keys) {
    const bytes = (await (await store.get(key))!.bytes()).slice()
    // Any record but the newest one: without that the volume is what it was before it.
    if (key !== logKey(2)) {
      await store.delete(key)
      expect((await findings(store)).map(({ path }) => path), `${key} is gone`).toContain(key)
    }
    await store.put(key, bytes.subarray(0, bytes.length - 1))
    expect(await failureOrFindings(store), `${key} is cut`).not.toEqual([])
    // Nothing names the newest record yet, so a letter more or less in its message cannot be seen.
    for (let round = 0; round < 3 && key !== logKey(2); round += 1) {
      const at = randomBelow(random, bytes.length)
      await store.put(key, bytes.with(at, bytes[at]! ^ 0x20))
      expect(await failureOrFindings(store), `byte ${at} of ${key} is flipped`).not.toEqual([])
    }
    await store.put(key, bytes)
  }
  expect(await findings(store, { readsBodies: true })).toEqual([])
}, 60_000)

/** A head that cannot be read is the error of opening the volume. */
async function failureOrFindings(store: MemoryStore): Promise<unknown> {
  return findings(store, { readsBodies: true }).catch((error: unknown) => error)
}

describe('the log', () => {
  async function loggedStore(): Promise<MemoryStore> {
    const store = new MemoryStore()
    const volume = await newVolume({ store })
    for (let index = 0; index < 40; index += 1) await volume.writer().commit([{ op: 'mkdir', path: `/${index}` }])
    await volume.close()
    return store
  }

  test('that lacks a record, or has another one in its place', async () => {
    const store = await loggedStore()
    const bytes = (await (await store.get(logKey(20)))!.bytes()).slice()
    await store.put(logKey(20), utf8(new TextDecoder().decode(bytes).replace('"author":"edgemount"', '"author":"edgemoumt"')))
    expect(await findings(store)).toEqual([{ severity: 'error', path: logKey(21), what: 'commit 21', why: expect.stringMatching(/^it names [0-9a-f]{64} as the commit before it, and that is/) }])
    await store.put(logKey(20), (await (await store.get(logKey(19)))!.bytes()).slice())
    expect(await findings(store)).toEqual([{ severity: 'error', path: logKey(20), what: 'commit 20', why: 'it says that it is commit 19' }])
    await store.delete(logKey(20))
    expect(await findings(store)).toEqual([{ severity: 'error', path: logKey(20), what: 'commit 20', why: 'it is missing' }])
    expect(await findings(store, { recordsMax: 10 })).toEqual([])
    expect(await findings(store, { recordsMax: 10, seq: 20 })).toEqual([{ severity: 'error', path: logKey(20), what: 'commit 20', why: 'it is missing' }])
    expect(await findings(store, { recordsMax: 10, seq: 15 })).toEqual([])
  })

  test('that has a gap before its newest record', async () => {
    const store = await loggedStore()
    await store.put('head', utf8('30'))
    await store.delete(logKey(32))
    expect(await findings(store)).toContainEqual({ severity: 'error', path: logKey(32), what: 'commit 32', why: 'it is missing, and there is commit 41' })
  })
})

interface Wrong {
  readonly what: string
  readonly make: (base: Root, edit: Edit, file: Entry) => Promise<Root>
  readonly finding: Partial<Finding>
}

/** Changes names of a directory, or inodes, and nothing else: counts stay as they are. */
type Edit = (tree: Pointer | undefined, entries: readonly (readonly [key: string | number, entry: Entry | undefined])[]) => Promise<Pointer | undefined>

const plain: Entry = {
  kind: 'file',
  id: fileId(5000),
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1, nanoseconds: 0 },
  ctime: { seconds: 1, nanoseconds: 0 },
  size: 0,
  linkCount: 1,
  xattrs: new Map(),
  content: { kind: 'inline', bytes: new Uint8Array(0) },
}

async function withRoot(base: Root, edit: Edit, entries: Parameters<Edit>[1], counts: Partial<{ entryCount: number; directoryCount: number }> = {}): Promise<Root> {
  const { directory } = base
  if (directory.content.kind !== 'tree') throw new Error('the root is no directory')
  const pointer = await edit(directory.content.root.pointer, entries)
  return { ...base, directory: { ...directory, content: { kind: 'tree', root: { ...directory.content.root, pointer, ...counts } } } }
}

/** The root has /file, /one and /two (of one inode 900), /d and /d/x. */
const wrongs: readonly Wrong[] = [
  {
    what: 'a directory that counts too few entries',
    make: (base, edit) => withRoot(base, edit, [['new', plain]]),
    finding: { path: '/', what: 'directory', why: 'its entries are counted as 4, and there are 5' },
  },
  {
    what: 'a directory that counts too many directories',
    make: (base, edit) => withRoot(base, edit, [], { directoryCount: 2 }),
    finding: { path: '/', what: 'directory', why: 'the directories in it are counted as 2, and there are 1' },
  },
  {
    what: 'a name that cannot be',
    make: (base, edit) => withRoot(base, edit, [['..', plain]], { entryCount: 5 }),
    finding: { path: '/..', what: 'entry' },
  },
  {
    what: 'a file that counts a name too many',
    make: (base, edit) => withRoot(base, edit, [['new', { ...plain, linkCount: 2 }]], { entryCount: 5 }),
    finding: { path: '/new', what: 'file', why: 'it has one name, and counts 2' },
  },
  {
    what: 'an id that is given twice',
    make: (base, edit) => withRoot(base, edit, [['new', { ...plain, id: fileId(700) }]], { entryCount: 5 }),
    finding: { path: '/new', what: 'file', why: 'its id 700 is that of 2 entries' },
  },
  {
    what: 'a name that leads to no inode',
    make: (base, edit) => withRoot(base, edit, [['new', linkEntry('file', fileId(12_345))]], { entryCount: 5 }),
    finding: { path: '/new', what: 'file', why: 'the inode tree has no inode 12345' },
  },
  {
    what: 'an inode that counts too many names',
    make: async (base, edit) => ({ ...base, inodes: await edit(base.inodes, [[900, { ...plain, id: fileId(900), linkCount: 3 }]]) }),
    finding: { path: '/one', what: 'file', why: 'it counts 3 names, and has 2' },
  },
  {
    what: 'an inode that no name leads to',
    make: async (base, edit) => ({ ...base, inodes: await edit(base.inodes, [[901, { ...plain, id: fileId(901), linkCount: 2 }]]) }),
    finding: { severity: 'warning', path: 'inode 901', what: 'file', why: 'no name leads to it' },
  },
  {
    what: 'an inode under another number',
    make: async (base, edit) => ({ ...base, inodes: await edit(base.inodes, [[901, { ...plain, id: fileId(902) }]]) }),
    finding: { path: 'inode 901', what: 'inode', why: 'it says that it is inode 902' },
  },
  {
    what: 'a size that the manifest does not have',
    make: (base, edit, file) => withRoot(base, edit, [['file', { ...file, size: 1_000_001 }]]),
    finding: { path: '/file', what: 'file', why: 'its size is 1000001, and its manifest covers 1000000 bytes' },
  },
  {
    what: 'a content id that the manifest does not have',
    make: (base, edit, file) => withRoot(base, edit, [['file', withContentId(file, hashOf('another'))]]),
    finding: { path: '/file', what: 'file', why: expect.stringMatching(/^its content id is .* and its manifest gives/) },
  },
  {
    what: 'a page that leads to a page of another level',
    make: (base, edit, file) => withRoot(base, edit, [['file', withManifestPage(file, base.inodes!)]]),
    finding: { path: '/file', what: 'manifest', why: expect.stringMatching(/begins with byte 84/) },
  },
]

function withContentId(entry: Entry, contentId: Hash): Entry {
  if (entry.content.kind !== 'manifest') throw new Error('the file has no manifest')
  return { ...entry, content: { kind: 'manifest', root: { ...entry.content.root, contentId } } }
}

function withManifestPage(entry: Entry, pointer: Pointer): Entry {
  return { ...entry, content: { kind: 'manifest', root: { kind: 'page', pointer, contentId: hashOf('x') } } }
}

test.each(wrongs.map((wrong) => [wrong.what, wrong] as const))('%s', async (_, { make, finding }) => {
  const store = new MemoryStore()
  const volume = await newVolume({ store })
  const writer = volume.writer()
  const { snapshot } = await writer.commit([
    { op: 'create', path: '/file', id: fileId(700), ...(await writer.write([randomBytes(3, 1_000_000)])) },
    { op: 'create', path: '/one', id: fileId(900) },
    { op: 'link', path: '/one', to: '/two' },
    { op: 'mkdir', path: '/d' },
    { op: 'create', path: '/d/x' },
  ])
  const io = { load: (pointer: Pointer) => snapshot.pages.load(pointer), store: (page: Uint8Array) => writer.storePage(page) }
  const edit: Edit = (tree, entries) => {
    const edits = entries.map(([key, entry]) => ({ key: typeof key === 'string' ? utf8(key) : inodeKey(fileId(key)), value: entry === undefined ? undefined : encodeEntry(entry) }))
    return editTree(tree, edits.toSorted((a, b) => compareBytes(a.key, b.key)), io)
  }
  const root = await make(snapshot.root, edit, await snapshot.resolve('/file'))
  await writer.flush()
  const commits = new CommitLog({ ...engineOf(store), hash: nodeHash, log: silentLogger })
  const parent = await commits.head()
  await commits.append({ ...parent.record, seq: 3, parent: parent.hash, root, nonce: 'wrong' })
  await commits.settle()
  const found = await findings(store)
  expect(found).toContainEqual(expect.objectContaining({ severity: 'error', ...finding }))
  // One thing is wrong, and what is told is about that: both names of an id, both sides of a count.
  expect(found.length).toBeLessThanOrEqual(2)
})
