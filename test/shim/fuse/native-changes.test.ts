/** The changing operations of libfuse 2 over a handler, without a mount. */
import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'
import type { Answer, Handler, WritableHandler } from '../../../shim/fuse/handler.ts'
import { answerTimes } from '../../../shim/fuse/native-binding.ts'
import type { NativeFuse, NativeOperations } from '../../../shim/fuse/native-binding.ts'
import { ChangingOperations, nativeOperations } from '../../../shim/fuse/native-changes.ts'
import { MemoryHandler } from '../../support/memory-handler.ts'
import { WritableMemoryHandler } from '../../support/writable-memory-handler.ts'

type Done = (code: number, value?: number) => void

/** What is answered: a value, or the code. */
function answered(ask: (done: Done) => void): number {
  const answers: number[] = []
  ask((code, value) => answers.push(code < 0 ? code : (value ?? code)))
  expect(answers).toHaveLength(1)
  return answers[0]!
}

test('what a path changes is changed, and nothing is held afterwards', () => {
  const handler = new WritableMemoryHandler()
  const operations = new ChangingOperations(handler, handler)
  const ok = (ask: (done: Done) => void): void => expect(answered(ask)).toBe(0)
  ok((done) => operations.mkdir('/a', 0o755, done))
  ok((done) => operations.mkdir('/a/b', 0o750, done))
  const fd = answered((done) => operations.create('/a/b/file', 0o100640, done))
  expect(answered((done) => operations.write('/a/b/file', fd, Uint8Array.of(1, 2, 3, 4), 3, 2, done))).toBe(3)
  ok((done) => operations.fsync('/a/b/file', 1, fd, done))
  ok((done) => operations.ftruncate('/a/b/file', fd, 4, done))
  expect(handler.outstanding).toMatchObject({ lookups: 3, handles: 1 })
  operations.release('/a/b/file', fd, () => {})
  ok((done) => operations.link('/a/b/file', '/hard', done))
  ok((done) => operations.symlink('to', '/a/link', done))
  ok((done) => operations.mknod('/fifo', 0o010600, 0, done))
  ok((done) => operations.rename('/hard', '/a/moved', done))
  ok((done) => operations.chmod('/a/moved', 0o100711, done))
  ok((done) => operations.chown('/a/moved', 5, 0xffffffff, done))
  ok((done) => operations.utimens('/a/moved', -1, 1_500, done))
  ok((done) => operations.truncate('/a/moved', 3, done))
  const value = Buffer.from('value')
  ok((done) => operations.setxattr('/a/moved', 'user.a', value, 0, 0, done))
  value.fill(0) // the binding takes its memory back
  expect(answered((done) => operations.getxattr('/a/moved', 'user.a', 0, (code, got) => done(code, got?.[0])))).toBe(118)
  ok((done) => operations.removexattr('/a/moved', 'user.a', done))
  ok((done) => operations.fsyncdir('/a', 0, 0, done))
  expect(handler.outstanding).toMatchObject({ lookups: 0, handles: 0 })
  operations.getattr('/a/b/file', (_code, stat) => expect(stat).toMatchObject({ mode: 0o100711, uid: 5, size: 3, nlink: 2, mtime: expect.any(Number) }))
  expect(handler.changes.map(({ size, mode, uid, gid, handle, atime, mtime }) => [size, mode, uid, gid, handle !== undefined, atime, mtime])).toEqual([
    [4, undefined, undefined, undefined, true, undefined, undefined],
    [undefined, 0o711, undefined, undefined, false, undefined, undefined],
    [undefined, undefined, 5, undefined, false, undefined, undefined],
    [undefined, undefined, undefined, undefined, false, { seconds: -1, nanoseconds: 999_000_000 }, { seconds: 1, nanoseconds: 500_000_000 }],
    [3, undefined, undefined, undefined, false, undefined, undefined],
  ])
  expect(answered((done) => operations.rmdir('/a/b', done))).toBe(-errno.ENOTEMPTY)
  for (const path of ['/a/b/file', '/a/moved', '/a/link', '/fifo']) ok((done) => operations.unlink(path, done))
  for (const path of ['/a/b', '/a']) ok((done) => operations.rmdir(path, done))
  expect(handler.outstanding).toEqual({ lookups: 0, handles: 0, inodes: 1 })
})

