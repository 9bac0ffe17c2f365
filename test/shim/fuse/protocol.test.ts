import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { writeAttributesAnswer, writeEntry, writeHeader, writeOpen, writeStatfs, writeStatx } from '../../../shim/fuse/protocol/answer.ts'
import { DirectoryPacker } from '../../../shim/fuse/protocol/directory.ts'
import { initFlag, initFlag2, planInit, writeInitAnswer } from '../../../shim/fuse/protocol/init.ts'
import type { InitOffer } from '../../../shim/fuse/protocol/init.ts'
import { readWide, writeWide } from '../../../shim/fuse/protocol/layout.ts'
import { readName, writeName } from '../../../shim/fuse/protocol/names.ts'
import { entryNotification, epochNotification, nodeNotification } from '../../../shim/fuse/protocol/notification.ts'
import { allocateMemory } from '../../../shim/sys/memory.ts'
import type { Memory } from '../../../shim/sys/memory.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
/** Golden bytes, spaced for the eye. */
const joined = (...parts: string[]): string => parts.join('').replaceAll(' ', '')
/** 32-bit little-endian words, for reading golden bytes by eye. */
const words = (memory: Memory, count: number): string => [...memory.words.subarray(0, count)].map((word) => word.toString(16)).join(' ')

const attributes = {
  ino: 0x1_0000_0002,
  size: 0x2_0000_0003,
  blocks: 4,
  atimeSeconds: -1,
  atimeNanoseconds: 5,
  mtimeSeconds: 6,
  mtimeNanoseconds: 7,
  ctimeSeconds: 8,
  ctimeNanoseconds: 9,
  mode: 0o100644,
  linkCount: 10,
  uid: 11,
  gid: 12,
  rdev: 0x12345678,
  blockBytes: 4096,
}
const attributeWords = '2 1 3 2 4 0 ffffffff ffffffff 6 0 8 0 5 7 9 81a4 a b c 12345678 1000 0'

describe('answers, byte for byte', () => {
  test('header', () => {
    const memory = allocateMemory(16)
    writeHeader(memory.words, 16, -2, 0xdeadbeef, 0x80000001)
    expect(hex(memory.bytes)).toBe('10000000feffffffefbeadde01000080')
  })

  test('entry', () => {
    const memory = allocateMemory(128)
    memory.bytes.fill(0xaa)
    const entry = { nodeId: 2 ** 33 + 1, generation: 3, entryValidMs: 1500, attributesValidMs: Infinity, attributes }
    expect(writeEntry(memory.words, 0, entry)).toBe(128)
    expect(words(memory, 32)).toBe(`1 2 3 0 1 0 7fffffff 0 1dcd6500 0 ${attributeWords}`)
  })

  test('attributes', () => {
    const memory = allocateMemory(104)
    memory.bytes.fill(0xaa)
    expect(writeAttributesAnswer(memory.words, 0, { validMs: 2000, attributes })).toBe(104)
    expect(words(memory, 26)).toBe(`2 0 0 0 ${attributeWords}`)
  })

  test('statx', () => {
    const memory = allocateMemory(288)
    memory.bytes.fill(0xaa)
    expect(writeStatx(memory.words, 0, { validMs: 1, attributes })).toBe(288)
    // valid, validity ns, flags, spare; mask, block, attributes, links, uid, gid, mode, ino, size, blocks, attribute mask
    const start = '0 0 f4240 0 0 0 0 0 7ff 1000 0 0 a b c 81a4 2 1 3 2 4 0 0 0'
    const times = 'ffffffff ffffffff 5 0 0 0 0 0 8 0 9 0 6 0 7 0'
    expect(words(memory, 44)).toBe(`${start} ${times} 456 12378 0 0`)
  })

  test('open: passthrough excludes the kernel cache', () => {
    const reply = { handle: 2 ** 32 + 7, keepCache: true, directIo: false, cacheDirectory: false, noFlush: true, backingId: 0 }
    const memory = allocateMemory(16)
    expect(writeOpen(memory.words, 0, reply, true)).toBe(16)
    expect(words(memory, 4)).toBe('7 1 22 0')
    writeOpen(memory.words, 0, reply, false)
    expect(words(memory, 4)).toBe('7 1 20 0')
    writeOpen(memory.words, 0, { ...reply, backingId: 9 }, true)
    expect(words(memory, 4)).toBe('7 1 a0 9')
    writeOpen(memory.words, 0, { ...reply, noFlush: false, directIo: true, cacheDirectory: true }, true)
    expect(words(memory, 4)).toBe('7 1 b 0')
  })

  test('statfs', () => {
    const memory = allocateMemory(80)
    expect(writeStatfs(memory.words, 0, { blocks: 1, blocksFree: 2, files: 3, filesFree: 4, blockBytes: 512, nameBytesMax: 255 })).toBe(80)
    expect(words(memory, 14)).toBe('1 0 2 0 2 0 3 0 4 0 200 ff 200 0')
  })
})

