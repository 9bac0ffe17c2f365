import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import type { LocalBody } from '../../../shim/bodies/local-body.ts'
import { type FileSlice, Waiter } from '../../../shim/fetch/waiter.ts'
import { allocateMode } from '../../../shim/sys/constants.ts'
import { linuxSys } from '../../../shim/sys/linux-sys.ts'
import { type BodiesBed, FakeBase, baseOf, bodiesBed, fakeBodiesBed, mtime } from '../../support/bodies-bed.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const { FALLOC_FL_KEEP_SIZE: keepSize, FALLOC_FL_PUNCH_HOLE: punchHole, FALLOC_FL_ZERO_RANGE: zeroRange } = allocateMode

/** What a read gives, with everything that it waits for. */
function bytesOf(bed: BodiesBed, answer: FileSlice | number | Waiter): Uint8Array | number {
  let outcome: FileSlice | number | undefined
  if (answer instanceof Waiter) {
    answer.listen((settled) => (outcome = settled))
    bed.base.settle()
  } else outcome = answer
  if (outcome === undefined) throw new Error('the read is not answered')
  if (typeof outcome === 'number' || outcome.kind === 'bytes') return typeof outcome === 'number' ? outcome : outcome.bytes
  const bytes = new Uint8Array(outcome.length)
  const count = bed.sys.pread(outcome.fd, bytes, outcome.offset)
  return count < 0 ? count : bytes.subarray(0, count)
}

function opened(body: LocalBody | number): LocalBody {
  if (typeof body === 'number') throw new Error(`no body: ${body}`)
  return body
}

/** Large arrays take `toEqual` long. */
function expectSame(found: Uint8Array | number, expected: Uint8Array, what: () => string): void {
  if (typeof found === 'number') throw new Error(`${what()}: error ${found}`)
  if (Buffer.compare(found, expected) === 0) return
  const at = expected.findIndex((byte, index) => byte !== found[index])
  throw new Error(`${what()}: ${found.length} bytes for ${expected.length}, the first other one at ${at}`)
}

const sizeMax = 60_000

/** One random operation on a body and on plain bytes. Gives the bytes after it, and what was done, for messages. */
function operate(body: LocalBody, model: Uint8Array, random: SeededRandom, noted: { start: number; end: number }[]): readonly [Uint8Array, string] {
  const offset = random.next() % sizeMax
  const length = 1 + (random.next() % (random.next() % 4 === 0 ? 20_000 : 300))
  const grown = (size: number): Uint8Array => {
    const bytes = new Uint8Array(Math.max(model.length, size))
    bytes.set(model)
    return bytes
  }
  switch (random.next() % 7) {
    case 0: {
      const size = random.next() % sizeMax
      expect(body.truncate(size)).toBe(0)
      return [size <= model.length ? model.slice(0, size) : grown(size), `truncate ${size}`]
    }
    case 1: {
      expect(body.fallocate(punchHole | keepSize, offset, length)).toBe(0)
      return [model.slice().fill(0, Math.min(offset, model.length), offset + length), `punch ${offset}+${length}`]
    }
    case 2: {
      const keeps = random.next() % 2 === 0
      expect(body.fallocate(keeps ? zeroRange | keepSize : zeroRange, offset, length)).toBe(0)
      const bytes = keeps ? model.slice() : grown(offset + length)
      return [bytes.fill(0, Math.min(offset, bytes.length), offset + length), `zero ${offset}+${length} ${keeps}`]
    }
    case 3: {
      const keeps = random.next() % 2 === 0
      expect(body.fallocate(keeps ? keepSize : 0, offset, length)).toBe(0)
      return [keeps ? model : grown(offset + length), `allocate ${offset}+${length} ${keeps}`]
    }
    default: {
      const bytes = random.bytes(length)
      expect(body.write(offset, bytes)).toBe(length)
      noted.push({ start: offset, end: offset + length })
      const after = grown(offset + length)
      after.set(bytes, offset)
      return [after, `write ${offset}+${length}`]
    }
  }
}

