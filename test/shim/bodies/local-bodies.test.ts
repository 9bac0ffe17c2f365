import { expect, test, vi } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { decodeBodyState, encodeBodyState } from '../../../shim/bodies/body-state.ts'
import type { LocalBody } from '../../../shim/bodies/local-body.ts'
import { type BodiesBed, FakeBase, baseOf, fakeBodiesBed, mtime } from '../../support/bodies-bed.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

function makeBed() {
  return fakeBodiesBed(new FakeBase(new Uint8Array(10_000).fill(3), new SeededRandom(1)))
}

function opened(body: LocalBody | number | undefined): LocalBody {
  if (typeof body !== 'object') throw new Error(`no body: ${body}`)
  return body
}

function written(bed: BodiesBed, byte: number): LocalBody {
  const body = opened(bed.bodies.create(mtime))
  expect(body.write(0, new Uint8Array(5000).fill(byte))).toBe(5000)
  return body
}

/** Lets every discarded file be used again. */
function tick(bed: BodiesBed): void {
  bed.nowMs += 2000
  bed.bodies.tick()
}

function contentOf(body: LocalBody, bed: BodiesBed): Uint8Array {
  const stat = body.fstat()
  const bytes = new Uint8Array(typeof stat === 'number' ? 0 : stat.size)
  bed.sys.pread(body.fd, bytes, 0)
  return bytes
}

test('a file that is used again is empty and has another name', () => {
  const bed = makeBed()
  const first = written(bed, 1)
  const { path } = first
  bed.bodies.discard(first)
  tick(bed)
  expect(bed.sys.paths()).not.toContain(path)
  const opens = bed.sys.calls.length
  const second = opened(bed.bodies.create(mtime))
  expect(second.fstat()).toMatchObject({ size: 0, mtimeSeconds: mtime.seconds, mtimeNanoseconds: mtime.nanoseconds })
  expect(second.serial).not.toBe(first.serial)
  // The name was given to it when it was emptied.
  expect(bed.sys.calls.slice(opens).filter((call) => call.startsWith('rename'))).toEqual([])
  expect(bed.bodies.count).toBe(1)
})

test('stamps of two bodies never agree; those of the journal are without the generation', () => {
  const bed = makeBed()
  const bodies = [1, 2].map((byte) => written(bed, byte))
  for (const body of bodies) expect(body.setMtime(mtime)).toBe(0)
  const [first, second] = bodies as [LocalBody, LocalBody]
  const stamp = first.stamp()!
  expect(second.stamp()).toEqual({ ...stamp, generation: second.generation })
  expect([first.isAt(stamp), second.isAt(stamp)]).toEqual([true, false])
  const restored = opened(bed.reopen().restore(first.state(), []))
  expect(restored.isAt({ ...stamp, generation: 0 })).toBe(true)
})

test('files are made ahead, more where more are taken', () => {
  const bed = makeBed()
  opened(bed.bodies.create(mtime))
  tick(bed)
  tick(bed)
  const count = bed.sys.paths().length
  for (let index = 0; index < 100; index += 1) opened(bed.bodies.create(mtime))
  expect(bed.sys.paths().length).toBe(count)
  for (let index = 0; index < 1000; index += 1) opened(bed.bodies.create(mtime))
  for (let index = 0; index < 20; index += 1) tick(bed)
  expect(bed.sys.paths().length).toBeGreaterThan(count + 1000)
})

test('a name that somebody has taken meanwhile is passed over', () => {
  const bed = makeBed()
  bed.canPrepare = false
  const { serial } = opened(bed.bodies.create(mtime))
  for (let next = serial + 1; next < serial + 300; next += 1) bed.sys.writeFile(bed.bodies.path(next), Uint8Array.of(1))
  const second = opened(bed.bodies.create(mtime))
  expect([second.serial, second.fstat()]).toMatchObject([serial + 300, { size: 0 }])
})

test('a discarded file is left alone until the journal on disk does not name it any more', () => {
  const bed = makeBed()
  const body = written(bed, 1)
  bed.journalWaits = []
  bed.bodies.discard(body)
  tick(bed)
  tick(bed)
  expect(bed.journalWaits.length).toBe(1)
  expect(bed.sys.readFile(body.path)).toEqual(new Uint8Array(5000).fill(1))
  // The sync fails: it is tried again.
  bed.journalWaits.splice(0)[0]!(-errno.EIO)
  tick(bed)
  expect(bed.sys.paths()).toContain(body.path)
  bed.journalWaits.splice(0)[0]!(0)
  tick(bed)
  expect(bed.sys.paths()).not.toContain(body.path)
})

