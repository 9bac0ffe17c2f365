import { describe, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { decodeBodyState } from '../../../shim/bodies/body-state.ts'
import { replayChanges } from '../../../shim/changes/recover.ts'
import { allocateMode, openFlag, seekFrom } from '../../../shim/sys/constants.ts'
import { toFileId } from '../../../shared/volume/file-id.ts'
import { DataBed } from '../../support/data-bed.ts'
import { answered, caller } from '../../support/handler-bed.ts'

const { O_RDWR } = openFlag
const { FALLOC_FL_KEEP_SIZE: keepSize, FALLOC_FL_PUNCH_HOLE: punchHole, FALLOC_FL_ZERO_RANGE: zeroRange } = allocateMode
const bytes = new Uint8Array(300_000).map((_, index) => 1 + (index % 251))

async function copy(bed: DataBed, from: [name: string, handle: number, offset: number], to: [name: string, handle: number, offset: number], length: number): Promise<number> {
  const place = async ([name, handle, offset]: [string, number, number]) => ({ nodeId: await bed.node(name), handle, offset })
  const reply = await answered(bed.writable.copyFileRange(await place(from), await place(to), length, 0))
  return typeof reply === 'number' ? reply : reply.copied
}

async function allocate(bed: DataBed, name: string, handle: number, offset: number, length: number, mode: number): Promise<number> {
  return (await answered(bed.writable.fallocate(await bed.node(name), handle, offset, length, mode))) ?? 0
}

async function seek(bed: DataBed, name: string, handle: number, offset: number, whence: number): Promise<number> {
  const reply = await answered(bed.handler.lseek(await bed.node(name), handle, offset, whence))
  return typeof reply === 'number' ? reply : reply.offset
}

describe('copying', () => {
  test('between files that are here is done on the disk', async () => {
    const bed = await DataBed.make({ f: bytes })
    await bed.content('f')
    const from = await bed.opened('f')
    const { open } = await bed.create('copy')
    expect(await copy(bed, ['f', from.handle, 1000], ['copy', open.handle, 0], 5000)).toBe(5000)
    expect(await copy(bed, ['copy', open.handle, 0], ['copy', open.handle, 8192], 5000)).toBe(5000)
    expect(await bed.content('copy')).toEqual(Uint8Array.from([...bytes.subarray(1000, 6000), ...new Uint8Array(3192), ...bytes.subarray(1000, 6000)]))
    expect(await copy(bed, ['f', from.handle, 300_000], ['copy', open.handle, 0], 10)).toBe(0)
    expect(await copy(bed, ['f', from.handle, 299_990], ['copy', open.handle, 0], 100)).toBe(10)
  })

  test('a whole file that is not here moves no bytes, where the kernel does not have the copy itself', async () => {
    const bed = await DataBed.make({ f: bytes }, { canPassthrough: false })
    const from = await bed.opened('f')
    const { open } = await bed.create('copy')
    expect(await copy(bed, ['f', from.handle, 0], ['copy', open.handle, 0], 100_000)).toBe(100_000)
    expect(await copy(bed, ['f', from.handle, 100_000], ['copy', open.handle, 100_000], 2 ** 31)).toBe(200_000)
    expect(bed.fetched).toEqual([])
    expect(await bed.attributes('copy')).toMatchObject({ size: bytes.length })
    await bed.write('copy', open.handle, 10, new Uint8Array(5))
    expect(await bed.read('copy', open.handle)).toEqual(bytes.slice().fill(0, 10, 15))
    expect(await bed.read('f', from.handle)).toEqual(bytes)
  })

  test('what is not here is left to the kernel otherwise', async () => {
    const bed = await DataBed.make({ f: bytes, g: bytes })
    const from = await bed.opened('f')
    const { open } = await bed.create('copy')
    expect(await copy(bed, ['f', from.handle, 0], ['copy', open.handle, 0], 2 ** 30)).toBe(-errno.EOPNOTSUPP)
    const partial = await bed.opened('g', O_RDWR)
    await bed.write('g', partial.handle, 0, Uint8Array.of(1))
    expect(await copy(bed, ['g', partial.handle, 0], ['copy', open.handle, 0], 2)).toBe(-errno.EOPNOTSUPP)
    // But what is local of it can be copied.
    expect(await copy(bed, ['g', partial.handle, 0], ['copy', open.handle, 0], 1)).toBe(1)
    expect(await copy(bed, ['copy', open.handle, 0], ['f', from.handle, 0], 1)).toBe(-errno.EBADF)
    expect(await copy(bed, ['copy', 999, 0], ['copy', open.handle, 0], 1)).toBe(-errno.EBADF)
    expect(bed.fetched).toEqual([])
  })
})

test('holes that come along with a copy, where the disk shares it, are known as such after a restart', async () => {
  const bed = await DataBed.make({ f: bytes })
  const { open } = await bed.create('sparse')
  await answered(bed.writable.setattr(await bed.node('sparse'), { ...unchanged, size: 65_536 }, caller))
  const { handle } = await bed.opened('f', O_RDWR)
  // As where blocks are shared: there are none to share.
  bed.sys.copyRange = (_from, _fromOffset, _to, _toOffset, length) => length
  expect(await copy(bed, ['sparse', open.handle, 0], ['f', handle, 8192], 4096)).toBe(4096)
  const { state } = replayChanges((visit) => {
    for (const record of bed.journal.records) visit(record)
  })
  const body = state.nodes.get(toFileId((await bed.attributes('f')).ino))!.body!
  expect(decodeBodyState(body.state)).toMatchObject({ written: [8192, 12_288], punched: [8192, 12_288] })
})

describe('allocating', () => {
  test('punches and zeroes what is not here without fetching it, for good', async () => {
    const bed = await DataBed.make({ f: bytes })
    const { handle } = await bed.opened('f', O_RDWR)
    const count = bed.journal.records.length
    expect(await allocate(bed, 'f', handle, 1000, 2000, punchHole | keepSize)).toBe(0)
    expect(await allocate(bed, 'f', handle, 299_000, 3000, zeroRange)).toBe(0)
    expect(await allocate(bed, 'f', handle, 10_000, 10, zeroRange | keepSize)).toBe(0)
    expect(bed.journal.records.length).toBe(count + 3)
    expect(bed.fetched).toEqual([])
    const expected = new Uint8Array(302_000)
    expected.set(bytes)
    expected.fill(0, 1000, 3000).fill(0, 299_000).fill(0, 10_000, 10_010)
    expect(await bed.read('f', handle)).toEqual(expected)
  })

  test('makes files longer unless the size is kept, and refuses what it does not know', async () => {
    const bed = await DataBed.make({})
    const { open } = await bed.create('f')
    expect(await allocate(bed, 'f', open.handle, 0, 5000, keepSize)).toBe(0)
    expect(await bed.attributes('f')).toMatchObject({ size: 0 })
    expect(await allocate(bed, 'f', open.handle, 0, 5000, 0)).toBe(0)
    expect(await bed.attributes('f')).toMatchObject({ size: 5000 })
    for (const mode of [punchHole, 8, 0x20, 0x40]) expect(await allocate(bed, 'f', open.handle, 0, 4096, mode)).toBe(-errno.EOPNOTSUPP)
    const reader = await bed.opened('f')
    expect(await allocate(bed, 'f', reader.handle, 0, 4096, 0)).toBe(-errno.EBADF)
  })
})

test('data and holes are found in what is local and in what is not', async () => {
  const bed = await DataBed.make({ f: bytes })
  const { handle } = await bed.opened('f', O_RDWR)
  await allocate(bed, 'f', handle, 8192, 8192, punchHole | keepSize)
  await answered(bed.writable.setattr(await bed.node('f'), { ...unchanged, size: 400_000 }, caller))
  await bed.write('f', handle, 350_208, new Uint8Array(100))
  const data = (offset: number): Promise<number> => seek(bed, 'f', handle, offset, seekFrom.SEEK_DATA)
  const hole = (offset: number): Promise<number> => seek(bed, 'f', handle, offset, seekFrom.SEEK_HOLE)
  expect([await data(0), await hole(0)]).toEqual([0, 8192])
  expect([await data(8192), await hole(9000)]).toEqual([16_384, 9000])
  expect([await hole(16_384), await data(300_000)]).toEqual([300_000, 348_160])
  expect([await hole(350_208), await data(360_000)]).toEqual([352_256, -errno.ENXIO])
  expect(await hole(400_000)).toBe(-errno.ENXIO)
  expect(bed.fetched).toEqual([])
})

test('a full disk is told to who writes, after the cache has made way', async () => {
  const bed = await DataBed.make({ f: bytes }, { canPassthrough: false })
  await bed.content('f')
  const { open } = await bed.create('new')
  bed.sys.capacityBytes = bed.sys.usedBytes + 8192
  expect(await bed.write('new', open.handle, 0, bytes)).toBe(bytes.length)
  expect(bed.cache.stats.fileCount).toBe(0)
  const more = await bed.write('new', open.handle, bytes.length, bytes)
  expect(more).toBeLessThan(20_000)
  expect(await bed.write('new', open.handle, bytes.length + more, bytes)).toBe(-errno.ENOSPC)
  expect(await bed.read('new', open.handle)).toEqual(Uint8Array.from([...bytes, ...bytes.subarray(0, more)]))
})

test('fsync makes the bytes durable, and tells when it cannot', async () => {
  const bed = await DataBed.make({})
  const { open, entry } = await bed.create('f')
  bed.writeBacking(open.backingId, 0, bytes)
  bed.sys.calls.length = 0
  expect(await answered(bed.writable.fsync(entry.nodeId, open.handle, false))).toBeUndefined()
  expect(bed.sys.calls.some((call) => call.startsWith('fdatasync'))).toBe(true)
  bed.sys.fail('fdatasync', errno.EIO)
  expect(await answered(bed.writable.fsync(entry.nodeId, open.handle, true))).toBe(-errno.EIO)
})

test('who may not keep privileges takes them away with the first byte', async () => {
  const bed = await DataBed.make({}, { canPassthrough: false })
  const { open, entry } = await bed.create('f')
  await answered(bed.writable.setattr(entry.nodeId, { ...unchanged, mode: 0o6755 }, caller))
  const somebody = { uid: 7, gid: 7, pid: 1 }
  expect(await bed.write('f', open.handle, 0, bytes, { killsPrivileges: true, caller: somebody })).toBe(bytes.length)
  expect(await bed.attributes('f')).toMatchObject({ mode: 0o100755, size: bytes.length })
})

test('what the kernel writes down late is not stamped anew: it keeps the times of what it caches', async () => {
  const bed = await DataBed.make({}, { canPassthrough: false })
  const { open, entry } = await bed.create('f')
  const mtime = { seconds: 1_000_000_000, nanoseconds: 5 }
  await answered(bed.writable.setattr(entry.nodeId, { ...unchanged, mtime }, caller))
  expect(await bed.write('f', open.handle, 0, bytes, { isFromCache: true })).toBe(bytes.length)
  expect(await bed.attributes('f')).toMatchObject({ size: bytes.length, mtimeSeconds: 1_000_000_000, mtimeNanoseconds: 5 })
  await bed.write('f', open.handle, 0, bytes)
  expect(await bed.attributes('f')).not.toMatchObject({ mtimeSeconds: 1_000_000_000 })
})

test('a file that is published while it is open is not known to be as published any more when a program sets its time', async () => {
  const bed = await DataBed.make({})
  const { open, entry } = await bed.create('f')
  bed.writeBacking(open.backingId, 0, bytes)
  bed.nowMs += 1000
  await bed.publish()
  const node = (): unknown => bed.changes.node(toFileId(entry.attributes.ino))
  expect(node()).toMatchObject({ published: { size: bytes.length } })
  await answered(bed.writable.setattr(entry.nodeId, { ...unchanged, mode: 0o600 }, caller))
  expect(node()).toMatchObject({ published: { size: bytes.length } })
  await answered(bed.writable.setattr(entry.nodeId, { ...unchanged, mtime: { seconds: 1_000_000_000, nanoseconds: 5 } }, caller))
  expect(node()).toMatchObject({ published: undefined })
})

const unchanged = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  mtime: undefined,
  ctime: undefined,
  killsPrivileges: false,
  handle: undefined,
}
