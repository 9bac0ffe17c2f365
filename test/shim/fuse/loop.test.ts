import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'
import type { DirectorySink, EntryReply, Handler, ReadReply } from '../../../shim/fuse/handler.ts'
import { Loop } from '../../../shim/fuse/loop.ts'
import type { LoopParts } from '../../../shim/fuse/loop.ts'
import { opcode } from '../../../shim/fuse/protocol/opcode.ts'
import { FakeDevice, request } from '../../support/fake-device.ts'
import type { Step } from '../../support/fake-device.ts'
import { MemoryHandler } from '../../support/memory-handler.ts'

interface Played {
  readonly device: FakeDevice
  readonly errors: string[]
}

/** Runs the loop over the steps, to the end of the mount. */
function play(handler: Handler, steps: readonly Step[], change?: (device: FakeDevice) => void, parts: Partial<LoopParts> = {}): Played {
  const device = new FakeDevice(steps)
  const errors: string[] = []
  change?.(device)
  new Loop({
    device,
    handler,
    wish: { wantsPassthrough: true, invalidatesExplicitly: true },
    connect: () => ({
      canPassthrough: true,
      hasWritebackCache: false,
      mayKeepCache: true,
      openBacking: () => 1,
      closeBacking: () => {},
      invalidateNode: () => {},
      invalidateEntry: () => {},
      invalidateAllEntries: () => true,
      retry: () => {},
    }),
    onControl: () => {},
    nowMs: () => performance.now(),
    spinUs: 0,
    log: { ...silentLogger, error: (message) => errors.push(message) },
    ...parts,
  }).run()
  return { device, errors }
}

function withFile(): MemoryHandler {
  const handler = new MemoryHandler()
  handler.addFile(handler.root, 'file', Uint8Array.of(1, 2, 3, 4))
  return handler
}

const lookup = (unique: number, name: string): Uint8Array => request({ opcode: opcode.LOOKUP, unique, tail: `${name}\0` })
const read = (unique: number, nodeId: number, size = 4096): Uint8Array =>
  request({ opcode: opcode.READ, unique, nodeId, words: [7, 0, 0, 0, size, 0, 0, 0, 0, 0] })
const interrupt = (unique: number): Uint8Array => request({ opcode: opcode.INTERRUPT, unique: unique + 1, nodeId: 0, words: [unique, 0] })

test('answers by number, and stops with the mount', () => {
  const handler = withFile()
  const { device, errors } = play(handler, [lookup(4, 'file'), lookup(6, 'other'), read(2 ** 40, 2, 3)])
  expect(device.answer(4)).toMatchObject({ error: 0 })
  expect(device.answer(4).body).toHaveLength(128)
  expect(device.answer(6)).toMatchObject({ error: -errno.ENOENT, body: new Uint8Array(0) })
  expect(device.answer(2 ** 40)).toMatchObject({ error: 0, body: Uint8Array.of(1, 2, 3) })
  expect(handler.isStopped).toBe(true)
  expect(errors).toEqual([])
})

test('refuses what would change something, and says that the rest is not there', () => {
  const { device } = play(withFile(), [
    request({ opcode: opcode.UNLINK, unique: 4, tail: 'file\0' }),
    request({ opcode: opcode.WRITE, unique: 6, words: Array.from({ length: 10 }, () => 0) }),
    request({ opcode: opcode.FSYNC, unique: 8 }),
    request({ opcode: opcode.IOCTL, unique: 10 }),
    request({ opcode: 999, unique: 12 }),
    request({ opcode: opcode.DESTROY, unique: 14 }),
  ])
  const { EROFS, ENOSYS } = errno
  expect([4, 6, 8, 10, 12, 14].map((unique) => device.answer(unique).error)).toEqual([-EROFS, -EROFS, -ENOSYS, -ENOSYS, -ENOSYS, 0])
})

test('forgets one and many, without an answer', () => {
  const handler = withFile()
  const { device } = play(handler, [
    ...[4, 6, 8, 10].map((unique) => lookup(unique, 'file')),
    request({ opcode: opcode.FORGET, unique: 12, nodeId: 2, words: [1, 0] }),
    request({ opcode: opcode.BATCH_FORGET, unique: 14, nodeId: 0, words: [2, 0, 2, 0, 2, 0, 2, 0, 1, 0] }),
  ])
  expect(handler.outstanding.lookups).toBe(0)
  expect(device.answers.map((one) => one.unique)).toEqual([2, 4, 6, 8, 10])
})