test('a file that somebody holds or maps is not used again', () => {
  const bed = makeBed()
  const body = written(bed, 1)
  bed.sys.heldPaths.add(body.path)
  bed.bodies.discard(body)
  tick(bed)
  expect(bed.sys.paths()).not.toContain(body.path)
  expect(bed.sys.calls.filter((call) => call.startsWith('rename'))).toEqual([])
})

test('a body that is being published stays until that is over', () => {
  const bed = makeBed()
  const body = written(bed, 1)
  body.pin()
  body.pin()
  bed.bodies.discard(body)
  tick(bed)
  body.unpin()
  tick(bed)
  expect(bed.sys.readFile(body.path)).toEqual(new Uint8Array(5000).fill(1))
  body.unpin()
  tick(bed)
  expect(bed.sys.paths()).not.toContain(body.path)
})

test('what the journal names is found after a restart, and everything else is used again', () => {
  const bed = makeBed()
  const kept = written(bed, 1)
  const partial = opened(bed.bodies.createPartial(baseOf(bed.base.bytes), mtime))
  partial.write(4096, new Uint8Array(4096).fill(2))
  const states = [kept.state(), partial.state()]
  const lost = written(bed, 9)
  bed.sys.crash()
  const bodies = bed.reopen()
  const [restored, restoredPartial] = states.map((state) => opened(bodies.restore(state, [])))
  bodies.endRestoring()
  expect(contentOf(restored!, bed)).toEqual(new Uint8Array(5000).fill(1))
  expect(restoredPartial!.isWhole).toBe(false)
  expect(restoredPartial!.writtenEdges).toEqual([4096, 8192])
  tick(bed)
  expect(bed.sys.paths()).not.toContain(lost.path)
  expect(opened(bodies.create(mtime)).serial).toBeGreaterThan(lost.serial)
})

test('what the journal names no more after a restart is left alone until that is durable: a loss of power may make it name that again', () => {
  const bed = makeBed()
  const body = written(bed, 1)
  bed.sys.crash()
  bed.journalWaits = []
  bed.reopen()
  bed.bodies.endRestoring()
  tick(bed)
  expect(bed.sys.readFile(body.path)).toEqual(new Uint8Array(5000).fill(1))
  for (const answer of bed.journalWaits) answer(0)
  tick(bed)
  expect(bed.sys.paths()).not.toContain(body.path)
})

test('a body whose file is gone is told', () => {
  const bed = makeBed()
  const body = written(bed, 1)
  const state = body.state()
  bed.sys.unlink(body.path)
  bed.sys.crash()
  expect(bed.reopen().restore(state, [])).toBeUndefined()
})

test('no power failure shows a body what another one held', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = new SeededRandom(seed)
    const bed = makeBed()
    const secret = written(bed, 0x5e)
    bed.sys.fdatasync(secret.fd)
    bed.bodies.discard(secret)
    tick(bed)
    const body = written(bed, 1)
    const state = body.state()
    if (seed % 3 === 0) bed.sys.fdatasync(body.fd)
    bed.sys.losePower(random)
    const bodies = bed.reopen('another boot')
    const restored = bodies.restore(state, [])
    if (seed % 3 === 0) expect(contentOf(opened(restored), bed)).toEqual(new Uint8Array(5000).fill(1))
    else if (restored !== undefined) expect(new Set(contentOf(restored, bed)).has(0x5e), `seed ${seed}`).toBe(false)
  }
})

test('a cached file is taken over where it lies, and given back', () => {
  const bed = makeBed()
  bed.sys.writeFile('/c/cached', new Uint8Array(5000).fill(4))
  const body = opened(bed.bodies.adopt(mtime, (path) => bed.sys.rename('/c/cached', path)))
  expect(body.isWhole).toBe(true)
  expect(body.fstat()).toMatchObject({ size: 5000, mtimeSeconds: mtime.seconds })
  expect(bed.bodies.dirtyBytes).toBe(8192)
  expect(bed.bodies.giveAway(body, (path) => bed.sys.rename(path, '/c/cached'))).toBe(0)
  expect(bed.bodies.dirtyBytes).toBe(0)
  expect(bed.bodies.count).toBe(0)
  expect(bed.sys.readFile('/c/cached')).toEqual(new Uint8Array(5000).fill(4))
  expect(bed.sys.openCount).toBe(0)
})

