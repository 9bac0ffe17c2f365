/** The log from below one path: what is told of each operation, and that no change is ever missed. */
import { describe, expect, test } from 'vitest'
import type { CommitOperation } from '../../../shared/format/commit-operation.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { encodeRecord } from '../../../shared/format/commit.ts'
import { isWithin } from '../../../shared/path.ts'
import { randomBelow } from '../../../shared/random.ts'
import { EventFilter, type FilteredEvent, operationWithin } from '../../../shared/volume/event-filter.ts'
import { logKey } from '../../../shared/volume/keys.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import type { Volume } from '../../../shared/volume/volume.ts'
import { hashOf } from '../../support/hash-of.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { newVolume, textOf, utf8 } from '../../support/test-volume.ts'

function filterOf(volume: Volume, prefix: string): EventFilter {
  return new EventFilter({
    prefix,
    readRecord: async (seq) => (await volume.at(seq)).record,
    loadPage: (pointer, signal) => volume.loadPage(pointer, signal),
  })
}

async function eventOf(volume: Volume, prefix: string, seq: number): Promise<FilteredEvent | undefined> {
  return await filterOf(volume, prefix).apply((await volume.at(seq)).record)
}

describe('below /a/b, an operation', () => {
  const all = { op: 'subtree', path: '/a/b' }
  const rows: readonly (readonly [CommitOperation, CommitOperation | 'same' | undefined])[] = [
    [{ op: 'create', path: '/a/b/c' }, 'same'],
    [{ op: 'write', path: '/a/b', id: undefined }, 'same'],
    [{ op: 'setattr', path: '/a/b' }, 'same'],
    [{ op: 'create', path: '/a/bc' }, undefined],
    [{ op: 'create', path: '/x' }, undefined],
    [{ op: 'setattr', path: '/a' }, undefined],
    [{ op: 'setxattr', path: '/' }, undefined],
    [{ op: 'subtree', path: '/' }, all as CommitOperation],
    [{ op: 'subtree', path: '/a' }, all as CommitOperation],
    [{ op: 'subtree', path: '/a/c' }, undefined],
    [{ op: 'rmdir', path: '/a' }, all as CommitOperation],
    [{ op: 'mkdir', path: '/a' }, all as CommitOperation],
    [{ op: 'unlink', path: '/a' }, all as CommitOperation],
    [{ op: 'rename', path: '/a/b/c', to: '/a/b/d' }, 'same'],
    [{ op: 'rename', path: '/a/b/c', to: '/secret' }, { op: 'subtree', path: '/a/b/c' }],
    [{ op: 'rename', path: '/secret', to: '/a/b/c' }, { op: 'subtree', path: '/a/b/c' }],
    [{ op: 'rename', path: '/a/b', to: '/secret' }, { op: 'subtree', path: '/a/b' }],
    [{ op: 'rename', path: '/a', to: '/secret' }, all as CommitOperation],
    [{ op: 'rename', path: '/secret', to: '/a' }, all as CommitOperation],
    [{ op: 'rename', path: '/a/b/c', to: '/a' }, all as CommitOperation],
    [{ op: 'rename', path: '/x', to: '/y' }, undefined],
    [{ op: 'link', path: '/secret', to: '/a/b/c' }, { op: 'subtree', path: '/a/b/c' }],
    [{ op: 'link', path: '/a/b/c', to: '/secret' }, { op: 'subtree', path: '/a/b/c' }],
    [{ op: 'conflict', path: '/a/b/c', to: '/a/b/c (conflict)' }, 'same'],
    [{ op: 'conflict', path: '/a/b/c', to: '/lost+found/c' }, { op: 'subtree', path: '/a/b/c' }],
  ]
  test.each(rows)('%j is told as %j', (operation, told) => {
    expect(operationWithin(operation, '/a/b')).toEqual(told === 'same' ? operation : told)
  })
})