/** Every kind of operation journals a state but writing, which notes its range. */
function behavesLikeBytes(bed: BodiesBed, body: LocalBody, start: Uint8Array, random: SeededRandom, steps: number): void {
  let model = start
  let current = body
  let { bodies } = bed
  let state = current.state()
  let noted: { start: number; end: number }[] = []
  const done: string[] = []
  for (let step = 0; step < steps; step += 1) {
    const [after, what] = operate(current, model, random, noted)
    model = after
    done.push(what)
    if (!what.startsWith('write')) {
      state = current.state()
      noted = []
    }
    if (random.next() % 8 === 0) {
      done.push('restart')
      bodies.close()
      bodies = bed.reopen()
      current = opened(bodies.restore(state, noted) ?? -errno.ENOENT)
      bodies.endRestoring()
    }
    const stat = current.fstat()
    expect(typeof stat === 'number' ? stat : stat.size, done.join(', ')).toBe(model.length)
    const offset = random.next() % sizeMax
    const length = random.next() % sizeMax
    expectSame(bytesOf(bed, current.read(offset, length)), model.slice(offset, offset + length), () => `${done.join(', ')}; read ${offset}+${length}`)
  }
  expectSame(bytesOf(bed, current.read(0, sizeMax * 2)), model, () => done.join(', '))
  bodies.close()
}

test('a body behaves like plain bytes, also after restarts', async () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  for (let round = 0; round < 60; round += 1) {
    const random = new SeededRandom(seed + round)
    const bytes = random.bytes(round % 3 === 0 ? 0 : random.next() % sizeMax)
    const base = new FakeBase(bytes, random)
    const bed = round % 2 === 0 ? bodiesBed(linuxSys, await tempDirectory(), base) : fakeBodiesBed(base)
    const body = opened(round % 3 === 0 ? bed.bodies.create(mtime) : bed.bodies.createPartial(baseOf(bytes), mtime))
    try {
      behavesLikeBytes(bed, body, bytes, random, 60)
    } catch (error) {
      throw new Error(`SEED=${seed}, round ${round}`, { cause: error })
    }
  }
})

test('a write into a large file that is not here fetches nothing, and reads around it mix both', () => {
  const bytes = new SeededRandom(5).bytes(100_000)
  const bed = fakeBodiesBed(new FakeBase(bytes, new SeededRandom(1)))
  const body = opened(bed.bodies.createPartial({ ...baseOf(bytes), size: 2 ** 30, length: 2 ** 30 }, mtime))
  expect(body.write(50_000, new Uint8Array(4096).fill(7))).toBe(4096)
  expect(bed.base.readCount).toBe(0)
  expect(body.lacks({ start: 50_000, end: 54_096 })).toEqual([])
  const around = bytesOf(bed, body.read(49_000, 6000))
  expect(around).toEqual(Uint8Array.from([...bytes.subarray(49_000, 50_000), ...new Uint8Array(4096).fill(7), ...bytes.subarray(54_096, 55_000)]))
  expect(bed.base.readCount).toBe(2)
})

test('a read across many small writes asks the base once', () => {
  const bytes = new SeededRandom(5).bytes(100_000)
  const bed = fakeBodiesBed(new FakeBase(bytes, new SeededRandom(1), 'later'))
  const body = opened(bed.bodies.createPartial(baseOf(bytes), mtime))
  const expected = bytes.slice()
  for (let at = 500; at < 99_000; at += 1000) {
    body.write(at, new Uint8Array(100).fill(7))
    expected.fill(7, at, at + 100)
  }
  expectSame(bytesOf(bed, body.read(0, 100_000)), expected, () => 'read')
  expect(bed.base.readCount).toBe(1)
})

test('a write that comes while the base is being fetched is in the answer', () => {
  const bed = fakeBodiesBed(new FakeBase(new Uint8Array(9000).fill(1), new SeededRandom(1), 'later'))
  const body = opened(bed.bodies.createPartial(baseOf(bed.base.bytes), mtime))
  body.write(0, Uint8Array.of(9))
  const answer = body.read(0, 9000)
  body.write(4000, Uint8Array.of(8))
  body.truncate(8000)
  body.truncate(9000)
  const bytes = bytesOf(bed, answer)
  expect(bytes).toEqual(Uint8Array.from({ length: 9000 }, (_, index) => (index === 0 ? 9 : index === 4000 ? 8 : index < 8000 ? 1 : 0)))
})

test('what has been written over completely needs its base no more', () => {
  const bed = fakeBodiesBed(new FakeBase(new Uint8Array(5000), new SeededRandom(1)))
  const body = opened(bed.bodies.createPartial(baseOf(bed.base.bytes), mtime))
  expect(body.isWhole).toBe(false)
  body.read(0, 10)
  body.write(3000, new Uint8Array(2000))
  expect(body.isWhole).toBe(false)
  body.truncate(4000)
  body.write(0, new Uint8Array(3000))
  expect(body.isWhole).toBe(true)
  expect(bed.base.closeCount).toBe(1)
})