test('a full disk makes room before it refuses a file', () => {
  const bed = makeBed()
  bed.canPrepare = false
  bed.sys.fail('open', errno.ENOSPC)
  expect(bed.bodies.create(mtime)).toBe(-errno.ENOSPC)
  expect(bed.madeRoomCount()).toBe(1)
  bed.canMakeRoom = true
  bed.sys.fail('open', errno.ENOSPC)
  expect(opened(bed.bodies.create(mtime)).isWhole).toBe(true)
})

test('few descriptors stay open, but those that are held', () => {
  const bed = makeBed()
  const held = written(bed, 1)
  const syncs: ((result: number) => void)[] = []
  held.sync((_fd, done) => syncs.push(done), () => undefined)
  const bodies = Array.from({ length: 10 }, () => written(bed, 2))
  expect(bed.sys.openCount).toBeLessThanOrEqual(4)
  for (const body of bodies) expect(contentOf(body, bed)).toEqual(new Uint8Array(5000).fill(2))
  // The file, and then its name.
  for (const done of syncs) done(0)
  bed.bodies.close()
  expect(bed.sys.openCount).toBe(0)
})

test('states are read back, and damaged ones refused', () => {
  const { root, fileId } = baseOf(new Uint8Array(10))
  const state = { serial: 77, takenMs: 1_700_000_000_123.25, base: { fileId, root, size: 2 ** 40, length: 2 ** 39 }, written: [5, 9, 2 ** 38, 2 ** 39], punched: [5, 6] }
  expect(decodeBodyState(encodeBodyState(state))).toEqual(state)
  const bytes = encodeBodyState(state)
  for (let length = 0; length < bytes.length; length += 1) expect(() => decodeBodyState(bytes.subarray(0, length))).toThrow('the state of a local body')
})

test('the disk is asked again about a body as long as the kernel may write into it, and after every change', () => {
  const bed = makeBed()
  const body = written(bed, 1)
  const looks = vi.spyOn(bed.sys, 'fstat')
  const asked = (): number => {
    looks.mockClear()
    expect(body.fstat()).toMatchObject({ linkCount: 1 })
    return looks.mock.calls.length
  }
  expect([asked(), asked(), asked()]).toEqual([1, 0, 0])
  body.write(5000, new Uint8Array(100))
  expect([asked(), asked()]).toEqual([1, 0])
  expect(body.fstat()).toMatchObject({ size: 5100 })
  body.truncate(70)
  expect(body.fstat()).toMatchObject({ size: 70 })
  body.setMtime({ seconds: 12, nanoseconds: 5 })
  expect(body.fstat()).toMatchObject({ size: 70, mtimeSeconds: 12, mtimeNanoseconds: 5 })
  body.share()
  expect([asked(), asked()]).toEqual([1, 1])
  // The kernel writes.
  bed.sys.pwrite(bed.sys.open(body.path, openFlag.O_RDWR, 0), new Uint8Array(90), 0)
  expect(body.fstat()).toMatchObject({ size: 90 })
  body.endSharing()
  expect([asked(), asked()]).toEqual([1, 1])
})

test('that nobody has a body open or mapped any more is found when its descriptor is closed', () => {
  const bed = makeBed()
  const closed = (change: (body: LocalBody) => void): { readonly body: LocalBody; readonly callCount: number; readonly isAlone: boolean } => {
    const body = written(bed, 1)
    body.share()
    change(body)
    body.close()
    const before = bed.sys.calls.length
    const { isAlone } = body
    return { body, isAlone, callCount: bed.sys.calls.length - before }
  }
  expect(closed((body) => body.endSharing())).toMatchObject({ isAlone: true, callCount: 0 })
  // It may be somebody's who has opened it long ago.
  expect(closed(() => undefined).callCount).toBeGreaterThan(0)
  const { body, isAlone } = closed((mapped) => {
    mapped.endSharing()
    bed.sys.heldPaths.add(mapped.path)
  })
  expect(isAlone).toBe(false)
  bed.sys.pwrite(bed.sys.open(body.path, openFlag.O_RDWR, 0), new Uint8Array(6000), 0)
  expect(body.fstat()).toMatchObject({ size: 6000 })
})
