import { describe, expect, test } from 'vitest'
import { EdgemountError } from '../../../shared/error.ts'
import { FetchBed, sum } from '../../support/fetch-bed.ts'
import { type Part, TestTier } from '../../support/packed-files.ts'

const KiB = 1024
const MiB = 1024 * KiB
const chunk = 256 * KiB

function unavailable(): Promise<never> {
  return Promise.reject(new EdgemountError('unavailable', 'away'))
}

function chunks(count: number): Part[] {
  return Array.from({ length: count }, () => chunk)
}

describe('a request', () => {
  test('brings a whole small file in one GET and one write', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(3))
    const fetched = bed.fetch(file)
    expect(await bed.finish(fetched)).toBeUndefined()
    expect(bed.store.asked.map(({ range }) => range)).toEqual([{ start: 0, end: 3 * chunk }])
    expect(bed.writes).toHaveLength(1)
    expect(sum(fetched.present)).toBe(3 * chunk)
    expect(fetched.isRight()).toBe(true)
    expect(fetched.doneCount()).toBe(1)
  })

  test('of a range brings the chunks it touches, whole', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(6))
    const fetched = bed.fetch(file, { range: { start: chunk + 5, end: 2 * chunk + 6 } })
    await bed.finish(fetched)
    expect(bed.store.asked.map(({ range }) => range)).toEqual([{ start: chunk, end: 3 * chunk }])
    expect(fetched.present).toEqual([{ start: chunk, end: 3 * chunk }])
    expect(fetched.isRight()).toBe(true)
  })

  test('writes nothing for holes', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), [{ hole: 10 * MiB }, chunk, { hole: 3 }])
    const fetched = bed.fetch(file)
    await bed.finish(fetched)
    expect(fetched.holes).toEqual([
      { start: 0, end: 10 * MiB },
      { start: 10 * MiB + chunk, end: 10 * MiB + chunk + 3 },
    ])
    expect(fetched.present).toEqual([{ start: 10 * MiB, end: 10 * MiB + chunk }])
    expect(bed.writes).toHaveLength(1)
  })

  test('loads the pages of a long manifest', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), Array.from({ length: 3000 }, () => 100))
    expect(file.root.kind).toBe('page')
    const fetched = bed.fetch(file, { range: { start: 200_000, end: 200_100 } })
    expect(await bed.finish(fetched)).toBeUndefined()
    expect(fetched.isRight()).toBe(true)
    expect(fetched.present).toEqual([{ start: 200_000, end: 200_100 }])
  })

  test('with a chunk in several places writes it to each', async () => {
    const bed = new FetchBed()
    const pack = bed.files.newPack()
    const once = await bed.files.add(pack, [chunk])
    const fetched = bed.fetch(once)
    const again = bed.fetch(once)
    await bed.finish(fetched)
    await bed.finish(again)
    expect(bed.store.asked).toHaveLength(1)
    expect([fetched.isRight(), again.isRight()]).toEqual([true, true])
    expect([sum(fetched.present), sum(again.present)]).toEqual([chunk, chunk])
  })

  test('is not failed by another that wants the same bytes from a pack that is lost', async () => {
    const bed = new FetchBed()
    const [lost, good] = [bed.files.newPack(), bed.files.newPack()]
    const file = await bed.files.add(lost, [chunk])
    const copy = await bed.files.addCopy(good, file)
    bed.store.before = async ({ pack }) => {
      if (pack !== lost) return undefined
      await bed.clock.sleep(50)
      throw new EdgemountError('not-found', 'lost')
    }
    const [first, second] = [bed.fetch(file), bed.fetch(copy)]
    expect(await bed.finish(first)).toMatchObject({ code: 'not-found' })
    expect(await bed.finish(second)).toBeUndefined()
    expect(second.isRight()).toBe(true)
  })

  test('that cannot be read is a failure with the name in it', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), [chunk])
    const fetched = bed.fetch({ ...file, manifest: file.manifest.slice(0, 3) })
    expect(await bed.finish(fetched)).toMatchObject({ message: expect.stringContaining('/a/file') })
  })
})

