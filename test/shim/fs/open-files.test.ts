import { describe, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { toFileId } from '../../../shared/volume/file-id.ts'
import { decodeBodyState } from '../../../shim/bodies/body-state.ts'
import { replayChanges } from '../../../shim/changes/recover.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { DataBed, bedMtime } from '../../support/data-bed.ts'
import { caller, unchanged } from '../../support/handler-bed.ts'

const { O_RDONLY, O_RDWR, O_WRONLY, O_TRUNC } = openFlag
const large = new Uint8Array(300_000).map((_, index) => index % 251)
const small = new Uint8Array(20_000).map((_, index) => index % 241)
const inline = Uint8Array.of(1, 2, 3)

/** All of its bytes are in the cache. */
async function cached(bed: DataBed, name: string): Promise<void> {
  await bed.content(name)
  bed.fetched.length = 0
}

function ofKernel(reply: { readonly backingId: number; readonly keepCache: boolean }): 'passthrough' | 'pages' {
  expect(reply.keepCache).toBe(reply.backingId === 0)
  return reply.backingId > 0 ? 'passthrough' : 'pages'
}

describe('a new file', () => {
  test('is written by the kernel itself, and its size and time are what the disk says', async () => {
    const bed = await DataBed.make({})
    const { open, entry } = await bed.create('new')
    expect(ofKernel(open)).toBe('passthrough')
    expect(entry.attributes).toMatchObject({ size: 0, mtimeSeconds: bed.nowMs / 1000 })
    bed.writeBacking(open.backingId, 0, large)
    expect(await bed.attributes('new')).toMatchObject({ size: large.length, blocks: 74 * 8 })
    await bed.release('new', open.handle)
    expect([...bed.connection.backings]).toEqual([])
    expect(await bed.content('new')).toEqual(large)
  })

  test('comes to us where the kernel takes no backing files', async () => {
    const bed = await DataBed.make({}, { canPassthrough: false })
    const { open } = await bed.create('new', O_WRONLY)
    expect(ofKernel(open)).toBe('pages')
    expect(await bed.write('new', open.handle, 4, inline)).toBe(3)
    expect(await bed.read('new', open.handle)).toEqual(Uint8Array.of(0, 0, 0, 0, 1, 2, 3))
    expect(await bed.attributes('new')).toMatchObject({ size: 7 })
  })

  test('that the journal cannot take leaves nothing', async () => {
    const bed = await DataBed.make({})
    bed.journal.failure = -errno.ENOSPC
    await expect(bed.create('new')).rejects.toThrow('-28')
    expect(bed.bodies.count).toBe(0)
  })
})

describe('a published file that is opened for writing', () => {
  test.each([
    ['inline', inline, 0],
    ['small and here', small, 0],
    ['large and here: the cached file', large, 1],
  ])('gets a whole body when it is %s', async (_, bytes, takenOverCount) => {
    const bed = await DataBed.make({ f: bytes })
    await cached(bed, 'f')
    const before = bed.cache.stats.fileCount
    const reply = await bed.opened('f', O_RDWR)
    expect(ofKernel(reply)).toBe('passthrough')
    expect(bed.sys.readFile(bed.backingPath(reply.backingId))).toEqual(bytes)
    expect(await bed.attributes('f')).toMatchObject({ size: bytes.length, mtimeSeconds: bedMtime.seconds, mtimeNanoseconds: bedMtime.nanoseconds })
    expect(bed.fetched).toEqual([])
    expect(before - bed.cache.stats.fileCount).toBe(takenOverCount)
    expect(bed.backingPath(reply.backingId)).toContain('/local/')
  })

  test('and not here is written without fetching anything, and mixed when it is read', async () => {
    const bed = await DataBed.make({ f: large })
    const reply = await bed.opened('f', O_RDWR)
    expect(ofKernel(reply)).toBe('pages')
    const count = bed.journal.records.length
    expect(await bed.write('f', reply.handle, 100_000, new Uint8Array(4096).fill(255))).toBe(4096)
    expect(bed.fetched).toEqual([])
    // Where it was written is in the journal before the program is told so.
    expect(bed.journal.records.length).toBe(count + 1)
    const expected = large.slice().fill(255, 100_000, 104_096)
    expect(await bed.read('f', reply.handle)).toEqual(expected)
    expect(bed.fetched.length).toBeGreaterThan(0)
    await bed.release('f', reply.handle)
    expect(await bed.content('f')).toEqual(expected)
  })

  test('is in the journal before the kernel is answered, and not opened when that cannot be', async () => {
    const bed = await DataBed.make({ f: large })
    await cached(bed, 'f')
    const count = bed.journal.records.length
    bed.journal.failure = -errno.ENOSPC
    expect(await bed.open('f', O_RDWR)).toBe(-errno.ENOSPC)
    expect(bed.bodies.count).toBe(0)
    bed.journal.failure = 0
    await bed.opened('f', O_RDWR)
    const more = bed.journal.records.length
    expect(more).toBeGreaterThan(count)
    await bed.opened('f', O_RDWR)
    expect(bed.journal.records.length).toBe(more)
    expect(await bed.content('f')).toEqual(large)
  })

  test('while the kernel reads its cached file goes on with just that file', async () => {
    const bed = await DataBed.make({ f: large })
    await cached(bed, 'f')
    const reader = await bed.opened('f')
    expect(bed.backingPath(reader.backingId)).toContain('/files/')
    const writer = await bed.opened('f', O_RDWR)
    expect(writer.backingId).toBe(reader.backingId)
    expect(bed.backingPath(reader.backingId)).toContain('/local/')
    bed.writeBacking(writer.backingId, 0, inline)
    expect((await bed.read('f', reader.handle)) as Uint8Array).toEqual(Uint8Array.from([...inline, ...large.subarray(3)]))
    expect(bed.cache.stats.bytes).toBe(0)
  })

  test.each([
    ['inline', inline],
    ['not here', large],
  ])('while somebody reads it by pages (%s) is shown to them as it is written', async (_, bytes) => {
    const bed = await DataBed.make({ f: bytes })
    const reader = await bed.opened('f')
    expect(ofKernel(reader)).toBe('pages')
    const writer = await bed.opened('f', O_RDWR)
    expect(ofKernel(writer)).toBe('pages')
    await bed.write('f', writer.handle, 1, Uint8Array.of(200))
    const expected = bytes.slice()
    expected[1] = 200
    expect(await bed.read('f', reader.handle)).toEqual(expected)
  })

  test('keeps its way as long as anybody has it open, and gets a better one after that', async () => {
    const bed = await DataBed.make({ f: large })
    const first = await bed.opened('f', O_RDWR)
    await bed.write('f', first.handle, 0, new Uint8Array(large.length).fill(9))
    expect(ofKernel(await bed.opened('f', O_RDWR))).toBe('pages')
    const bedNode = await bed.node('f')
    for (const handle of [first.handle, first.handle + 1]) bed.handler.release(bedNode, handle)
    expect(ofKernel(await bed.opened('f', O_RDWR))).toBe('passthrough')
    expect(bed.fetched).toEqual([])
  })

  test('while a read of it is under way is not taken from under that', async () => {
    const bed = await DataBed.make({ f: large })
    bed.waiting = []
    const node = await bed.node('f')
    const reader = await bed.opened('f')
    const reading = bed.read('f', reader.handle)
    const writer = await bed.opened('f', O_RDWR)
    await bed.write('f', writer.handle, 0, inline)
    for (const answer of bed.waiting) answer()
    expect(await reading).toEqual(large)
    bed.waiting = undefined
    expect(await bed.read('f', reader.handle, 0, 4)).toEqual(Uint8Array.of(1, 2, 3, 3))
    bed.handler.release(node, reader.handle)
    bed.handler.release(node, writer.handle)
  })
})

describe('O_TRUNC', () => {
  test.each([['inline', inline], ['here', large], ['not here', large]])('empties a closed file (%s) by a fresh body', async (kind, bytes) => {
    const bed = await DataBed.make({ f: bytes })
    if (kind === 'here') await cached(bed, 'f')
    const reply = await bed.opened('f', O_WRONLY | O_TRUNC)
    expect(ofKernel(reply)).toBe('passthrough')
    expect(await bed.attributes('f')).toMatchObject({ size: 0, mtimeSeconds: bed.nowMs / 1000, ctimeSeconds: bed.nowMs / 1000 })
    expect(bed.fetched).toEqual([])
  })

  test('of a file that is changed and closed leaves the old bytes until the journal names the new', async () => {
    const bed = await DataBed.make({})
    const { open } = await bed.create('f')
    bed.writeBacking(open.backingId, 0, inline)
    const path = bed.backingPath(open.backingId)
    await bed.release('f', open.handle)
    const reply = await bed.opened('f', O_RDWR | O_TRUNC)
    expect(bed.backingPath(reply.backingId)).not.toBe(path)
    expect(bed.sys.readFile(path)).toEqual(inline)
    bed.tick()
    expect(bed.sys.paths()).not.toContain(path)
  })

  test.each([['inline', inline], ['here', large], ['not here', large]])('of an open file (%s) is seen by all who have it open', async (kind, bytes) => {
    const bed = await DataBed.make({ f: bytes })
    if (kind === 'here') await cached(bed, 'f')
    const reader = await bed.opened('f')
    const writer = await bed.opened('f', O_RDWR | O_TRUNC)
    expect(writer.backingId).toBe(reader.backingId)
    expect(await bed.read('f', reader.handle)).toEqual(new Uint8Array(0))
    if (reader.backingId > 0) expect(bed.sys.readFile(bed.backingPath(reader.backingId)).length).toBe(0)
    const again = await bed.opened('f', O_RDWR | O_TRUNC)
    expect(again.backingId).toBe(reader.backingId)
  })
})

describe('a file that is to be cut when the journal is full keeps all of its bytes', () => {
  const change = { mode: undefined, uid: undefined, gid: undefined, atime: undefined, mtime: undefined, ctime: undefined, killsPrivileges: false, handle: undefined }

  test.each([['by the kernel', true], ['through us', false]])('also those that are published nowhere (%s)', async (_, canPassthrough) => {
    const bed = await DataBed.make({}, { canPassthrough })
    const { open, entry } = await bed.create('f')
    if (canPassthrough) bed.writeBacking(open.backingId, 0, large)
    else await bed.write('f', open.handle, 0, large)
    bed.journal.failure = -errno.ENOSPC
    expect(await bed.open('f', O_WRONLY | O_TRUNC)).toBe(-errno.ENOSPC)
    expect(await bed.read('f', open.handle)).toEqual(large)
    for (const size of [0, 1000]) expect(bed.writable.setattr(entry.nodeId, { ...change, size }, caller)).toBe(-errno.ENOSPC)
    expect(await bed.read('f', open.handle)).toEqual(large)
    bed.journal.failure = 0
    bed.writable.setattr(entry.nodeId, { ...change, size: 1000 }, caller)
    expect(await bed.read('f', open.handle)).toEqual(large.subarray(0, 1000))
    expect(await bed.open('f', O_WRONLY | O_TRUNC)).toMatchObject({ backingId: open.backingId })
    expect(await bed.read('f', open.handle)).toEqual(new Uint8Array(0))
  })

  test('also where only a part is here', async () => {
    const bed = await DataBed.make({ f: large })
    const { handle } = await bed.opened('f', O_RDWR)
    await bed.write('f', handle, 200_000, inline)
    const expected = large.slice()
    expected.set(inline, 200_000)
    const node = await bed.node('f')
    bed.journal.failure = -errno.ENOSPC
    expect(await bed.open('f', O_WRONLY | O_TRUNC)).toBe(-errno.ENOSPC)
    for (const size of [0, 1000]) expect(bed.writable.setattr(node, { ...change, size }, caller)).toBe(-errno.ENOSPC)
    expect(await bed.read('f', handle)).toEqual(expected)
  })

  test.each(['O_TRUNC', 'truncate'])('for who reads the cached file, too (%s)', async (how) => {
    const bed = await DataBed.make({ f: large })
    await cached(bed, 'f')
    const reader = await bed.opened('f')
    const node = await bed.node('f')
    bed.journal.failure = -errno.ENOSPC
    if (how === 'O_TRUNC') expect(await bed.open('f', O_WRONLY | O_TRUNC)).toBe(-errno.ENOSPC)
    else expect(bed.writable.setattr(node, { ...change, size: 1000 }, caller)).toBe(-errno.ENOSPC)
    expect(bed.sys.readFile(bed.backingPath(reader.backingId))).toEqual(large)
    expect(await bed.read('f', reader.handle)).toEqual(large)
  })

  test('and one that the disk cannot cut is not said to be empty', async () => {
    const bed = await DataBed.make({ f: large })
    await cached(bed, 'f')
    const reader = await bed.opened('f')
    bed.sys.fail('ftruncate', errno.EIO)
    expect(await bed.open('f', O_WRONLY | O_TRUNC)).toBe(-errno.EIO)
    expect(bed.sys.readFile(bed.backingPath(reader.backingId))).toEqual(large)
    expect(await bed.content('f')).toEqual(large)
  })
})

describe('what the journal could not take of a body', () => {
  /** It has every byte of its own by now, as the journal knows it. */
  function isWholeInJournal(bed: DataBed, id: number): boolean {
    const { state } = replayChanges((visit) => {
      for (const record of bed.journal.records) visit(record)
    })
    const body = state.nodes.get(toFileId(id))?.body
    return body !== undefined && body.noted.length === 0 && decodeBodyState(body.state).base === undefined
  }

  test.each(['write', 'truncate'])('is in it before the kernel gets the backing file, or that is not opened (%s)', async (how) => {
    const bed = await DataBed.make({ f: large })
    const first = await bed.opened('f', O_RDWR)
    expect(ofKernel(first)).toBe('pages')
    const node = await bed.node('f')
    const append = bed.journal.append.bind(bed.journal)
    // Emptying is journaled before it is done, and once more after.
    let leftCount = how === 'write' ? 0 : 1
    bed.journal.append = (record) => ((leftCount -= 1) >= 0 ? append(record) : -errno.ENOSPC)
    if (how === 'write') expect(await bed.write('f', first.handle, 0, large)).toBe(-errno.ENOSPC)
    else expect(bed.writable.setattr(node, { ...unchanged, size: 0 }, caller)).toBe(-errno.ENOSPC)
    await bed.release('f', first.handle)
    expect(await bed.open('f', O_RDWR)).toBe(-errno.ENOSPC)
    bed.journal.append = append
    const { ino } = await bed.attributes('f')
    expect(isWholeInJournal(bed, ino)).toBe(false)
    expect(ofKernel(await bed.opened('f', O_RDWR))).toBe('passthrough')
    expect(isWholeInJournal(bed, ino)).toBe(true)
  })
})

test('nobody writes through a handle for reading, nor through none', async () => {
  const bed = await DataBed.make({ f: inline })
  const reader = await bed.opened('f', O_RDONLY)
  expect(await bed.write('f', reader.handle, 0, inline)).toBe(-errno.EBADF)
  await bed.opened('f', O_RDWR)
  expect(await bed.write('f', reader.handle, 0, inline)).toBe(-errno.EBADF)
  expect(await bed.write('f', 999, 0, inline)).toBe(-errno.EBADF)
})

test('a file that was opened for writing and not written goes back where it was', async () => {
  const bed = await DataBed.make({ large, small, inline })
  await cached(bed, 'large')
  await cached(bed, 'small')
  for (const name of ['large', 'small', 'inline']) {
    const { handle } = await bed.opened(name, O_RDWR)
    await bed.release(name, handle)
  }
  expect(bed.bodies.count).toBe(3)
  bed.tick()
  expect(bed.bodies.count).toBe(0)
  expect(bed.changes.pending().changeCount).toBe(0)
  expect(bed.cache.stats.fileCount).toBe(2)
  bed.fetched.length = 0
  expect(await bed.content('large')).toEqual(large)
  expect(await bed.content('small')).toEqual(small)
  expect(await bed.content('inline')).toEqual(inline)
  expect(bed.fetched).toEqual([])
})

test.each(['written', 'mapped', 'open'])('a file that is %s does not go back', async (how) => {
  const bed = await DataBed.make({ f: large })
  await cached(bed, 'f')
  const { handle, backingId } = await bed.opened('f', O_RDWR)
  if (how === 'written') bed.writeBacking(backingId, 7, inline)
  if (how === 'mapped') bed.sys.heldPaths.add(bed.backingPath(backingId))
  if (how !== 'open') await bed.release('f', handle)
  bed.tick()
  expect(bed.bodies.count).toBe(1)
  if (how !== 'mapped') return
  bed.sys.heldPaths.clear()
  bed.tick()
  expect(bed.bodies.count).toBe(0)
})

describe('when a file has been published', () => {
  test.each([
    ['large', large, 1],
    ['small enough for its entry', inline, 0],
  ])('its body (%s) is the cached file, or used again', async (_, bytes, cachedCount) => {
    const bed = await DataBed.make({})
    const { open } = await bed.create('f')
    bed.writeBacking(open.backingId, 0, bytes)
    await bed.release('f', open.handle)
    await bed.publish()
    bed.tick()
    expect(bed.bodies.count).toBe(0)
    expect(bed.cache.stats.fileCount).toBe(cachedCount)
    expect(await bed.content('f')).toEqual(bytes)
    expect(bed.fetched).toEqual([])
    expect(bed.changes.pending().changeCount).toBe(0)
  })

  test.each([true, false])('who has it open goes on with what it has (for writing: %s)', async (isWriting) => {
    for (const canPassthrough of [true, false]) {
      const bed = await DataBed.make({}, { canPassthrough })
      const { open } = await bed.create('f')
      await bed.write('f', open.handle, 0, large)
      const reader = await bed.opened('f')
      if (!isWriting) await bed.release('f', open.handle)
      await bed.publish()
      bed.tick()
      expect(await bed.read('f', reader.handle)).toEqual(large)
      const again = await bed.opened('f', O_RDWR)
      expect(again.backingId).toBe(reader.backingId)
      await bed.write('f', again.handle, 0, inline)
      expect((await bed.read('f', reader.handle, 0, 4)) as Uint8Array).toEqual(Uint8Array.of(1, 2, 3, 3))
      for (const handle of isWriting ? [open.handle, reader.handle, again.handle] : [reader.handle, again.handle]) await bed.release('f', handle)
      await bed.publish()
      bed.tick()
      expect(bed.bodies.count).toBe(0)
      expect(await bed.content('f')).toEqual(Uint8Array.from([...inline, ...large.subarray(3)]))
      expect(bed.fetched).toEqual([])
    }
  })

  test('and was read while it was, its body is stored when the last reader is gone', async () => {
    const bed = await DataBed.make({}, { canPassthrough: false })
    const { open } = await bed.create('f')
    await bed.write('f', open.handle, 0, large)
    const reader = await bed.opened('f')
    await bed.release('f', open.handle)
    await bed.publish()
    expect(await bed.read('f', reader.handle)).toEqual(large)
    bed.tick()
    expect(bed.cache.stats.fileCount).toBe(0)
    await bed.release('f', reader.handle)
    bed.tick()
    expect(bed.cache.stats.fileCount).toBe(1)
    expect(bed.bodies.count).toBe(0)
  })

  test('with thousands of others it is there as soon as it is opened', async () => {
    const bed = await DataBed.make({})
    const count = 400
    for (let index = 0; index < count; index += 1) {
      const { open } = await bed.create(`f${index}`)
      bed.writeBacking(open.backingId, 0, new Uint8Array(4097).fill(index))
      await bed.release(`f${index}`, open.handle)
    }
    await bed.publish()
    expect(bed.cache.stats.fileCount).toBeLessThan(count)
    for (const index of [0, 399]) expect(await bed.content(`f${index}`)).toEqual(new Uint8Array(4097).fill(index))
    expect(bed.fetched).toEqual([])
    bed.tick()
    expect(bed.cache.stats.fileCount).toBe(count)
  })

  test('and again before what it had is stored, nothing is left behind', async () => {
    const bed = await DataBed.make({})
    for (let index = 0; index < 600; index += 1) {
      const { open } = await bed.create(`f${index}`)
      bed.writeBacking(open.backingId, 0, new Uint8Array(4097).fill(index))
      await bed.release(`f${index}`, open.handle)
    }
    await bed.publish()
    const { handle, backingId } = await bed.opened('f599', O_WRONLY | O_TRUNC)
    bed.writeBacking(backingId, 0, new Uint8Array(5000).fill(7))
    await bed.release('f599', handle)
    await bed.publish()
    bed.tick()
    expect(bed.bodies.count).toBe(0)
    expect(await bed.content('f599')).toEqual(new Uint8Array(5000).fill(7))
  })
})

test('truncate makes a body of what is left, without fetching the rest', async () => {
  const bed = await DataBed.make({ f: large })
  const node = await bed.node('f')
  const change = { mode: undefined, uid: undefined, gid: undefined, atime: undefined, mtime: undefined, ctime: undefined, killsPrivileges: false, handle: undefined }
  bed.writable.setattr(node, { ...change, size: 1000 }, caller)
  bed.writable.setattr(node, { ...change, size: 2000 }, caller)
  expect(bed.fetched).toEqual([])
  expect(await bed.attributes('f')).toMatchObject({ size: 2000 })
  expect(await bed.content('f')).toEqual(Uint8Array.from([...large.subarray(0, 1000), ...new Uint8Array(1000)]))
})