describe('directories', () => {
  const entry = { nodeId: 77, generation: 0, entryValidMs: 0, attributesValidMs: 0, attributes }

  test('packs records of 8-byte multiples', () => {
    const memory = allocateMemory(4096)
    memory.bytes.fill(0xaa)
    const packer = new DirectoryPacker(memory)
    packer.begin(false, 1000)
    expect(packer.add('abc', 5, 1, 0o040755, undefined)).toBe(true)
    expect(packer.add('x'.repeat(8), 6, 2, 0o120777, undefined)).toBe(true)
    expect(hex(memory.bytes.subarray(16, 16 + packer.byteCount))).toBe(
      joined(
        '0500000000000000 0100000000000000 03000000 04000000 6162630000000000',
        '0600000000000000 0200000000000000 08000000 0a000000 7878787878787878',
      ),
    )
  })

  test('adds nothing that does not fit, and counts a lookup for what it added', () => {
    const packer = new DirectoryPacker(allocateMemory(4096))
    packer.begin(true, 2 * (128 + 32) + 100)
    expect(packer.add('.', 1, 1, 0o040755, undefined)).toBe(true)
    expect(packer.add('ü', 77, 2, 0o100644, entry)).toBe(true)
    expect(packer.add('third', 78, 3, 0o100644, { ...entry, nodeId: 78 })).toBe(false)
    expect(packer.byteCount).toBe(2 * 160)
    expect(packer.lookups).toEqual([77])
    packer.begin(false, 31)
    expect(packer.add('a', 1, 1, 0, undefined)).toBe(false)
    packer.begin(false, 32)
    expect(packer.add('a', 1, 1, 0, undefined)).toBe(true)
    packer.begin(false, 32)
    expect(packer.add('ü'.repeat(5), 1, 1, 0, undefined)).toBe(false)
  })
})