describe('many requests', () => {
  test('for neighbouring small files are few GETs', async () => {
    const bed = new FetchBed()
    const pack = bed.files.newPack()
    const files = []
    for (let count = 0; count < 100; count += 1) files.push(await bed.files.add(pack, [5 * KiB]))
    const fetched = files.map((file) => bed.fetch(file, { isDemand: false }))
    for (const one of fetched) expect(await bed.finish(one)).toBeUndefined()
    expect(bed.store.asked).toHaveLength(1)
    expect(fetched.every((one) => one.isRight())).toBe(true)
  })

  test('one after the other make the pack be read ahead, across files', async () => {
    const bed = new FetchBed()
    const pack = bed.files.newPack()
    const files = []
    for (let count = 0; count < 1000; count += 1) files.push(await bed.files.add(pack, [4 * KiB + (count % 50) * 200]))
    for (const file of files) {
      const fetched = bed.fetch(file)
      expect(await bed.finish(fetched)).toBeUndefined()
      expect(fetched.isRight()).toBe(true)
    }
    expect(bed.store.asked.length).toBeLessThan(15)
  })

  test('for what was read ahead are each told of it once, though it is still being written when the second asks', async () => {
    const bed = new FetchBed()
    const pack = bed.files.newPack()
    const files = []
    for (let count = 0; count < 20; count += 1) files.push(await bed.files.add(pack, [4 * KiB]))
    for (const file of files.slice(0, 10)) await bed.finish(bed.fetch(file))
    const getCount = bed.store.asked.length
    bed.beforeWrite = () => bed.clock.sleep(50)
    const first = bed.fetch(files[12]!)
    await bed.clock.advance(10)
    const second = bed.fetch(files[12]!)
    for (const one of [first, second]) {
      expect(await bed.finish(one)).toBeUndefined()
      expect(one.present).toEqual([{ start: 0, end: 4 * KiB }])
    }
    expect(bed.store.asked).toHaveLength(getCount)
  })

  test('never have more GETs or bytes under way than allowed, and demand does not wait for speculation', async () => {
    const bed = new FetchBed({ getCount: 4, bytesUnderWay: 32 * MiB })
    const speculative = []
    for (let count = 0; count < 6; count += 1) speculative.push(await bed.files.add(bed.files.newPack(), chunks(8)))
    const wantedPack = bed.files.newPack()
    const wanted = await bed.files.add(wantedPack, chunks(1))
    const gate = Promise.withResolvers<undefined>()
    bed.store.before = ({ pack }) => (pack === wantedPack ? undefined : gate.promise)
    const background = speculative.map((file) => bed.fetch(file, { isDemand: false }))
    await bed.clock.advance(5)
    expect(bed.store.activeCount).toBe(2)
    expect(await bed.finish(bed.fetch(wanted))).toBeUndefined()
    expect(background.map((one) => one.doneCount())).toEqual([0, 0, 0, 0, 0, 0])
    gate.resolve(undefined)
    for (const one of background) await bed.finish(one)
    expect(bed.store.activeMax).toBe(3)
    expect(background.every((one) => one.isRight())).toBe(true)
  })

  test('for one chunk share it: the speculative one becomes a demand when a demand joins', async () => {
    const bed = new FetchBed({ getCount: 2 })
    const [blocker, wanted] = [await bed.files.add(bed.files.newPack(), chunks(1)), await bed.files.add(bed.files.newPack(), chunks(1))]
    bed.store.before = (_, signal) => bed.clock.sleep(100, signal).then(() => undefined)
    const first = bed.fetch(blocker, { isDemand: false })
    await bed.clock.advance(1)
    const waiting = bed.fetch(wanted, { isDemand: false })
    await bed.clock.advance(1)
    expect(bed.store.asked).toHaveLength(1)
    bed.fetcher.promote(waiting.ticket)
    await bed.clock.advance(1)
    expect(bed.store.asked).toHaveLength(2)
    const joining = bed.fetch(wanted)
    for (const one of [first, waiting, joining]) expect(await bed.finish(one)).toBeUndefined()
    expect(bed.store.asked).toHaveLength(2)
    expect(joining.isRight()).toBe(true)
  })

  test('beyond the limit are refused', async () => {
    const bed = new FetchBed({ requestCount: 2 })
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    const fetched = [bed.fetch(file), bed.fetch(file), bed.fetch(file)]
    expect(await bed.finish(fetched[2]!)).toMatchObject({ code: 'exhausted' })
    expect(await bed.finish(fetched[0]!)).toBeUndefined()
  })
})

