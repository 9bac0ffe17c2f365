import { beforeEach, describe, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import type { ByteRange } from '../../../shared/range.ts'
import { Cache } from '../../../shim/cache/cache.ts'
import { FileReader } from '../../../shim/fetch/file-reader.ts'
import { NetworkEstimate } from '../../../shared/fetch/network-estimate.ts'
import { SpeculationBudget } from '../../../shared/fetch/speculation-budget.ts'
import { UncachedMemory } from '../../../shim/fetch/uncached-memory.ts'
import { type FileSlice, Waiter } from '../../../shim/fetch/waiter.ts'
import type { FetchListener, FetchRequest, Ticket } from '../../../shim/fs/backend.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const KiB = 1024
const MiB = 1024 * KiB

interface Flight {
  readonly ticket: Ticket
  readonly request: FetchRequest
  readonly listener: FetchListener
}

/** Remembers what it was asked, and answers when the test says so. */
class TestBackend {
  readonly flights: Flight[] = []
  readonly promoted: Ticket[] = []
  readonly cancelled: Ticket[] = []

  fetch(request: FetchRequest, listener: FetchListener): Ticket {
    const ticket = this.flights.length + 1
    this.flights.push({ ticket, request, listener })
    return ticket
  }

  promote(ticket: Ticket): void {
    this.promoted.push(ticket)
  }

  cancel(ticket: Ticket): void {
    this.cancelled.push(ticket)
  }

  get ranges(): string[] {
    return this.flights.map(({ request: { range, isDemand } }) => `${isDemand ? 'demand' : 'ahead'} ${range.start / KiB}-${range.end / KiB}`)
  }
}

const size = 16 * MiB
let sys: FakeSys
let clock: ManualClock
let cache: Cache
let backend: TestBackend
let budget: SpeculationBudget
let memory: UncachedMemory

beforeEach(() => {
  sys = new FakeSys()
  clock = new ManualClock()
  cache = Cache.open({ directory: '/cache', bytesMax: 2 ** 40, freeBytesMin: 0, sys, clock, bootId: 'boot', log: silentLogger })
  backend = new TestBackend()
  budget = new SpeculationBudget(64 * MiB)
  memory = new UncachedMemory(8 * MiB)
})

function open(options: { size?: number; isCached?: boolean } = {}): FileReader {
  const { size: fileSize = size, isCached = true } = options
  const context = { backend, clock, log: silentLogger, budget, network: new NetworkEstimate(), memory }
  const cached = isCached ? cache.acquire(1, 'a'.repeat(64), fileSize) : undefined
  return new FileReader(context, { manifest: new Uint8Array(1), size: fileSize, label: '/file', cached })
}

function byteAt(position: number): number {
  return 1 + ((position * 7 + Math.floor(position / 4096)) % 250)
}

function content({ start, end }: ByteRange): Uint8Array {
  return Uint8Array.from({ length: end - start }, (_, index) => byteAt(start + index))
}

/** Answers one fetch, or a part of it. */
function arrive(flight: Flight, range = flight.request.range): void {
  const { request, listener } = flight
  if (request.fd < 0) listener.uncached(range, content(range))
  else {
    sys.pwrite(request.fd, content(range), range.start)
    listener.present(range, false)
  }
}

function finish(flight: Flight): void {
  arrive(flight)
  flight.listener.done(undefined)
}

function bytesOf(answer: FileSlice | number | Waiter): Uint8Array | number {
  if (typeof answer === 'number') return answer
  if (answer instanceof Waiter) throw new Error('still waiting')
  if (answer.kind === 'bytes') return answer.bytes
  const bytes = new Uint8Array(answer.length)
  sys.pread(answer.fd, bytes, answer.offset)
  return bytes
}

/** A read that has to wait; its answer's bytes when they come. */
function wait(reader: FileReader, offset: number, length: number): { waiter: Waiter; answers: (Uint8Array | number)[] } {
  const waiter = reader.read(offset, length)
  if (!(waiter instanceof Waiter)) throw new Error('answered at once')
  const answers: (Uint8Array | number)[] = []
  waiter.listen((answer) => answers.push(bytesOf(answer)))
  return { waiter, answers }
}

describe('a read', () => {
  test('of what is here is answered from the backing file', () => {
    const reader = open()
    const { answers } = wait(reader, 4 * MiB, 128 * KiB)
    expect(backend.ranges).toEqual(['demand 4096-4224'])
    finish(backend.flights[0]!)
    expect(answers).toEqual([content({ start: 4 * MiB, end: 4 * MiB + 128 * KiB })])
    const again = reader.read(4 * MiB + 5, 10)
    expect(again).toMatchObject({ kind: 'file', offset: 4 * MiB + 5, length: 10 })
    expect(bytesOf(again)).toEqual(content({ start: 4 * MiB + 5, end: 4 * MiB + 15 }))
    expect(backend.flights).toHaveLength(1)
  })

  test('is answered as soon as its own bytes are here, not when all of the fetch is', () => {
    const reader = open()
    const first = wait(reader, 4 * MiB, 128 * KiB)
    const second = wait(reader, 4 * MiB, 4 * KiB)
    arrive(backend.flights[0]!, { start: 4 * MiB, end: 4 * MiB + 4 * KiB })
    expect(second.answers).toHaveLength(1)
    expect(first.answers).toEqual([])
    finish(backend.flights[0]!)
    expect(first.answers).toHaveLength(1)
    expect(backend.flights).toHaveLength(1)
  })

  test('ends at the end of the file, and after it is empty', () => {
    const reader = open({ size: 10 })
    const { answers } = wait(reader, 6, 100)
    finish(backend.flights[0]!)
    expect(answers).toEqual([content({ start: 6, end: 10 })])
    expect(bytesOf(reader.read(10, 5))).toEqual(new Uint8Array(0))
  })

  test('of a small file fetches all of it', () => {
    const reader = open({ size: 300 * KiB })
    wait(reader, 100 * KiB, 4 * KiB)
    expect(backend.ranges).toEqual(['demand 0-300'])
  })

  test('fetches only what lacks', () => {
    const reader = open()
    wait(reader, 4 * MiB, 64 * KiB)
    finish(backend.flights[0]!)
    wait(reader, 4 * MiB - 64 * KiB, 256 * KiB)
    expect(backend.ranges.filter((line) => line.startsWith('demand'))).toEqual(['demand 4096-4160', 'demand 4032-4096', 'demand 4160-4288'])
  })
})

describe('speculation', () => {
  test('is joined and hurried by a read that needs it', () => {
    const reader = open()
    wait(reader, 0, 128 * KiB)
    expect(backend.ranges).toEqual(['demand 0-128', 'ahead 128-1024'])
    const { answers } = wait(reader, 512 * KiB, 128 * KiB)
    expect(backend.promoted).toEqual([2])
    expect(backend.flights.filter(({ request }) => request.isDemand)).toHaveLength(1)
    finish(backend.flights[1]!)
    expect(answers).toEqual([content({ start: 512 * KiB, end: 640 * KiB })])
  })

  test('follows the reader, and ends when the file is closed', () => {
    const reader = open()
    let at = 0
    for (; at < 4 * MiB; at += 128 * KiB) {
      const answer = reader.read(at, 128 * KiB)
      for (const flight of backend.flights.splice(0)) finish(flight)
      if (answer instanceof Waiter) expect(answer.answer).toBeDefined()
    }
    reader.read(at, 128 * KiB)
    expect(budget.reservedBytes).toBeGreaterThan(0)
    reader.close()
    expect(budget.reservedBytes).toBe(0)
  })

  test('is nothing to a file that is all here', () => {
    const reader = open({ size: 2 * MiB })
    wait(reader, 0, 128 * KiB)
    for (const flight of backend.flights) finish(flight)
    wait(reader, MiB, MiB)
    finish(backend.flights.at(-1)!)
    expect(reader.completeFd()).toBeGreaterThan(0)
    const count = backend.flights.length
    for (let at = 0; at < 2 * MiB; at += 128 * KiB) expect(reader.read(at, 128 * KiB)).toMatchObject({ kind: 'file' })
    expect(backend.flights).toHaveLength(count)
  })
})

describe('giving up', () => {
  test('answers EINTR, and stops the fetch when nobody else waits for it', () => {
    const reader = open()
    const first = wait(reader, 4 * MiB, 128 * KiB)
    const second = wait(reader, 4 * MiB, 128 * KiB)
    first.waiter.cancel()
    expect(first.answers).toEqual([-errno.EINTR])
    expect(backend.cancelled).toEqual([])
    second.waiter.cancel()
    expect(backend.cancelled).toEqual([1])
    backend.flights[0]!.listener.done({ code: 'aborted', message: 'given up' })
    expect(second.answers).toEqual([-errno.EINTR])
  })

  test('leaves speculation running', () => {
    const reader = open()
    wait(reader, 0, 128 * KiB)
    const joined = wait(reader, 512 * KiB, 128 * KiB)
    joined.waiter.cancel()
    expect(backend.cancelled).toEqual([])
  })

  test('and wanting it again before the fetch has ended begins anew', () => {
    const reader = open()
    wait(reader, 4 * MiB, 128 * KiB).waiter.cancel()
    const again = wait(reader, 4 * MiB, 128 * KiB)
    backend.flights[0]!.listener.done({ code: 'aborted', message: 'given up' })
    expect(again.answers).toEqual([])
    finish(backend.flights[1]!)
    expect(again.answers).toEqual([content({ start: 4 * MiB, end: 4 * MiB + 128 * KiB })])
  })

  test('by closing keeps the cached file until the last fetch is over', () => {
    const reader = open()
    const { answers } = wait(reader, 0, 128 * KiB)
    reader.close()
    expect(answers).toEqual([-errno.EIO])
    expect(backend.cancelled).toEqual([1, 2])
    expect(cache.stats.openCount).toBe(1)
    arrive(backend.flights[1]!) // was written already when it was cancelled
    for (const { listener } of backend.flights) listener.done({ code: 'aborted', message: 'given up' })
    expect(cache.stats.openCount).toBe(0)
    expect(cache.stats.bytes).toBe(896 * KiB)
    expect(reader.read(0, 1)).toBe(-errno.EIO)
  })
})

describe('a failure', () => {
  test.each([
    ['unavailable', errno.EIO],
    ['corrupt', errno.EIO],
    ['not-found', errno.EIO],
    ['exhausted', errno.EIO],
    ['denied', errno.EACCES],
    ['stale', errno.ESTALE],
  ] as const)('%s is an errno to those who need those bytes', (code, expected) => {
    const reader = open()
    const failed = wait(reader, 4 * MiB, 128 * KiB)
    const other = wait(reader, 8 * MiB, 128 * KiB)
    backend.flights[0]!.listener.done({ code, message: 'made up' })
    expect(failed.answers).toEqual([-expected])
    expect(other.answers).toEqual([])
    wait(reader, 4 * MiB, 128 * KiB) // a failure is not remembered
    expect(backend.ranges.at(-1)).toBe('demand 4096-4224')
  })

  test('of which the needed bytes came before it does not matter', () => {
    const reader = open()
    const { answers } = wait(reader, 4 * MiB, 4 * KiB)
    arrive(backend.flights[0]!)
    backend.flights[0]!.listener.done({ code: 'unavailable', message: 'made up' })
    expect(answers).toEqual([content({ start: 4 * MiB, end: 4 * MiB + 4 * KiB })])
  })

  test('of a fetch that claims success and brings nothing ends in EIO, not in a loop', () => {
    const reader = open()
    const { answers } = wait(reader, 4 * MiB, 4 * KiB)
    for (let count = 0; count < 10; count += 1) backend.flights[count]?.listener.done(undefined)
    expect(answers).toEqual([-errno.EIO])
    expect(backend.flights).toHaveLength(4)
  })
})

describe('without a cache', () => {
  test('reads are answered from memory, once fetched, and holes are zeros', () => {
    const reader = open({ isCached: false })
    const { answers } = wait(reader, 4 * MiB, 8 * KiB)
    const flight = backend.flights[0]!
    expect(flight.request.fd).toBe(-1)
    flight.listener.uncached({ start: 4 * MiB - 100, end: 4 * MiB + 4 * KiB }, content({ start: 4 * MiB - 100, end: 4 * MiB + 4 * KiB }))
    flight.listener.present({ start: 4 * MiB + 4 * KiB, end: 5 * MiB }, true)
    const expected = new Uint8Array(8 * KiB)
    expected.set(content({ start: 4 * MiB, end: 4 * MiB + 4 * KiB }))
    expect(answers).toEqual([expected])
    expect(bytesOf(reader.read(4 * MiB - 50, 100))).toEqual(content({ start: 4 * MiB - 50, end: 4 * MiB + 50 }))
    expect(reader.completeFd()).toBe(-1)
    flight.listener.done(undefined)
    reader.close()
    expect(memory.bytes).toBe(0)
  })

  test('because the disk is full reads go on, mixed with what is cached, and caching begins again later', async () => {
    const reader = open()
    wait(reader, 4 * MiB, 64 * KiB)
    finish(backend.flights[0]!)
    const { answers } = wait(reader, 4 * MiB, 128 * KiB)
    const flight = backend.flights[1]!
    const lacking = { start: 4 * MiB + 64 * KiB, end: 4 * MiB + 128 * KiB }
    expect(flight.request.range).toEqual(lacking)
    flight.listener.uncached(lacking, content(lacking)) // ENOSPC
    flight.listener.done(undefined)
    expect(answers).toEqual([content({ start: 4 * MiB, end: 4 * MiB + 128 * KiB })])
    wait(reader, 9 * MiB, 4 * KiB)
    expect(backend.flights.at(-1)!.request.fd).toBe(-1)
    await clock.advance(2000)
    wait(reader, 13 * MiB, 4 * KiB)
    expect(backend.flights.at(-1)!.request.fd).toBeGreaterThan(0)
  })

  test('because the backing file cannot be made reads go on', () => {
    sys.fail('open', errno.EIO, { count: 1000 })
    const reader = open()
    const { answers } = wait(reader, 4 * MiB, 4 * KiB)
    expect(backend.flights[0]!.request.fd).toBe(-1)
    finish(backend.flights[0]!)
    expect(answers).toEqual([content({ start: 4 * MiB, end: 4 * MiB + 4 * KiB })])
  })

  test('no more is fetched ahead than the memory keeps', async () => {
    const reader = open({ isCached: false })
    for (let at = 0; at < 8 * MiB; at += 128 * KiB) {
      await clock.advance(100)
      reader.read(at, 128 * KiB)
      const underWay = backend.flights.reduce((sum, { request }) => sum + (request.isDemand ? 0 : request.range.end - request.range.start), 0)
      expect(underWay).toBeLessThanOrEqual(2 * MiB)
      for (const flight of backend.flights.splice(0)) finish(flight)
    }
    expect(memory.bytes).toBeLessThanOrEqual(8 * MiB)
  })
})

test('a backing file that vanished is fetched anew, not read as zeros', () => {
  const reader = open()
  wait(reader, 4 * MiB, 64 * KiB)
  finish(backend.flights[0]!)
  reader.close()
  for (const path of sys.paths()) if (path.includes('/files/')) sys.unlink(path)
  const again = open()
  const { answers } = wait(again, 4 * MiB, 64 * KiB)
  finish(backend.flights[1]!)
  expect(answers).toEqual([content({ start: 4 * MiB, end: 4 * MiB + 64 * KiB })])
})
