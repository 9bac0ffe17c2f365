/** Requests that change something: golden bytes of a request, what the handler is asked, and the golden bytes of the answer. */
import { describe, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'
import type { Attributes, CreateReply, EntryReply, WritableHandler } from '../../../shim/fuse/handler.ts'
import { Loop } from '../../../shim/fuse/loop.ts'
import { opcode } from '../../../shim/fuse/protocol/opcode.ts'
import { FakeDevice, initRequest, request } from '../../support/fake-device.ts'
import type { RequestParts, Step } from '../../support/fake-device.ts'
import { MemoryHandler } from '../../support/memory-handler.ts'

const wordsOf = (bytes: Uint8Array): string => [...new Uint32Array(bytes.slice().buffer)].map((word) => word.toString(16)).join(' ')
const caller = { uid: 1000, gid: 1001, pid: 4321 }
const attributes: Attributes = {
  ino: 9,
  size: 1,
  blocks: 2,
  atimeSeconds: 3,
  atimeNanoseconds: 4,
  mtimeSeconds: 5,
  mtimeNanoseconds: 6,
  ctimeSeconds: 7,
  ctimeNanoseconds: 8,
  mode: 0o100600,
  linkCount: 1,
  uid: 1000,
  gid: 1001,
  rdev: 0,
  blockBytes: 4096,
}
const entry: EntryReply = { nodeId: 9, generation: 0, entryValidMs: 1000, attributesValidMs: 2000, attributes }
const entryWords = '9 0 0 0 1 0 2 0 0 0 9 0 1 0 2 0 3 0 5 0 7 0 4 6 8 8180 1 3e8 3e9 0 1000 0'
const created: CreateReply = {
  entry,
  open: { handle: 77, keepCache: true, directIo: false, cacheDirectory: false, noFlush: true, backingId: 0 },
}
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

type Asked = readonly [method: string, ...parameters: unknown[]]

/** A changing half that writes down what it is asked, and gives these answers in turn. */
function recorder(...answers: unknown[]): { readonly asked: Asked[]; readonly writable: WritableHandler } {
  const asked: Asked[] = []
  const get =
    (_target: object, method: string) =>
    (...parameters: unknown[]): unknown => {
      asked.push([method, ...structuredClone(parameters)])
      return answers.shift()
    }
  return { asked, writable: new Proxy<WritableHandler>(Object.create(null), { get }) }
}

function play(handler: MemoryHandler, writable: WritableHandler | undefined, steps: readonly Step[], change?: (device: FakeDevice) => void): { device: FakeDevice; errors: string[] } {
  const device = new FakeDevice(steps)
  const errors: string[] = []
  change?.(device)
  const connection = { canPassthrough: true, hasWritebackCache: false, mayKeepCache: true, openBacking: () => 1 }
  const nothing = (): void => {}
  new Loop({
    device,
    handler: writable === undefined ? handler : Object.assign(handler, { writable }),
    wish: { wantsPassthrough: true, invalidatesExplicitly: true },
    connect: () => ({ ...connection, closeBacking: nothing, invalidateNode: nothing, invalidateEntry: nothing, invalidateAllEntries: () => true, retry: nothing }),
    onControl: nothing,
    nowMs: () => performance.now(),
    spinUs: 0,
    log: { ...silentLogger, error: (message) => errors.push(message) },
  }).run()
  return { device, errors }
}

/** What one request makes of the handler, and what it is answered. */
function askOnce(parts: Omit<RequestParts, 'unique'>, answer: unknown): { asked: Asked; error: number; words: string } {
  const { asked, writable } = recorder(answer)
  const { device, errors } = play(new MemoryHandler(), writable, [request({ ...parts, unique: 4 })])
  expect(errors).toEqual([])
  const { error, body } = device.answer(4)
  return { asked: asked[0]!, error, words: wordsOf(body) }
}

describe('what the kernel asks, and gets', () => {
  const node = { mode: 0o100644, umask: 0o22, rdev: 0 }
  test.each<[name: string, parts: Omit<RequestParts, 'unique'>, asked: Asked, answer: unknown, words: string]>([
    ['SYMLINK', { opcode: opcode.SYMLINK, nodeId: 5, tail: 'name\0where/to\0' }, ['symlink', 5, 'name', 'where/to', caller], entry, entryWords],
    [
      'MKNOD',
      { opcode: opcode.MKNOD, nodeId: 5, words: [0o020644, 0x103, 0o22, 0], tail: 'null\0' },
      ['mknod', 5, 'null', { mode: 0o020644, umask: 0o22, rdev: 0x103 }, caller],
      entry,
      entryWords,
    ],
    [
      'MKDIR: with its type bits',
      { opcode: opcode.MKDIR, nodeId: 5, words: [0o1777, 0o22], tail: 'dir\0' },
      ['mkdir', 5, 'dir', { mode: 0o041777, umask: 0o22, rdev: 0 }, caller],
      entry,
      entryWords,
    ],
    [
      'CREATE',
      { opcode: opcode.CREATE, nodeId: 5, words: [0o101302, 0o100644, 0o22, 0], tail: 'new\0' },
      ['create', 5, 'new', node, 0o101302, caller, false],
      created,
      `${entryWords} 4d 0 22 0`,
    ],
    [
      'CREATE: privileges go, and the kernel writes a backing file',
      { opcode: opcode.CREATE, nodeId: 5, words: [0o1101, 0o100644, 0o22, 1], tail: 'new\0' },
      ['create', 5, 'new', node, 0o1101, caller, true],
      { ...created, open: { ...created.open, backingId: 3 } },
      `${entryWords} 4d 0 a0 3`,
    ],
    [
      'TMPFILE',
      { opcode: opcode.TMPFILE, nodeId: 5, words: [0o20200002, 0o100644, 0o22, 0], tail: '/\0' },
      ['tmpfile', 5, node, 0o20200002, caller],
      created,
      `${entryWords} 4d 0 22 0`,
    ],
    ['UNLINK', { opcode: opcode.UNLINK, nodeId: 5, tail: 'gone\0' }, ['unlink', 5, 'gone'], undefined, ''],
    ['RMDIR', { opcode: opcode.RMDIR, nodeId: 5, tail: 'gone\0' }, ['rmdir', 5, 'gone'], undefined, ''],
    ['RENAME', { opcode: opcode.RENAME, nodeId: 5, words: [6, 0], tail: 'old\0new\0' }, ['rename', 5, 'old', 6, 'new', 0], undefined, ''],
    ['RENAME2', { opcode: opcode.RENAME2, nodeId: 5, words: [6, 1, 2, 0], tail: 'old\0new\0' }, ['rename', 5, 'old', 2 ** 32 + 6, 'new', 2], undefined, ''],
    ['LINK', { opcode: opcode.LINK, nodeId: 5, words: [9, 0], tail: 'other\0' }, ['link', 9, 5, 'other'], entry, entryWords],
    ['FSYNC', { opcode: opcode.FSYNC, nodeId: 9, words: [77, 0, 0, 0] }, ['fsync', 9, 77, false], undefined, ''],
    ['FSYNC of data', { opcode: opcode.FSYNC, nodeId: 9, words: [77, 0, 1, 0] }, ['fsync', 9, 77, true], undefined, ''],
    ['FSYNCDIR', { opcode: opcode.FSYNCDIR, nodeId: 5, words: [77, 0, 0, 0] }, ['fsyncdir', 5, 77, false], undefined, ''],
    [
      'FALLOCATE',
      { opcode: opcode.FALLOCATE, nodeId: 9, words: [77, 0, 4096, 1, 0, 16, 3, 0] },
      ['fallocate', 9, 77, 2 ** 32 + 4096, 2 ** 36, 3],
      undefined,
      '',
    ],
    [
      'COPY_FILE_RANGE',
      { opcode: opcode.COPY_FILE_RANGE, nodeId: 9, words: [77, 0, 1, 0, 10, 0, 78, 0, 2, 0, 100, 0, 0, 0] },
      ['copyFileRange', { nodeId: 9, handle: 77, offset: 1 }, { nodeId: 10, handle: 78, offset: 2 }, 100, 0],
      { copied: 99 },
      '63 0',
    ],
    [
      'COPY_FILE_RANGE_64',
      { opcode: opcode.COPY_FILE_RANGE_64, nodeId: 9, words: [77, 0, 1, 0, 10, 0, 78, 0, 2, 0, 100, 2, 0, 0] },
      ['copyFileRange', { nodeId: 9, handle: 77, offset: 1 }, { nodeId: 10, handle: 78, offset: 2 }, 2 ** 33 + 100, 0],
      { copied: 2 ** 33 + 99 },
      '63 2',
    ],
    [
      'SETXATTR',
      { opcode: opcode.SETXATTR, nodeId: 9, words: [3, 1, 1, 0], tail: 'user.a\0xyz' },
      ['setxattr', 9, 'user.a', new TextEncoder().encode('xyz'), 1, true],
      undefined,
      '',
    ],
    ['REMOVEXATTR', { opcode: opcode.REMOVEXATTR, nodeId: 9, tail: 'user.a\0' }, ['removexattr', 9, 'user.a'], undefined, ''],
  ])('%s', (_name, parts, asked, answer, words) => {
    expect(askOnce(parts, answer)).toEqual({ asked, error: 0, words })
    const refused = askOnce(parts, -errno.ENOSPC)
    expect(refused).toEqual({ asked, error: -errno.ENOSPC, words: '' })
  })
})

describe('SETATTR', () => {
  const valid = { mode: 1, uid: 2, gid: 4, size: 8, atime: 16, mtime: 32, handle: 64, atimeNow: 128, mtimeNow: 256, owner: 512, ctime: 1024, kill: 2048 }
  const minus = 0xffffffff
  /** Everything is filled in; `valid` says what counts. */
  const words = (bits: number): number[] => [bits, 0, 77, 0, 5, 1, 99, 0, minus - 4, minus, 11, 0, 12, 0, 1, 2, 3, 0o104755, 0, 500, 600, 0]
  const ask = (bits: number): unknown => {
    const { asked, words: answer } = askOnce({ opcode: opcode.SETATTR, nodeId: 9, words: words(bits) }, { validMs: 3000, attributes })
    expect(answer).toBe('3 0 0 0 9 0 1 0 2 0 3 0 5 0 7 0 4 6 8 8180 1 3e8 3e9 0 1000 0')
    expect(asked).toEqual(['setattr', 9, expect.anything(), caller])
    return asked[2]
  }

  test.each([
    ['chmod', valid.mode, { mode: 0o4755 }],
    ['chown', valid.uid | valid.gid | valid.kill, { uid: 500, gid: 600, killsPrivileges: true }],
    ['ftruncate', valid.size | valid.handle | valid.owner, { size: 2 ** 32 + 5, handle: 77 }],
    ['utimensat', valid.atime | valid.mtime, { atime: { seconds: -5, nanoseconds: 1 }, mtime: { seconds: 11, nanoseconds: 2 } }],
    ['utimensat with UTIME_NOW', valid.atime | valid.atimeNow | valid.mtime | valid.mtimeNow, { atime: 'now', mtime: 'now' }],
    ['the kernel keeps the times', valid.mtime | valid.ctime, { mtime: { seconds: 11, nanoseconds: 2 }, ctime: { seconds: 12, nanoseconds: 3 } }],
    ['a write is to come: nothing is set, and that says it', 0, { killsPrivileges: true }],
    ['the same by an open file', valid.handle, { killsPrivileges: true, handle: 77 }],
  ])('%s', (_name, bits, expected) => {
    expect(ask(bits)).toEqual({ ...unchanged, ...expected })
  })
})

describe('WRITE', () => {
  const write = (unique: number, text: string, flags = 0): Uint8Array =>
    request({ opcode: opcode.WRITE, unique, nodeId: 9, words: [77, 0, 4096, 1, text.length, flags, 0, 0, 0, 0], tail: text })
  const place: unknown[] = ['write', 9, 77, 2 ** 32 + 4096]

  test('gives the bytes and how they came, and answers how many were taken', () => {
    const { asked, writable } = recorder({ written: 5 }, { written: 4 }, { written: 3 }, -errno.ENOSPC)
    const { device } = play(new MemoryHandler(), writable, [write(4, 'first'), write(6, 'other', 1), write(8, 'one', 6), write(10, '')])
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
    expect(asked.map((one) => one.slice(0, 5))).toEqual(['first', 'other', 'one', ''].map((text) => [...place, bytes(text)]))
    expect(asked.map((one) => one[5])).toMatchObject([
      { isFromCache: false, killsPrivileges: false, caller },
      { isFromCache: true, killsPrivileges: false, caller },
      { isFromCache: false, killsPrivileges: true, caller },
      {},
    ])
    expect([4, 6, 8].map((unique) => wordsOf(device.answer(unique).body))).toEqual(['5 0', '4 0', '3 0'])
    expect(device.answer(10)).toMatchObject({ error: -errno.ENOSPC })
  })

  test('the same view serves writes of one length, and no other request spoils it', () => {
    const views: Uint8Array[] = []
    const seen: string[] = []
    const half: WritableHandler = Object.assign(Object.create(null), {
      write: (...[, , , bytes]: Parameters<WritableHandler['write']>) => {
        views.push(bytes)
        seen.push(new TextDecoder().decode(bytes))
        return { written: bytes.length }
      },
      setxattr: () => undefined,
    })
    const setxattr = request({ opcode: opcode.SETXATTR, unique: 8, nodeId: 9, words: [4, 0, 0, 0], tail: 'user.a\0four' })
    play(new MemoryHandler(), half, [write(4, 'aaaa'), write(6, 'bbbb'), setxattr, write(10, 'cccc'), write(12, 'longer')])
    expect(seen).toEqual(['aaaa', 'bbbb', 'cccc', 'longer'])
    expect(views[0]).toBe(views[1])
  })

  test('may be answered later', () => {
    const late = new Deferred<{ written: number }>()
    const { writable } = recorder(late, { written: 2 })
    const { device } = play(new MemoryHandler(), writable, [write(4, 'later'), write(6, 'no'), () => late.settle({ written: 5 })])
    expect(device.answers.map((one) => one.unique)).toEqual([2, 6, 4])
    expect(wordsOf(device.answer(4).body)).toBe('5 0')
  })
})

describe('what nobody took is taken back', () => {
  const withEntry = [opcode.SYMLINK, opcode.MKNOD, opcode.MKDIR, opcode.LINK] as const
  const parts = { nodeId: 1, words: [0, 0, 0, 0], tail: 'a\0b\0' }

  function taken(number: number, answer: unknown, isLate: boolean): Asked[] {
    const handler = new MemoryHandler()
    const back: Asked[] = []
    Object.assign(handler, {
      forget: (...parameters: unknown[]) => void back.push(['forget', ...parameters]),
      release: (...parameters: unknown[]) => void back.push(['release', ...parameters]),
    })
    const deferred = new Deferred<unknown>()
    const { writable } = recorder(isLate ? deferred : answer)
    const settle = isLate ? [() => deferred.settle(answer)] : []
    const { errors } = play(handler, writable, [request({ opcode: number, unique: 4, ...parts }), ...settle], (device) => device.sendErrors.set(4, -errno.ENOENT))
    expect(errors).toEqual([])
    return back
  }

  test.each([false, true])('late: %s', (isLate) => {
    for (const number of withEntry) expect(taken(number, entry, isLate)).toEqual([['forget', 9, 1]])
    for (const number of [opcode.CREATE, opcode.TMPFILE]) {
      expect(taken(number, created, isLate)).toEqual([
        ['release', 9, 77],
        ['forget', 9, 1],
      ])
      expect(taken(number, -errno.EEXIST, isLate)).toEqual([])
    }
  })
})

test('without a changing half everything that changes is a read-only file system', () => {
  const numbers = ['SETATTR', 'SYMLINK', 'MKNOD', 'MKDIR', 'CREATE', 'TMPFILE', 'UNLINK', 'RMDIR', 'RENAME', 'RENAME2', 'LINK', 'WRITE', 'FALLOCATE', 'SETXATTR', 'REMOVEXATTR'] as const
  const copies = ['COPY_FILE_RANGE', 'COPY_FILE_RANGE_64'] as const
  const steps = [...numbers, ...copies].map((name, index) => request({ opcode: opcode[name], unique: 4 + index * 2, words: Array.from({ length: 22 }, () => 0), tail: 'a\0b\0' }))
  const { device } = play(new MemoryHandler(), undefined, steps)
  expect(device.answers.slice(1).map((answer) => answer.error)).toEqual(steps.map(() => -errno.EROFS))
})

test('a kernel without SETXATTR_EXT sends a shorter SETXATTR', () => {
  const { asked, writable } = recorder(undefined)
  const setxattr = request({ opcode: opcode.SETXATTR, unique: 4, nodeId: 9, words: [3, 2], tail: 'user.a\0xyz' })
  const init = initRequest()
  const flags = new DataView(init.buffer)
  flags.setUint32(52, flags.getUint32(52, true) & ~(1 << 29), true)
  const { device } = play(new MemoryHandler(), writable, [init, setxattr])
  expect(device.answer(4)).toMatchObject({ error: 0 })
  expect(asked).toEqual([['setxattr', 9, 'user.a', new TextEncoder().encode('xyz'), 2, false]])
})
