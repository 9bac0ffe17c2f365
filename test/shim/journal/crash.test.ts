/**
 * The promise of the journal: what was acknowledged by `sync` is there after any loss of power, what was appended is there after kill -9, nothing comes out of
 * order and nothing torn; on a disk that loses and tears whatever it may, stops at any call, and fails.
 */
import fc from 'fast-check'
import { test } from 'vitest'
import { equalBytes } from '../../../shared/bytes.ts'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Journal } from '../../../shim/journal/journal.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import type { Sys } from '../../../shim/sys/sys.ts'
import { effort } from '../../support/effort.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

/** Record `number` and what it is made of. A dump stands for all records up to its number, in several parts. */
function payloadOf(number: number, length: number, part = 0, parts = 0): Uint8Array {
  const bytes = new Uint8Array(16 + length)
  new Uint32Array(bytes.buffer, 0, 4).set([number, length, part, parts])
  const content = bytes.subarray(16)
  for (let index = 0; index < Math.min(length, 251); index += 1) content[index] = (number * 31 + index * 7 + part) % 251
  for (let end = 251; end < length; end *= 2) content.copyWithin(end, 0, Math.min(end, length - end))
  return bytes
}

/** Applies records as their owner does. Throws at anything that is not what was written, or not in order. */
class Reader {
  number = 0
  #partsLeft = 0