test('a deferred answer comes later, once', () => {
  const handler = withFile()
  const deferred = new Deferred<EntryReply>()
  const entry = handler.lookup(1, 'file')
  Object.assign(handler, { lookup: () => deferred })
  const { device } = play(handler, [
    lookup(4, 'slow'),
    request({ opcode: opcode.STATFS, unique: 6 }),
    () => {
      if (typeof entry === 'number' || entry instanceof Deferred) throw new Error('no entry')
      deferred.settle(entry)
      deferred.settle(-errno.EIO)
    },
  ])
  expect(device.answers.map((one) => one.unique)).toEqual([2, 6, 4])
  expect(device.answer(4)).toMatchObject({ error: 0 })
})

test('an answer that was settled before it was given is sent, and one after the end is not', () => {
  const handler = withFile()
  const early = new Deferred<ReadReply>()
  early.settle({ kind: 'bytes', bytes: Uint8Array.of(9) })
  const late = new Deferred<ReadReply>()
  const answers = [early, late]
  Object.assign(handler, { read: () => answers.shift() })
  const { device } = play(handler, [read(4, 2), read(6, 2)])
  expect(device.answer(4).body).toEqual(Uint8Array.of(9))
  late.settle(-errno.EIO)
  expect(device.answers.map((one) => one.unique)).toEqual([2, 4])
})

test('a late answer does not spoil one that is being built', () => {
  const handler = withFile()
  const waiting = new Deferred<ReadReply>()
  Object.assign(handler, {
    read: () => waiting,
    readdir: (_node: number, _handle: number, _offset: number, sink: DirectorySink) => {
      sink.add('before', 10, 1, 0o100644, undefined)
      waiting.settle({ kind: 'bytes', bytes: new Uint8Array(64).fill(0xee) })
      sink.add('after', 11, 2, 0o100644, undefined)
      return undefined
    },
  })
  const { device } = play(handler, [read(4, 2), request({ opcode: opcode.READDIR, unique: 6, words: [0, 0, 0, 0, 4096, 0, 0, 0, 0, 0] })])
  expect(device.answer(4).body).toEqual(new Uint8Array(64).fill(0xee))
  const text = new TextDecoder('latin1').decode(device.answer(6).body)
  expect(text).toContain('before')
  expect(text).toContain('after')
  expect(text).not.toContain('\u00ee')
})

test('INTERRUPT ends a deferred request with EINTR, through the handler when it wants', () => {
  const handler = withFile()
  const plain = new Deferred<ReadReply>()
  const asked = new Deferred<ReadReply>()
  let isAsked = false
  asked.onInterrupt = () => {
    isAsked = true
  }
  const answers = [plain, asked]
  Object.assign(handler, { read: () => answers.shift() })
  const finish = (): void => asked.settle({ kind: 'bytes', bytes: Uint8Array.of(1) })
  const { device } = play(handler, [read(4, 2), read(6, 2), interrupt(4), interrupt(6), finish])
  expect(device.answer(4)).toMatchObject({ error: -errno.EINTR })
  expect(isAsked).toBe(true)
  expect(device.answer(6)).toMatchObject({ error: 0 }) // it may also finish
  expect(device.answers).toHaveLength(3)
})

test('INTERRUPT before its request is given back with EAGAIN', () => {
  const { device } = play(withFile(), [interrupt(4), read(4, 2)])
  expect(device.answer(5)).toMatchObject({ error: -errno.EAGAIN })
  expect(device.answer(4)).toMatchObject({ error: 0 })
})

test('an answer that nobody takes is taken back', () => {
  const handler = withFile()
  const { errors } = play(
    handler,
    [
      lookup(4, 'file'),
      request({ opcode: opcode.OPEN, unique: 6, nodeId: 2, words: [0, 0] }),
      request({ opcode: opcode.OPENDIR, unique: 8, words: [0, 0] }),
      request({ opcode: opcode.READDIRPLUS, unique: 10, words: [0, 0, 0, 0, 4096, 0, 0, 0, 0, 0] }),
    ],
    (device) => [4, 6, 8, 10].forEach((unique) => device.sendErrors.set(unique, -errno.ENOENT)),
  )
  expect(handler.outstanding).toEqual({ lookups: 0, handles: 0 })
  expect(errors).toEqual([])
})