describe('wrong bytes', () => {
  function flipped(bytes: Uint8Array): Uint8Array {
    return bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte))
  }

  test('of one tier are had from the next', async () => {
    const bed = new FetchBed()
    const edge = new TestTier(bed.files, 'edge')
    bed.makeFetcher({}, [edge, bed.store])
    const pack = bed.files.newPack()
    const file = await bed.files.add(pack, chunks(4))
    edge.before = ({ range }) => Promise.resolve(flipped(bed.files.bytes(pack).slice(range.start, range.end)))
    const fetched = bed.fetch(file)
    expect(await bed.finish(fetched)).toBeUndefined()
    expect(fetched.isRight()).toBe(true)
    expect(bed.store.asked.map(({ range }) => range)).toEqual([{ start: 0, end: chunk }]) // the wrong chunk alone
    expect(bed.fetcher.stats.corruptCount).toBe(1)
    expect(bed.warnings[0]).toContain(`"/a/file" from edge`)
  })

  test('of the only tier are asked for once more', async () => {
    const bed = new FetchBed()
    const pack = bed.files.newPack()
    const file = await bed.files.add(pack, chunks(1))
    let count = 0
    bed.store.before = ({ range }) => ((count += 1) === 1 ? Promise.resolve(flipped(bed.files.bytes(pack).slice(range.start, range.end))) : undefined)
    const fetched = bed.fetch(file)
    expect(await bed.finish(fetched)).toBeUndefined()
    expect(fetched.isRight()).toBe(true)
  })

  test('everywhere fail the file that has them, by name and place, and no other', async () => {
    const bed = new FetchBed()
    const pack = bed.files.newPack()
    const bad = await bed.files.add(pack, chunks(1))
    const good = await bed.files.add(pack, chunks(1))
    const bytes = bed.files.bytes(pack)
    bed.store.before = ({ range }) => Promise.resolve(flipped(bytes).slice(range.start, range.end))
    const [wrong, right] = [bed.fetch(bad), bed.fetch(good, { label: '/b' })]
    expect(await bed.finish(wrong)).toMatchObject({ code: 'corrupt', message: expect.stringMatching(/"\/a\/file".*d01JDA7X3M0ABCDEFGHJKM00001@0\+262144/) })
    expect(wrong.present).toEqual([])
    expect(await bed.finish(right)).toBeUndefined()
    expect(bed.store.asked).toHaveLength(2)
  })

  test('that are too few are wrong too', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(2))
    bed.store.before = () => Promise.resolve(new Uint8Array(chunk + 1))
    expect(await bed.finish(bed.fetch(file))).toMatchObject({ code: 'corrupt' })
  })

  test('read ahead are noticed when they are asked for, and had again', async () => {
    const bed = new FetchBed()
    const pack = bed.files.newPack()
    const files = []
    for (let count = 0; count < 300; count += 1) files.push(await bed.files.add(pack, [8 * KiB]))
    bed.store.before = ({ range }) => (range.end - range.start >= MiB ? Promise.resolve(new Uint8Array(range.end - range.start)) : undefined)
    for (const file of files) {
      const fetched = bed.fetch(file)
      expect(await bed.finish(fetched)).toBeUndefined()
      expect(fetched.isRight()).toBe(true)
    }
  })
})

describe('a tier that is away', () => {
  test('is tried again until it is back, for a demand', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    bed.store.before = unavailable
    const fetched = bed.fetch(file)
    await bed.clock.advance(10_000)
    expect(fetched.doneCount()).toBe(0)
    bed.store.before = undefined
    expect(await bed.finish(fetched)).toBeUndefined()
    expect(fetched.isRight()).toBe(true)
  })

  test('fails a demand at its deadline, later ones at once, and speculation at once', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    const other = await bed.files.add(bed.files.newPack(), chunks(1))
    bed.store.before = unavailable
    const startedMs = bed.clock.now()
    expect(await bed.finish(bed.fetch(other, { isDemand: false }))).toMatchObject({ code: 'unavailable' })
    expect(bed.clock.now() - startedMs).toBe(0)
    expect(await bed.finish(bed.fetch(file))).toMatchObject({ code: 'unavailable', message: expect.stringContaining('30000 ms') })
    expect(bed.clock.now() - startedMs).toBe(30_000)
    await bed.clock.advance(1000)
    const laterMs = bed.clock.now()
    expect(await bed.finish(bed.fetch(file))).toMatchObject({ code: 'unavailable' })
    expect(bed.clock.now() - laterMs).toBeLessThan(100)
    bed.store.before = undefined
    await bed.clock.advance(15_000)
    expect(await bed.finish(bed.fetch(file))).toBeUndefined()
  })

  test('or says nothing at all is given up at the deadline', async () => {
    const bed = new FetchBed({ demandDeadlineMs: 5000 })
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    bed.store.before = (_, signal) => bed.clock.sleep(1e9, signal).then(() => undefined)
    const startedMs = bed.clock.now()
    expect(await bed.finish(bed.fetch(file))).toMatchObject({ code: 'unavailable' })
    expect(bed.clock.now() - startedMs).toBe(5000)
    await bed.clock.advance(1)
    expect(bed.store.activeCount).toBe(0)
  })

  test('a missing pack is not found, at once', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    bed.store.before = () => Promise.reject(new EdgemountError('not-found', 'no such pack'))
    expect(await bed.finish(bed.fetch(file))).toMatchObject({ code: 'not-found', message: expect.stringContaining('no such pack') })
    expect(bed.store.asked).toHaveLength(1)
  })
})