describe('INIT', () => {
  const kernel618: InitOffer = { major: 7, minor: 45, maxReadahead: 131072, flags: 0x73fffffb, flags2: 0x5fd }
  const base =
    initFlag.ASYNC_READ |
    initFlag.ATOMIC_O_TRUNC |
    initFlag.BIG_WRITES |
    initFlag.DO_READDIRPLUS |
    initFlag.READDIRPLUS_AUTO |
    initFlag.PARALLEL_DIROPS |
    initFlag.MAX_PAGES |
    initFlag.CACHE_SYMLINKS |
    initFlag.HANDLE_KILLPRIV_V2 |
    initFlag.SETXATTR_EXT |
    initFlag.INIT_EXT

  test.each([
    ['root on 6.18', kernel618, true, { minor: 45, flags: base | initFlag.EXPLICIT_INVAL_DATA, flags2: initFlag2.PASSTHROUGH }],
    ['root on 6.18, what follows', kernel618, true, { maxStackDepth: 1, canPassthrough: true, canIncrementEpoch: true }],
    ['a user on 6.18', kernel618, false, { flags2: 0, maxStackDepth: 0, canPassthrough: false }],
    ['a newer kernel', { ...kernel618, minor: 50 }, true, { minor: 45, canPassthrough: true }],
    ['6.8: no passthrough yet', { ...kernel618, minor: 39, flags2: 0x1d }, true, { flags2: 0, canPassthrough: false }],
    ['6.8: no epochs yet', { ...kernel618, minor: 39, flags2: 0x1d }, true, { minor: 39, canIncrementEpoch: false }],
    ['no second word', { ...kernel618, flags: 0x33fffffb }, true, { flags2: 0, canPassthrough: false }],
    ['only what is offered', { ...kernel618, flags: initFlag.ASYNC_READ, flags2: 0 }, true, { flags: initFlag.ASYNC_READ }],
  ])('%s', (_name, offer, wantsPassthrough, expected) => {
    expect(planInit(offer, { wantsPassthrough, invalidatesExplicitly: true }, false)).toMatchObject({ kind: 'accepted', ...expected })
  })

  test('asks a newer major version again, and refuses an old kernel', () => {
    const wish = { wantsPassthrough: false, invalidatesExplicitly: false }
    expect(planInit({ ...kernel618, major: 8 }, wish, false)).toEqual({ kind: 'again' })
    expect(planInit({ ...kernel618, minor: 30 }, wish, true)).toMatchObject({ kind: 'refused', errno: 71 })
    expect(planInit(kernel618, wish, false)).toMatchObject({ flags: base | initFlag.AUTO_INVAL_DATA })
  })

  test('a writable mount has access lists and the umask, and gathers writes where no backing files are taken', () => {
    const acl = initFlag.POSIX_ACL | initFlag.DONT_MASK
    const wish = { wantsPassthrough: true, invalidatesExplicitly: true, wantsWritebackCache: true }
    const kernel68 = { ...kernel618, minor: 39, flags2: 0x1d }
    const explicit = base | initFlag.EXPLICIT_INVAL_DATA
    expect(planInit(kernel618, wish, true)).toMatchObject({ flags: explicit | acl, canPassthrough: true, hasWritebackCache: false, hasLongSetxattr: true })
    expect(planInit(kernel68, wish, true)).toMatchObject({ flags: explicit | acl | initFlag.WRITEBACK_CACHE, canPassthrough: false, hasWritebackCache: true })
    expect(planInit(kernel68, { ...wish, wantsWritebackCache: false }, true)).toMatchObject({ flags: explicit | acl, hasWritebackCache: false })
    expect(planInit(kernel68, wish, false)).toMatchObject({ flags: explicit, hasWritebackCache: false })
    const bare = { ...kernel68, flags: initFlag.BIG_WRITES }
    expect(planInit(bare, wish, true)).toMatchObject({ flags: initFlag.BIG_WRITES, hasWritebackCache: false, hasLongSetxattr: false })
  })

  test('the answer, byte for byte', () => {
    const memory = allocateMemory(64)
    memory.bytes.fill(0xaa)
    expect(writeInitAnswer(memory.words, 0, planInit(kernel618, { wantsPassthrough: true, invalidatesExplicitly: true }, false))).toBe(64)
    expect(words(memory, 16)).toBe('7 2d 100000 72c46029 300040 100000 1 100 20 1 0 0 0 0 0 0')
    writeInitAnswer(memory.words, 0, { kind: 'again' })
    expect(words(memory, 3)).toBe('7 2d 0')
  })
})

test('notifications, byte for byte', () => {
  const node = joined('28000000020000000000000000000000 0200000001000000', '0010000000000000 0020000000000000')
  expect(hex(nodeNotification(2 ** 32 + 2, 4096, 8192))).toBe(node)
  const entry = joined('24000000030000000000000000000000 0100000000000000', '0300000000000000 6162ff00')
  expect(hex(entryNotification(1, 'ab\udcff'))).toBe(entry)
  expect(hex(epochNotification())).toBe('10000000080000000000000000000000')
})

test('names survive, whatever their bytes', () => {
  const bytes = new Uint8Array(600)
  for (let round = 0; round < 500; round += 1) {
    const seed = createHash('sha512').update(String(round)).digest()
    const mask = round % 2 === 0 ? 0x7f : 0xff
    const source = Uint8Array.from(seed.subarray(0, 1 + (round % 60))).map((byte) => byte & mask || 1)
    bytes.fill(0)
    bytes.set(source, 40)
    const name = readName(bytes, 40, 600)
    const copy = new Uint8Array(600)
    expect(writeName(copy, 3, 600, name)).toBe(source.length)
    expect(copy.slice(3, 3 + source.length)).toEqual(source)
    expect(writeName(copy, 3, 3 + source.length - 1, name)).toBe(-1)
  }
})

test('wide numbers', () => {
  const array = new Uint32Array(2)
  for (const value of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    writeWide(array, 0, value)
    expect(readWide(array, 0)).toBe(value)
    expect(new BigUint64Array(array.buffer)[0]).toBe(BigInt(value))
  }
  for (const value of [-1, -(2 ** 32), -(2 ** 40) - 5]) {
    writeWide(array, 0, value)
    expect(new BigInt64Array(array.buffer)[0]).toBe(BigInt(value))
  }
})