test('a listing that defers is asked again, and what it had packed is taken back', () => {
  const handler = withFile()
  const waiting = new Deferred<undefined>()
  const readdir = handler.readdir.bind(handler)
  let calls = 0
  Object.assign(handler, {
    readdir: (node: number, handle: number, offset: number, sink: DirectorySink) => {
      calls += 1
      const answer = readdir(node, handle, offset, sink)
      return calls === 1 ? waiting : answer
    },
  })
  const words = [0, 0, 0, 0, 4096, 0, 0, 0, 0, 0]
  const { device } = play(handler, [request({ opcode: opcode.READDIRPLUS, unique: 4, words }), () => waiting.settle(undefined)])
  expect(calls).toBe(2)
  expect(device.answer(4).error).toBe(0)
  expect(handler.outstanding.lookups).toBe(1)
})

test('a listing that fails late takes nothing of another one back', () => {
  const handler = withFile()
  const waiting = new Deferred<undefined>()
  const readdir = handler.readdir.bind(handler)
  const answers: (Deferred<undefined> | undefined)[] = [waiting]
  Object.assign(handler, {
    readdir: (node: number, handle: number, offset: number, sink: DirectorySink) => answers.shift() ?? readdir(node, handle, offset, sink),
  })
  const words = [0, 0, 0, 0, 4096, 0, 0, 0, 0, 0]
  const list = (unique: number): Uint8Array => request({ opcode: opcode.READDIRPLUS, unique, words })
  const { device } = play(handler, [list(4), list(6), () => waiting.settle(-errno.EIO)])
  expect(device.answer(4).error).toBe(-errno.EIO)
  expect(handler.outstanding.lookups).toBe(1)
})

test('a handler that throws, or answers nonsense, spoils its request only', () => {
  const handler = withFile()
  const answers: unknown[] = [17, 0, { kind: 'file', fd: -1, offset: 0, length: 10 }, undefined]
  Object.assign(handler, {
    read: () => answers.shift(),
    statfs: () => {
      throw new Error('broken')
    },
  })
  const reads = [4, 6, 8, 10].map((unique) => read(unique, 2))
  const { device, errors } = play(handler, [...reads, request({ opcode: opcode.STATFS, unique: 12 }), lookup(14, 'file')])
  for (const unique of [4, 6, 8, 10, 12]) expect(device.answer(unique).error).toBe(-errno.EIO)
  expect(device.answer(14).error).toBe(0)
  expect(errors).toHaveLength(4)
})

test('reads parts of files, and never more than was asked for', () => {
  const handler = withFile()
  const answers: ReadReply[] = [
    { kind: 'file', fd: 3, offset: 10, length: 100 },
    { kind: 'bytes', bytes: new Uint8Array(100) },
  ]
  Object.assign(handler, { read: () => answers.shift() })
  const { device } = play(handler, [read(4, 2, 4), read(6, 2, 5)])
  expect(device.answer(4).body).toEqual(Uint8Array.of(13, 14, 15, 16))
  expect(device.answer(6).body).toHaveLength(5)
})

test('an unknown failure of the device ends the loop with an error', () => {
  const handler = withFile()
  expect(() => play(handler, [], (device) => (device.lastCode = -22))).toThrow('Cannot read requests of the mount: EINVAL')
  expect(handler.isStopped).toBe(true)
})

test('looks at the control pipe and ticks', () => {
  let controls = 0
  let ticks = 0
  play(withFile(), ['control', lookup(4, 'file'), 'control'], undefined, { onControl: () => (controls += 1), onTick: () => (ticks += 1) })
  expect(controls).toBe(2)
  expect(ticks).toBeGreaterThan(0)
})

test('told to stop, it answers whoever waits or comes with EIO until nobody of ours waits for an answer', () => {
  const handler = withFile()
  let isStopping = false
  let asked = 0
  handler.read = () => new Deferred<ReadReply>()
  const parts: Partial<LoopParts> = {
    shouldStop: () => isStopping,
    leave: () => {
      asked += 1
      return asked > 3
    },
  }
  const steps: Step[] = [lookup(4, 'file'), read(6, 2), () => (isStopping = true), () => undefined, lookup(8, 'file'), () => undefined, lookup(10, 'file'), () => undefined]
  const { device } = play(handler, steps, undefined, parts)
  expect([4, 6, 8, 10].map((unique) => device.answer(unique).error)).toEqual([0, -errno.EIO, -errno.EIO, -errno.EIO])
  expect(handler.isStopped).toBe(true)
})