test('a full disk gives what fits, after room was made once', () => {
  const bed = fakeBodiesBed(new FakeBase(new Uint8Array(0), new SeededRandom(1)))
  const body = opened(bed.bodies.create(mtime))
  bed.sys.fail('pwrite', errno.ENOSPC, { count: 1 })
  expect(body.write(0, new Uint8Array(10))).toBe(-errno.ENOSPC)
  expect(bed.madeRoomCount()).toBe(1)
  bed.canMakeRoom = true
  bed.sys.fail('pwrite', errno.ENOSPC, { count: 1 })
  expect(body.write(0, new Uint8Array(10))).toBe(10)
  bed.sys.fail('ftruncate', errno.ENOSPC, { count: 2 })
  expect(body.truncate(3)).toBe(-errno.ENOSPC)
  const stat = body.fstat()
  expect(typeof stat === 'number' ? stat : stat.size).toBe(10)
})

test('an overwriting that no power failure let through shows the base again', () => {
  const bytes = new Uint8Array(40_000).fill(5)
  let lostCount = 0
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = new SeededRandom(seed)
    const bed = fakeBodiesBed(new FakeBase(bytes, random))
    const body = opened(bed.bodies.createPartial(baseOf(bytes), mtime))
    bed.sys.fdatasync(body.fd)
    body.write(8192, new Uint8Array(4096).fill(6))
    body.fallocate(punchHole | keepSize, 16_384, 4096)
    bed.sys.fdatasync(body.fd)
    const state = body.state()
    body.write(24_576, new Uint8Array(4096).fill(7))
    body.write(18_000, Uint8Array.of(0))
    bed.sys.losePower(random)
    const bodies = bed.reopen('another boot')
    const noted = [
      { start: 24_576, end: 28_672 },
      { start: 18_000, end: 18_001 },
    ]
    const restored = opened(bodies.restore(state, noted) ?? -errno.ENOENT)
    const found = bytesOf(bed, restored.read(0, 40_000))
    const expected = bytes.slice().fill(6, 8192, 12_288).fill(0, 16_384, 20_480)
    if (typeof found === 'number') throw new Error(`read: ${found}`)
    const unsynced = found.slice(24_576, 28_672)
    // A page that was torn has some of the old disk's zeros: an unsynced write may do that on any disk.
    expect(new Set(unsynced).has(7) || new Set(unsynced).isSubsetOf(new Set([5]))).toBe(true)
    lostCount += new Set(unsynced).has(5) ? 1 : 0
    expectSame(found.fill(5, 24_576, 28_672), expected, () => `seed ${seed}`)
  }
  expect(lostCount).toBeGreaterThan(3)
})

test('modes of fallocate that files of ours do not know are refused', () => {
  const bed = fakeBodiesBed(new FakeBase(new Uint8Array(0), new SeededRandom(1)))
  const body = opened(bed.bodies.create(mtime))
  for (const mode of [punchHole, 8, 32, 64, zeroRange | punchHole | keepSize]) expect(body.fallocate(mode, 0, 10)).toBe(-errno.EOPNOTSUPP)
})

test('a stamp tells whether somebody wrote, and is none just after a write', () => {
  const bed = fakeBodiesBed(new FakeBase(new Uint8Array(0), new SeededRandom(1)))
  const body = opened(bed.bodies.create(mtime))
  const stamp = body.stamp()
  if (stamp === undefined) throw new Error('no stamp')
  expect(body.isAt(stamp)).toBe(true)
  bed.sys.setMtime(body.fd, undefined)
  expect(body.isAt(stamp)).toBe(false)
  body.setMtime({ seconds: Math.floor(bed.nowMs / 1000), nanoseconds: (bed.nowMs % 1000) * 1e6 })
  expect(body.stamp()).toBeUndefined()
})

test('a published version is copied by reference, part after part', () => {
  const bytes = new SeededRandom(9).bytes(30_000)
  const bed = fakeBodiesBed(new FakeBase(bytes, new SeededRandom(1)))
  const body = opened(bed.bodies.create(mtime))
  const { length: _, ...version } = baseOf(bytes)
  expect(body.appendBase(version, 10_000)).toBe(0)
  expect(body.appendBase(version, 30_000)).toBe(0)
  expect(bed.base.readCount).toBe(0)
  expect(bytesOf(bed, body.read(0, 40_000))).toEqual(bytes)
  body.write(40_000, Uint8Array.of(1))
  expect(body.appendBase(version, 30_000)).toBe(-errno.EOPNOTSUPP)
})
