/**
 * The publisher against a real volume in memory: what the volume has afterwards, what that cost, and what becomes of it when the store fails, files change under
 * the reading, and the process ends in the middle.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { seededFaults } from '../../../edge/store/fault.ts'
import type { ContentWriter } from '../../../shared/volume/content-writer.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { bytesOf, engineOf, expectBytes, randomBytes, textOf, utf8 } from '../../support/test-volume.ts'
import { PublishBed } from './publish-bed.ts'

let bed: PublishBed

beforeEach(async () => {
  bed = await PublishBed.make()
})

afterEach(async () => {
  await bed.dispose()
})

async function text(name: string): Promise<string> {
  return textOf(await bed.volume.head(), `/${name}`)
}

async function names(): Promise<string[]> {
  const { items } = await (await bed.volume.head()).list('/')
  return items.map(({ name }) => name)
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 8000
  while (!(await isSo())) {
    if (performance.now() > untilMs) throw new Error(`not so in time: ${String(isSo)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('what is written becomes the volume', () => {
  test('small and large files, and their removal', async () => {
    const large = randomBytes(1, 3_000_000)
    bed.write('small', 'hello')
    bed.write('empty', '')
    bed.write('large', large)
    await bed.flush()
    expect(await text('small')).toBe('hello')
    expect(await text('empty')).toBe('')
    const head = await bed.volume.head()
    expectBytes(await bytesOf(head, '/large'), large)
    expect(bed.published).toHaveLength(1)
    bed.remove('small')
    await bed.flush()
    expect(await names()).toEqual(['empty', 'large'])
  })

  test('without anybody asking, once nothing more changes', async () => {
    bed.write('a', '1')
    bed.write('b', '2')
    await until(() => bed.published.length === 1)
    expect(await names()).toEqual(['a', 'b'])
    expect(bed.publisher.status).toMatchObject({ changeCount: 0, lastError: undefined, commitCount: 1 })
  })

  test('an entry has size and time of change of the bytes that were read', async () => {
    const file = bed.write('a', 'twelve bytes')
    await bed.flush()
    const entry = await (await bed.volume.head()).resolve('/a')
    const [body] = bed.published[0]!.bodies
    expect([entry.id, entry.size, entry.mtime]).toEqual([file.id, 12, body!.mtime])
  })

  test('10,000 new small files are a few requests', async () => {
    for (let index = 0; index < 10_000; index += 1) bed.write(`file-${index}`, `text of file ${index}, `.repeat(index % 40))
    bed.puts.length = 0
    await bed.flush(60_000)
    expect(bed.puts.length).toBeLessThanOrEqual(10)
    expect(await text('file-77')).toBe('text of file 77, '.repeat(37))
    expect((await bed.volume.head()).root.directory.content).toMatchObject({ root: { entryCount: 10_000 } })
  })

  test.each(['whole', 'partial'])('of a changed file only what changed is sent: a %s body', async (kind) => {
    const bytes = randomBytes(2, 2_000_000)
    bed.write('big', bytes)
    await bed.flush()
    const before = bed.storedBytes
    bytes[1_000_000]! ^= 255
    if (kind === 'whole') bed.write('big', bytes)
    else bed.writeRanges('big', bytes.length, [[1_000_000, bytes.subarray(1_000_000, 1_000_001)]])
    const read = bed.publisher.status.readBytes
    await bed.flush()
    expectBytes(await bytesOf(await bed.volume.head(), '/big'), bytes)
    // Chunks of this volume are 16 KiB at most.
    expect(bed.storedBytes - before).toBeLessThan(64 * 1024)
    if (kind === 'partial') expect(bed.publisher.status.readBytes - read).toBe(1)
  })

  test('holes of a file are not read, however long they are', async () => {
    bed.write('sparse', '')
    bed.extend('sparse', 2 ** 40, [
      [2 ** 39, utf8('in the middle')],
      [2 ** 40 - 3, utf8('end')],
    ])
    await bed.flush()
    const head = await bed.volume.head()
    const entry = await head.resolve('/sparse')
    expect(entry.size).toBe(2 ** 40)
    expect(new TextDecoder().decode(await bytesOf(head, entry, { start: 2 ** 39 - 1, end: 2 ** 39 + 14 }))).toBe('\0in the middle\0')
    expect(new TextDecoder().decode(await bytesOf(head, entry, { start: 2 ** 40 - 4, end: 2 ** 40 }))).toBe('\0end')
  })

  test('a partial body is its base with what was written over it', async () => {
    const bytes = randomBytes(3, 500_000)
    bed.write('big', bytes)
    await bed.flush()
    bed.writeRanges('big', 600_000, [
      [1000, utf8('HELLO')],
      [499_990, utf8('OVER THE END OF THE BASE')],
    ])
    await bed.flush()
    const expected = new Uint8Array(600_000)
    expected.set(bytes)
    expected.set(utf8('HELLO'), 1000)
    expected.set(utf8('OVER THE END OF THE BASE'), 499_990)
    expectBytes(await bytesOf(await bed.volume.head(), '/big'), expected)
    bed.writeRanges('big', 2000, [[0, utf8('x')]])
    await bed.flush()
    expectBytes(await bytesOf(await bed.volume.head(), '/big'), new Uint8Array([120, ...expected.subarray(1, 2000)]))
  })
})

describe('files that change while they are read', () => {
  test('keep the content that was published last, and go along with the next round', async () => {
    bed.write('calm', 'calm 1')
    bed.write('busy', 'busy 1')
    await bed.flush()
    bed.write('calm', 'calm 2')
    bed.write('busy', 'busy 2')
    let isFirst = true
    bed.onBatch = () => {
      if (isFirst) queueMicrotask(() => bed.write('busy', 'busy 3'))
      isFirst = false
    }
    await bed.flush()
    const [first] = bed.published.slice(1)
    expect(first!.bodies.map(({ id }) => id)).toEqual([bed.files.get('calm')!.id])
    expect(await text('busy')).toBe('busy 3')
  })

  test('what a mapping writes shows in the time of change', async () => {
    bed.write('mapped', 'x'.repeat(10_000))
    const mapped = bed
    bed.onBatch = () => {
      mapped.onBatch = () => undefined
      mapped.files.get('mapped')!.isOpen = true
      queueMicrotask(() => mapped.touch('mapped'))
    }
    await bed.flush()
    expect(bed.published.length).toBeGreaterThan(0)
    expect(await text('mapped')).toBe('x'.repeat(10_000))
    const entry = await (await bed.volume.head()).resolve('/mapped')
    expect(bed.published.at(-1)!.bodies[0]!.mtime).toEqual(entry.mtime)
  })

  test('who waits is told which file never holds still', async () => {
    bed.write('restless', '0')
    let count = 0
    bed.onBatch = () => queueMicrotask(() => bed.write('restless', String((count += 1))))
    await expect(bed.flush(1500)).rejects.toThrow('Cannot publish everything within 1.5 s: "/restless": it changes while it is read')
    expect(bed.publisher.status.leftOut).toMatchObject([{ path: '/restless', why: 'it changes while it is read' }])
    // An empty file with its name is there meanwhile, as on any disk.
    expect(await text('restless')).toBe('')
    bed.onBatch = () => undefined
    await bed.flush()
    expect(await text('restless')).toBe(String(count))
  })

  test('one that somebody waits for in fsync is published as it is found, and goes on being dirty', async () => {
    const file = bed.write('restless', '0'.repeat(10_000))
    let count = 0
    bed.onBatch = () => queueMicrotask(() => bed.write('restless', String((count += 1) % 10).repeat(10_000)))
    await bed.publisher.flush({ id: file.id, deadlineMs: 10_000 })
    expect(count).toBeGreaterThanOrEqual(3)
    expect(await text('restless')).toMatch(/^[1-9]+$/)
    expect(bed.published.at(-1)!.bodies).toMatchObject([{ id: file.id }])
    bed.onBatch = () => undefined
    await bed.flush()
    expect(await text('restless')).toBe(String(count % 10).repeat(10_000))
    expect(bed.publisher.status.conflictCount).toBe(0)
  })

  test('one that cannot be read is told, and holds up no other', async () => {
    bed.write('good', 'good')
    bed.write('bad', 'bad')
    bed.onBatch = (batch) => {
      const body = batch.bodies.find(({ label }) => label === '/bad')!
      Object.assign(body, { path: `${body.path}-gone` })
    }
    await expect(bed.flush(1000)).rejects.toThrow('"/bad": Cannot open the local body of "/bad": it does not exist')
    expect(await text('good')).toBe('good')
    expect(bed.lines.join('\n')).toContain('Cannot publish "/bad"')
    bed.onBatch = () => undefined
    await bed.flush()
    expect(await text('bad')).toBe('bad')
  })

  test.each(['alone', 'among others'])('one that cannot be looked at is told to who waits for it, and to nobody else: %s', async (where) => {
    const other = bed.write('good', 'good')
    if (where === 'alone') await bed.flush()
    const bad = bed.write('bad', 'bad')
    bed.unseen.add('bad')
    const why = '"/bad": Cannot look at its local body: EIO'
    await expect(bed.flush(500)).rejects.toThrow(why)
    await expect(bed.publisher.flush({ id: bad.id, deadlineMs: 500 })).rejects.toThrow(why)
    await bed.publisher.flush({ id: other.id, deadlineMs: 10_000 })
    expect(await text('good')).toBe('good')
    bed.unseen.clear()
    await bed.flush()
    expect(await text('bad')).toBe('bad')
  })

  test('that cannot be given out are not published, and who waits is told so', async () => {
    bed.write('f', 'f')
    bed.refusal = -28
    await expect(bed.flush(500)).rejects.toThrow('Cannot publish everything within 0.5 s: Cannot write down what is to be published: ENOSPC')
    expect(bed.publisher.status.lastError).toMatchObject({ code: 'unavailable' })
    bed.refusal = 0
    await bed.flush()
    expect(await text('f')).toBe('f')
    expect(bed.publisher.status.lastError).toBeUndefined()
  })
})

describe('the store fails', () => {
  test('one call in five: everything arrives, and nothing is doubled', async () => {
    bed.plan = seededFaults(new SeededRandom(11), { error: 0.1, lost: 0.1 })
    const contents = new Map<string, Uint8Array>()
    for (let round = 0; round < 6; round += 1) {
      for (let index = 0; index < 20; index += 1) {
        const name = `file-${(round * 7 + index) % 40}`
        const bytes = randomBytes(round * 100 + index, index === 0 ? 200_000 : 100 * index)
        contents.set(name, bytes)
        bed.write(name, bytes)
      }
      await bed.flush(60_000)
    }
    bed.plan = () => undefined
    const head = await bed.volume.head()
    expect(await names()).toEqual([...contents.keys()].toSorted())
    for (const [name, bytes] of contents) expectBytes(await bytesOf(head, `/${name}`), bytes)
    expect(bed.publisher.status.conflictCount).toBe(0)
  })

  test('away for long: who writes does not notice, status says so, and later everything arrives', async () => {
    bed.plan = () => ({ kind: 'error' })
    bed.write('a', 'a')
    await until(() => bed.publisher.status.lastError !== undefined || bed.puts.length > 1)
    await expect(bed.flush(300)).rejects.toMatchObject({ code: 'unavailable' })
    bed.write('b', 'b')
    bed.plan = () => undefined
    await bed.flush(20_000)
    expect(await names()).toEqual(['a', 'b'])
    expect(bed.publisher.status.lastError).toBeUndefined()
  })

  test('an upload that was cut goes on: what was stored is not stored again', async () => {
    const bytes = randomBytes(9, 4_000_000)
    let failures = 3
    bed.plan = ({ operation, key }) => (operation === 'create' && key.startsWith('meta/') && (failures -= 1) >= 0 ? { kind: 'error' } : undefined)
    bed.write('big', bytes)
    await bed.flush(20_000)
    expect(bed.puts.filter((key) => key.startsWith('data/'))).toHaveLength(1)
    expectBytes(await bytesOf(await bed.volume.head(), '/big'), bytes)
  })

  test('a session that has failed for good is followed by another one, which brings everything anew', async () => {
    const bytes = randomBytes(10, 300_000)
    let isFirst = true
    bed.plan = ({ operation, key }) => {
      // Somebody else has that id: nothing that can be waited for.
      if (operation === 'create' && key.startsWith('data/') && isFirst) void bed.memory.create(key, utf8('not ours'))
      if (operation === 'create' && key.startsWith('data/')) isFirst = false
      return undefined
    }
    bed.write('big', bytes)
    await expect(bed.flush(1000)).rejects.toThrow('the random id is taken')
    await bed.flush(20_000)
    expectBytes(await bytesOf(await bed.volume.head(), '/big'), bytes)
  })

  test('the answer of a commit is lost: it is found, and not made twice', async () => {
    bed.plan = ({ operation, key }) => (operation === 'create' && key.startsWith('log/') ? { kind: 'lost' } : undefined)
    bed.write('a', 'one')
    await bed.flush(20_000)
    bed.plan = () => undefined
    expect((await bed.volume.head()).seq).toBe(2)
    bed.write('a', 'two')
    await bed.flush()
    expect([await names(), await text('a')]).toEqual([['a'], 'two'])
  })
})

describe('the process ends in the middle', () => {
  test('before the commit: the next one publishes it', async () => {
    bed.plan = ({ operation, key }) => (operation === 'create' && key.startsWith('meta/') ? { kind: 'error' } : undefined)
    bed.write('a', 'one')
    await until(() => bed.puts.some((key) => key.startsWith('meta/')))
    bed.plan = () => undefined
    await bed.restart()
    await bed.flush()
    expect(await text('a')).toBe('one')
    expect(bed.sent.some(({ kind }) => kind === 'not-published')).toBe(true)
  })

  test('after the commit, before anybody heard of it: it is found, and what changed since is no conflict', async () => {
    const landed = Promise.withResolvers<undefined>()
    let isLanded = false
    bed.plan = ({ operation, key }) => {
      if (!key.startsWith('log/')) return undefined
      isLanded ||= operation === 'create'
      if (isLanded) landed.resolve(undefined)
      return isLanded ? { kind: 'lost' } : undefined
    }
    bed.write('a', 'one')
    bed.write('b', 'one')
    await landed.promise
    await bed.close()
    bed.plan = () => undefined
    await bed.restart()
    bed.write('a', 'two')
    await bed.flush(20_000)
    expect([await names(), await text('a'), await text('b')]).toEqual([['a', 'b'], 'two', 'one'])
    expect(bed.publisher.status.conflictCount).toBe(0)
  })
})

describe('others commit too', () => {
  test('other names stay, the same file is kept twice and that is told', async () => {
    bed.write('mine', 'mine')
    bed.write('both', 'first')
    await bed.flush()
    const other = await otherWriter()
    await other.commit([
      { op: 'create', path: '/theirs', content: { kind: 'inline', bytes: utf8('theirs') }, size: 6 },
      { op: 'write', path: '/both', content: { kind: 'inline', bytes: utf8('their second') }, size: 12 },
    ])
    bed.write('both', 'my second')
    await bed.flush()
    const kept = (await names()).find((name) => name.startsWith('both.conflict-'))!
    expect(await names()).toEqual(['both', kept, 'mine', 'theirs'])
    expect([await text('both'), await text(kept)]).toEqual(['their second', 'my second'])
    expect(bed.publisher.status).toMatchObject({ conflictCount: 1, conflicts: [{ path: '/both', keptAs: `/${kept}` }] })
    expect(bed.lines.join('\n')).toContain('"/both" was changed elsewhere too')
  })
})

test('a body that is as it was published does not pass for what others have written meanwhile', async () => {
  bed.write('same', 'first')
  bed.write('large', randomBytes(4, 20_000))
  await bed.flush()
  await (await otherWriter()).commit([
    { op: 'write', path: '/same', content: { kind: 'inline', bytes: utf8('their second') }, size: 12 },
    { op: 'write', path: '/large', content: { kind: 'inline', bytes: utf8('theirs') }, size: 6 },
  ])
  // Opened for writing and written as it was: nobody can tell without reading it.
  const ids = [bed.write('same', 'first').id, bed.write('large', randomBytes(4, 20_000)).id]
  await bed.publisher.flush({ deadlineMs: 300 }).catch(() => undefined)
  expect(bed.published[1]).toMatchObject({ bodies: [], superseded: ids, conflicts: [] })
  expect([await text('same'), await text('large')]).toEqual(['their second', 'theirs'])
})

async function otherWriter(): Promise<ContentWriter> {
  return (await Volume.open(engineOf(bed.memory, { seed: 999, author: 'other' }))).writer()
}