test('what cannot be is refused, and nothing is held', () => {
  const handler = new WritableMemoryHandler()
  const operations = new ChangingOperations(handler, handler)
  expect(answered((done) => operations.mkdir('/a', 0o755, done))).toBe(0)
  expect(answered((done) => operations.mkdir('/a', 0o755, done))).toBe(-errno.EEXIST)
  for (const [from, to] of [['/none/x', '/a/y'], ['/a', '/none/y'], ['/none', '/a/y']] as const) {
    expect(answered((done) => operations.rename(from, to, done))).toBe(-errno.ENOENT)
    expect(answered((done) => operations.link(from, to, done))).toBe(-errno.ENOENT)
  }
  expect(answered((done) => operations.create('/none/x', 0o600, done))).toBe(-errno.ENOENT)
  expect(answered((done) => operations.write('/a', 99, new Uint8Array(1), 1, 0, done))).toBe(-errno.EIO)
  expect(handler.outstanding).toEqual({ lookups: 0, handles: 0, inodes: 2 })
})

test('an answer may come late; a failed one leaves nothing open', () => {
  const handler = new WritableMemoryHandler()
  const waiting: Deferred<undefined>[] = []
  const late = (): Answer<undefined> => {
    const deferred = new Deferred<undefined>()
    waiting.push(deferred)
    return deferred
  }
  const writable: WritableHandler = Object.assign(Object.create(handler), { unlink: late, rename: late, fsyncdir: late })
  // Private fields are the handler's own.
  for (const name of ['mkdir', 'create'] as const) Object.assign(writable, { [name]: handler[name].bind(handler) })
  const operations = new ChangingOperations(handler, writable)
  expect(answered((done) => operations.mkdir('/a', 0o755, done))).toBe(0)
  const codes: number[] = []
  const keep = (code: number): void => void codes.push(code)
  operations.unlink('/a/x', keep)
  operations.rename('/a/x', '/a/y', keep)
  operations.fsyncdir('/a', 0, 0, keep)
  expect(codes).toEqual([])
  expect(handler.outstanding).toMatchObject({ lookups: 4, handles: 1 })
  waiting[2]!.settle(-errno.EIO)
  waiting[0]!.settle(undefined)
  waiting[1]!.settle(undefined)
  expect(codes).toEqual([-errno.EIO, 0, 0])
  expect(handler.outstanding).toMatchObject({ lookups: 0, handles: 0 })
})

test('without a changing half everything is refused', () => {
  const handler: Handler = new MemoryHandler()
  const operations: object = nativeOperations(handler)
  const names = ['mkdir', 'rmdir', 'unlink', 'rename', 'link', 'symlink', 'chmod', 'chown', 'truncate', 'ftruncate', 'utimens', 'mknod', 'create', 'write', 'setxattr', 'removexattr']
  for (const name of names) {
    const refuse: unknown = Reflect.get(operations, name)
    if (typeof refuse !== 'function') throw new Error(`${name} is not there`)
    expect(answered((done) => Reflect.apply(refuse, operations, ['/path', done]))).toBe(-errno.EROFS)
  }
  expect(Reflect.get(operations, 'fsync')).toBeUndefined()
})

test('times come out of the request, where the binding gives one of the two twice', () => {
  const told: unknown[] = []
  const utimens: NativeOperations['utimens'] = (...words) => {
    told.push(words.slice(0, 3))
    words[3](0)
  }
  const plain: NativeOperations = nativeOperations(new MemoryHandler())
  const request = new Uint8Array(200)
  const view = new DataView(request.buffer)
  const touch = (place: number, given: number): unknown => {
    request.fill(0)
    view.setBigInt64(place, BigInt(given), true)
    view.setBigInt64(place + 8, -1500n, true)
    const fuse: NativeFuse = { mount: () => {}, _op_getxattr: () => {}, _op_listxattr: () => {}, _op_utimens: () => {}, _handlers: [] }
    const codes: number[] = []
    fuse._handlers[12] = (_request, _opcode, path) => fuse._op_utimens((code) => void codes.push(code), path)
    answerTimes(fuse, Object.assign(Object.create(plain), { utimens }))
    fuse._handlers[12](request, 12, '/f', 0x89abcdef, 0x1ff, 0x89abcdef, 0x1ff)
    return codes[0]
  }
  const given = 0x1ff * 2 ** 32 + 0x89abcdef
  expect(touch(104, given)).toBe(0)
  expect(touch(96, given)).toBe(0)
  expect(told).toEqual([['/f', given, -1500], ['/f', given, -1500]])
  expect(touch(104, given + 1), 'a request of another shape').toBe(-errno.EOPNOTSUPP)
  expect(told).toHaveLength(2)
})