  visit(payload: Uint8Array): void {
    const [number = 0, size = 0, part = 0, parts = 0] = new Uint32Array(payload.slice(0, 16).buffer)
    if (!equalBytes(payload, payloadOf(number, size, part, parts))) throw new Error(`a torn record: ${number}, part ${part}`)
    const isNext = parts === 0 ? number === this.number + 1 : this.number === 0 && part === (part === 0 ? 0 : parts - this.#partsLeft)
    if (!isNext) throw new Error(`out of order: ${number}, part ${part}, after ${this.number}`)
    this.#partsLeft = parts === 0 ? 0 : parts - part - 1
    if (this.#partsLeft === 0) this.number = number
  }

  end(): number {
    if (this.#partsLeft > 0) throw new Error(`${this.#partsLeft} parts of the state are missing`)
    return this.number
  }
}

class Machine {
  readonly sys = new FakeSys()
  readonly random: SeededRandom
  #journal: Journal
  #syncs: (() => void)[] = []
  #nowMs = 0
  /** The last record that was tried, that was taken, and that was acknowledged as durable. */
  #tried = 0
  #taken = 0
  #durable = 0
  #boot = 1
  /** Dependent records whose files are not durable. */
  #dirty: number[] = []

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.sys.mkdir('/cache', 0o700)
    this.sys.fsync(this.sys.open('/cache', openFlag.O_RDONLY, 0))
    this.#journal = this.#open()
  }

  #open(): Journal {
    const { sys, random } = this
    this.#syncs = []
    return Journal.open({
      sys,
      directory: '/cache/journal',
      volumeId: 'volume',
      bootId: `boot-${this.#boot}`,
      random,
      log: silentLogger,
      sync: (fd, done) => {
        this.#syncs.push(() => {
          const result = sys.fdatasync(fd)
          this.#syncs.push(() => done(result))
        })
      },
      beforeSync: (done) => {
        const last = this.#tried
        this.#syncs.push(() => {
          const isFailing = random.next() % 10 === 0
          if (!isFailing) this.#dirty = this.#dirty.filter((number) => number > last)
          done(isFailing ? -errno.EIO : 0)
        })
      },
    })
  }

  append(length: number, isDependent: boolean): void {
    this.#tried = this.#taken + 1
    if (isDependent) this.#dirty.push(this.#tried)
    if (this.#journal.append(payloadOf(this.#tried, length), isDependent) === 0) this.#taken = this.#tried
    else if (isDependent) this.#dirty.pop()
  }

  sync(): void {
    const number = this.#taken
    this.#journal.sync((result) => {
      if (result === 0) this.#durable = Math.max(this.#durable, number)
    })
  }

  checkpoint(parts: number): void {
    this.#journal.checkpoint(Array.from({ length: parts }, (_, part) => payloadOf(this.#taken, 300, part, parts)))
  }

  wait(): void {
    this.#nowMs += 1000
    this.#journal.tick(this.#nowMs)
  }

  /** What is off this thread goes on. */
  proceed(count: number): void {
    for (let index = 0; index < count; index += 1) this.#syncs.shift()?.()
  }

  restart(how: 'close' | 'kill' | 'power'): void {
    if (how === 'close') this.#journal.close()
    for (let attempt = 0; ; attempt += 1) {
      if (how === 'power') {
        this.#boot += 1
        this.sys.losePower(this.random)
      } else this.sys.crash()
      // Power also fails while the journal is found again, and the next time it is found all the same.
      this.sys.callsLeft = attempt < 2 && how !== 'close' ? this.random.next() % 60 : Infinity
      try {
        this.#journal = this.#open()
        break
      } catch (error) {
        if (this.sys.callsLeft > 0) throw error
      }
    }
    this.sys.callsLeft = Infinity
    const reader = new Reader()
    this.#journal.replay((payload) => reader.visit(payload))
    const last = reader.end()
    const least = how === 'power' ? this.#durable : this.#taken
    if (last < least || last > this.#tried) throw new Error(`record ${last} is the last after ${how}: not one of ${least} to ${this.#tried}`)
    if (how === 'power' && this.#dirty.some((number) => number <= last)) throw new Error(`record ${last} speaks of what was lost: ${this.#dirty.join(', ')}`)
    this.#taken = last
    this.#tried = last
    this.#dirty = this.#dirty.filter((number) => number <= last)
    if (how !== 'power') return
    this.#durable = last
    this.#dirty = []
  }

  /** The power fails in the middle of what comes next. */
  powerOffAfter(calls: number): void {
    this.sys.callsLeft = calls
  }
}

const length = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) }, { weight: 2, arbitrary: fc.integer({ min: 300, max: 9000 }) }, fc.constant(1_200_000))
const failing = fc.constantFrom<keyof Sys>('open', 'pwrite', 'ftruncate', 'fdatasync', 'unlink')
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('append' as const), length, isDependent: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('sync' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('proceed' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('checkpoint' as const), parts: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('restart' as const), how: fc.constantFrom('close' as const, 'kill' as const, 'power' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('power-off' as const), calls: fc.nat(12), how: fc.constantFrom('kill' as const, 'power' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), call: failing, code: fc.constantFrom(errno.ENOSPC, errno.EIO), skip: fc.nat(3) }) },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

function perform(machine: Machine, action: Step): void {
  if (action.do === 'append') machine.append(action.length, action.isDependent)
  if (action.do === 'sync') machine.sync()
  if (action.do === 'proceed') machine.proceed(action.count)
  if (action.do === 'wait') machine.wait()
  if (action.do === 'checkpoint') machine.checkpoint(action.parts)
  if (action.do === 'restart') machine.restart(action.how)
  if (action.do === 'power-off') machine.powerOffAfter(action.calls)
  if (action.do === 'fail') machine.sys.fail(action.call, action.code, { skip: action.skip })
}

test('loses nothing that it acknowledged, and gives nothing torn or out of order', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { maxLength: 60, size: 'max' }), (seed, steps) => {
      const machine = new Machine(seed)
      let endsBy: 'kill' | 'power' | undefined
      for (const action of steps) {
        if (action.do === 'power-off') endsBy = action.how
        try {
          perform(machine, action)
          if (action.do === 'restart') endsBy = undefined
        } catch (error) {
          if (machine.sys.callsLeft > 0 || endsBy === undefined) throw error
          machine.restart(endsBy)
          endsBy = undefined
        }
      }
      machine.restart('kill')
      machine.restart('power')
    }),
    { numRuns: 200 * effort },
  )
}, 60_000 * effort)