describe('giving up', () => {
  test('aborts what nobody wants any more, and says so once', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    bed.store.before = (_, signal) => bed.clock.sleep(1000, signal).then(() => undefined)
    const fetched = bed.fetch(file)
    await bed.clock.advance(10)
    expect(bed.store.activeCount).toBe(1)
    bed.fetcher.cancel(fetched.ticket)
    bed.fetcher.cancel(fetched.ticket)
    expect(await bed.finish(fetched)).toMatchObject({ code: 'aborted' })
    await bed.clock.advance(10)
    expect(bed.store.activeCount).toBe(0)
    expect(fetched.doneCount()).toBe(1)
    expect(bed.clock.sleeperCount).toBe(0)
  })

  test('leaves alone what somebody else waits for', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    bed.store.before = (_, signal) => bed.clock.sleep(1000, signal).then(() => undefined)
    const [one, other] = [bed.fetch(file), bed.fetch(file)]
    await bed.clock.advance(10)
    bed.fetcher.cancel(one.ticket)
    expect(await bed.finish(other)).toBeUndefined()
    expect(other.isRight()).toBe(true)
    expect(bed.store.asked).toHaveLength(1)
  })

  test('while its file is written to waits for the write: the descriptor is not touched after done', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    let release: () => void = () => undefined
    bed.beforeWrite = () => new Promise((resolve) => (release = resolve))
    const fetched = bed.fetch(file)
    await bed.clock.advance(10)
    bed.fetcher.cancel(fetched.ticket)
    await bed.clock.advance(10)
    expect(fetched.doneCount()).toBe(0)
    release()
    expect(await bed.finish(fetched)).toMatchObject({ code: 'aborted' })
    expect(bed.writes).toHaveLength(1)
    expect(fetched.present).toEqual([])
  })

  test('at shutdown ends everything, and takes nothing new', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(1))
    bed.store.before = (_, signal) => bed.clock.sleep(1e6, signal).then(() => undefined)
    const fetched = bed.fetch(file)
    await bed.clock.advance(10)
    bed.fetcher.close()
    expect(await bed.finish(fetched)).toMatchObject({ code: 'closed' })
    expect(await bed.finish(bed.fetch(file))).toMatchObject({ code: 'closed' })
    await bed.clock.advance(10)
    expect(bed.store.activeCount).toBe(0)
    expect(bed.clock.sleeperCount).toBe(0)
  })
})

describe('bytes that cannot be written', () => {
  test('are given as they are, and the complaint is made once a minute', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), chunks(5))
    bed.beforeWrite = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }))
    for (let count = 0; count < 3; count += 1) {
      const fetched = bed.fetch(file)
      expect(await bed.finish(fetched)).toBeUndefined()
      expect(fetched.present).toEqual([])
      expect(fetched.uncached.reduce((bytes, part) => bytes + part.bytes.length, 0)).toBe(5 * chunk)
      expect(fetched.isRight()).toBe(true)
    }
    expect(bed.warnings).toHaveLength(1)
  })

  test('because there is no file are given with memory of their own', async () => {
    const bed = new FetchBed()
    const file = await bed.files.add(bed.files.newPack(), [chunk, { hole: 5 }, chunk])
    const fetched = bed.fetch(file, { fd: -1 })
    expect(await bed.finish(fetched)).toBeUndefined()
    expect(fetched.isRight()).toBe(true)
    expect(fetched.holes).toEqual([{ start: chunk, end: chunk + 5 }])
    for (const { bytes } of fetched.uncached) expect(bytes.buffer.byteLength).toBe(bytes.length)
  })
})