describe('a commit', () => {
  test('is told without its root, its message, its parent and other names', async () => {
    const volume = await newVolume()
    await volume.writer().commit([{ op: 'mkdir', path: '/a' }, { op: 'mkdir', path: '/secret' }, { op: 'create', path: '/a/f' }], { message: 'secret too' })
    const { time } = (await volume.at(2)).record
    const event = await eventOf(volume, '/a', 2)
    expect(event).toEqual({ seq: 2, time, author: 'edgemount', operations: [expect.objectContaining({ op: 'mkdir', path: '/a' }), expect.objectContaining({ op: 'create', path: '/a/f' })] })
    expect(JSON.stringify(event)).not.toContain('secret')
    expect(await eventOf(volume, '/b', 2)).toBeUndefined()
    expect(await eventOf(volume, '/a', 1)).toBeUndefined()
  })

  test('whose operations stand in pages is read there; one of too many is told as a subtree', async () => {
    const volume = await newVolume()
    const many = (count: number, name: string): Operation[] => Array.from({ length: count }, (_, index) => ({ op: 'create', path: `/d/${name} with a name that is rather long ${index}`, parents: true }))
    await volume.writer().commit([...many(3000, 'file'), { op: 'create', path: '/e/one', parents: true }])
    expect((await volume.at(2)).record.operationPages?.length).toBeGreaterThan(0)
    expect(await eventOf(volume, '/e', 2)).toMatchObject({ operations: [{ op: 'create', path: '/e/one' }] })
    expect(await eventOf(volume, '/other', 2)).toBeUndefined()
    // More than a record would hold is told in short.
    const told = (await eventOf(volume, '/d', 2))!.operations
    expect(told.at(-1)).toEqual({ op: 'subtree', path: '/d' })
    expect(JSON.stringify(told).length).toBeLessThan(70_000)
  })

  test('whose pages are damaged is told as a subtree', async () => {
    const volume = await newVolume()
    const operations = Array.from({ length: 3000 }, (_, index): Operation => ({ op: 'create', path: `/d/file with a name that is rather long ${index}`, parents: true }))
    await volume.writer().commit(operations)
    const { record } = await volume.at(2)
    const damaged = { ...record, operationPages: record.operationPages!.map((pointer) => ({ ...pointer, offset: pointer.offset + 1 })) }
    expect(await filterOf(volume, '/other').apply(damaged)).toMatchObject({ operations: [{ op: 'subtree', path: '/other' }] })
  })

  test('through another name of a file is told as a subtree, without that name', async () => {
    const volume = await newVolume()
    await volume.writer().commit([{ op: 'create', path: '/a/f', parents: true }, { op: 'create', path: '/plain' }])
    await volume.writer().commit([{ op: 'link', path: '/a/f', to: '/secret' }])
    await volume.writer().commit([{ op: 'setattr', path: '/secret', mode: 0o600 }])
    await volume.writer().commit([{ op: 'setattr', path: '/plain', mode: 0o600 }])
    expect(await eventOf(volume, '/a', 4)).toMatchObject({ operations: [{ op: 'subtree', path: '/a' }] })
    expect(await eventOf(volume, '/a', 5)).toBeUndefined()
  })

  test('that tells nothing and changes something is told as a subtree', async () => {
    const store = new MemoryStore()
    const volume = await newVolume({ store })
    const made = await volume.writer().commit([{ op: 'mkdir', path: '/x' }])
    const parent = hashOf(encodeRecord(made.record))
    const { root } = (await volume.at(1)).record
    await store.create(logKey(3), encodeRecord({ ...made.record, seq: 3, parent, root, operations: [], nonce: 'n3' }))
    const third = (await volume.at(3)).record
    await store.create(logKey(4), encodeRecord({ ...third, seq: 4, parent: hashOf(encodeRecord(third)), nonce: 'n4' }))
    expect(await eventOf(volume, '/a', 3)).toMatchObject({ operations: [{ op: 'subtree', path: '/a' }] })
    expect(await eventOf(volume, '/a', 4)).toBeUndefined()
  })
})

const names = ['a', 'b', 'c']

function randomPath(random: SeededRandom): string {
  return `/${Array.from({ length: 1 + randomBelow(random, 3) }, () => names[randomBelow(random, names.length)]).join('/')}`
}

async function randomOperation(volume: Volume, random: SeededRandom): Promise<Operation> {
  const path = randomPath(random)
  const to = randomPath(random)
  const writer = volume.writer()
  const body = await writer.write([utf8(String(random.next()))])
  const all: Operation[] = [
    { op: 'create', path, ...body, replace: true, parents: true },
    { op: 'mkdir', path, parents: true },
    { op: 'write', path, ...body },
    { op: 'rename', path, to, parents: true },
    { op: 'rename', path, to },
    { op: 'link', path, to, replace: true, parents: true },
    { op: 'link', path, to, parents: true },
    { op: 'unlink', path },
    { op: 'rmdir', path, recursive: true },
    { op: 'setattr', path, mode: randomBelow(random, 512) },
    { op: 'symlink', path, target: String(random.next()), replace: true },
  ]
  return all[randomBelow(random, all.length)]!
}

/** All that shows at and below a path; of directories not their times and attributes above all. */
async function shownBelow(snapshot: Snapshot, prefix: string): Promise<string> {
  const lines: string[] = []
  for await (const { path } of snapshot.walk()) {
    if (!isWithin(path, prefix)) continue
    const entry = await snapshot.resolve(path)
    const body = entry.kind === 'file' ? await textOf(snapshot, path) : entry.content.kind === 'target' ? entry.content.target : ''
    lines.push([path, entry.kind, entry.id, entry.mode, entry.linkCount, body].join(' '))
  }
  return lines.join('\n')
}

describe('random commits', () => {
  const seed = Number(process.env['EDGEMOUNT_TEST_SEED'] ?? Date.now() % 1_000_000)
  test(`that change what shows below a path are always told, and never with another's names, from seed ${seed}`, async () => {
    let [toldCount, hiddenCount] = [0, 0]
    for (let round = 0; round < 8; round += 1) {
      const random = new SeededRandom(seed + round)
      const volume = await newVolume({ seed: seed + round })
      const prefixes = ['/a', '/a/b', '/b/c/a', '/c']
      const filters = prefixes.map((prefix) => filterOf(volume, prefix))
      let before = await volume.head()
      for (let step = 0; step < 60; step += 1) {
        const operations = await Promise.all(Array.from({ length: 1 + randomBelow(random, 3) }, () => randomOperation(volume, random)))
        const made = await volume.writer().commit(operations).catch(() => undefined)
        if (made === undefined) continue
        for (const [index, prefix] of prefixes.entries()) {
          const event = await filters[index]!.apply(made.record)
          const where = `seed ${seed + round}, step ${step}, ${prefix}: ${JSON.stringify(made.record.operations)}`
          if (event === undefined) expect(await shownBelow(made.snapshot, prefix), where).toBe(await shownBelow(before, prefix))
          for (const { path, to = path } of event?.operations ?? []) expect([path, to].every((each) => isWithin(each, prefix)), where).toBe(true)
          if (event === undefined) hiddenCount += 1
          else toldCount += 1
        }
        before = made.snapshot
      }
    }
    expect(Math.min(toldCount, hiddenCount)).toBeGreaterThan(50)
  })
})
