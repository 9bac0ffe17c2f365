/** Leases against a tiny model: one holder at a time by every clock, no epoch twice, whatever the store does to the calls. And what is stored. */
import { describe, expect, test } from 'vitest'
import { faultStore, seededFaults } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { codeOf } from '../../../shared/error.ts'
import { randomBelow } from '../../../shared/random.ts'
import { checkLeaseName, decodeLease, encodeLease, leaseMarginMs } from '../../../shared/volume/lease.ts'
import { type HeldLease, Leases } from '../../../shared/volume/leases.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { spyStore } from '../../support/spy-store.ts'
import { failureOf, text } from '../../support/store-bytes.ts'

const leaseMs = 10_000

function bed(): { clock: ManualClock; store: MemoryStore; leases: Leases } {
  const clock = new ManualClock()
  const store = new MemoryStore()
  return { clock, store, leases: new Leases({ store, clock, random: new SeededRandom(1) }) }
}

const acquire = (holder: string, nonce = holder) => ({ action: 'acquire', holder, nonce, leaseMs }) as const

describe('a lease', () => {
  test('is had again by the same request, and by no other, also of the same holder', async () => {
    const { leases, clock } = bed()
    const first = await leases.ask('x', acquire('a'))
    expect(first).toMatchObject({ name: 'x', epoch: 1, holder: 'a', leftMs: leaseMs })
    await clock.advance(1000)
    expect(await leases.ask('x', acquire('a'))).toMatchObject({ epoch: 1, leftMs: leaseMs - 1000 })
    expect(await failureOf(leases.ask('x', acquire('a', 'other')))).toBe('conflict')
    // It ran out, and nobody else has taken it.
    await clock.advance(leaseMs * 2)
    expect(await leases.ask('x', acquire('a'))).toMatchObject({ epoch: 1, leftMs: leaseMs })
  })

  test('is refused to others until it ran out and clocks may no longer differ', async () => {
    const { leases, clock } = bed()
    await leases.ask('x', acquire('a'))
    await clock.advance(leaseMs + leaseMarginMs)
    await expect(leases.ask('x', acquire('b'))).rejects.toThrow('Cannot acquire the lease "x": "a" holds it at epoch 1; it is free in 0 s unless he renews it')
    await leases.ask('x', { action: 'renew', holder: 'a', epoch: 1, leaseMs })
    await clock.advance(leaseMs + leaseMarginMs + 1)
    expect(await leases.ask('x', acquire('b'))).toMatchObject({ epoch: 2, holder: 'b' })
    await expect(leases.ask('x', { action: 'fence', epoch: 1 })).rejects.toThrow('Cannot fence the lease "x": it is at epoch 2 and belongs to "b"; acquire it again')
    expect(await failureOf(leases.ask('x', { action: 'fence', epoch: 3 }))).toBe('stale')
  })

  test('released is free at once, released twice is released, and its nonce is spent', async () => {
    const { leases } = bed()
    await leases.ask('x', acquire('a'))
    expect(await failureOf(leases.ask('x', { action: 'release', holder: 'b', epoch: 1 }))).toBe('stale')
    for (let time = 0; time < 2; time += 1) expect(await leases.ask('x', { action: 'release', holder: 'a', epoch: 1 })).toMatchObject({ isReleased: true, leftMs: 0 })
    expect(await failureOf(leases.ask('x', { action: 'renew', holder: 'a', epoch: 1, leaseMs }))).toBe('stale')
    expect(await failureOf(leases.ask('x', { action: 'fence', epoch: 1 }))).toBe('stale')
    expect(await failureOf(leases.ask('x', acquire('a')))).toBe('stale')
    expect(await leases.ask('x', acquire('a', 'a2'))).toMatchObject({ epoch: 2 })
    for (const action of ['renew', 'release'] as const) expect(await failureOf(leases.ask('x', { action, holder: 'a', epoch: 1, leaseMs }))).toBe('stale')
  })

  test('that nobody ever acquired is not found', async () => {
    const { leases } = bed()
    expect(await leases.read('x')).toBeUndefined()
    expect(await failureOf(leases.ask('x', { action: 'fence', epoch: 1 }))).toBe('not-found')
  })

  test.each(['lost', 'error'] as const)('whose answers are %s is had once, with one epoch', async (kind) => {
    const clock = new ManualClock()
    let left = 2
    const plan = ({ operation }: { operation: string }): { kind: typeof kind } | undefined => {
      if (operation !== 'create' && operation !== 'replace') return undefined
      left -= 1
      return left >= 0 ? { kind } : undefined
    }
    const leases = new Leases({ store: faultStore(new MemoryStore(), { clock, plan }), clock, random: new SeededRandom(1) })
    expect(await clock.runUntil(leases.ask('x', acquire('a')))).toMatchObject({ epoch: 1 })
    left = 2
    expect(await clock.runUntil(leases.ask('x', { action: 'renew', holder: 'a', epoch: 1, leaseMs }))).toMatchObject({ epoch: 1 })
    left = 2
    expect(await clock.runUntil(leases.ask('x', { action: 'release', holder: 'a', epoch: 1 }))).toMatchObject({ epoch: 1, isReleased: true })
  })

  test('costs a read and a write, a renewal too, a fence one read; a store that is away ends it after ten tries', async () => {
    const { clock, store } = bed()
    const spy = spyStore(store)
    const leases = new Leases({ store: spy.store, clock, random: new SeededRandom(1) })
    await leases.ask('x', acquire('a'))
    expect(spy.calls.splice(0)).toEqual(['get leases/x', 'list leases/', 'create leases/x'])
    await leases.ask('x', { action: 'renew', holder: 'a', epoch: 1, leaseMs })
    expect(spy.calls.splice(0)).toEqual(['get leases/x', 'body leases/x', 'replace leases/x'])
    await leases.ask('x', { action: 'fence', epoch: 1 })
    expect(spy.calls.splice(0)).toEqual(['get leases/x', 'body leases/x'])
    spy.script.push(...Array.from({ length: 100 }, () => 'unavailable' as const))
    const failed = leases.ask('x', acquire('b')).catch((error: unknown) => error)
    expect(String(await clock.runUntil(failed))).toContain('Cannot acquire the lease "x" in "memory:": Cannot get: scripted; it may have been done, ask again')
    expect(spy.calls).toHaveLength(10)
  })

  test('is one of 1000 at most', async () => {
    const { leases, store } = bed()
    for (let index = 0; index < 1000; index += 1) await store.put(`leases/l${index}`, text('{}'))
    await expect(leases.ask('x', acquire('a'))).rejects.toThrow('Cannot acquire the lease "x": the volume has 1000 others; use one of their names')
  })

  test.each(['', '.', '..', 'a/b', '-a', 'ü', 'a b', 'x'.repeat(129)])('cannot be called %j', async (name) => {
    expect(() => checkLeaseName(name)).toThrow(/^Cannot use the lease name /)
    expect(await failureOf(bed().leases.ask(name, acquire('a')))).toBe('invalid')
  })

  test.each([{ holder: '' }, { holder: 'ü' }, { holder: 'x'.repeat(256) }, { nonce: '' }, { nonce: 'x'.repeat(129) }, { leaseMs: 999 }, { leaseMs: 3_600_001 }, { leaseMs: 1000.5 }, { leaseMs: Number.NaN }])(
    'cannot be asked for with %j',
    async (fault) => {
      expect(await failureOf(bed().leases.ask('x', { ...acquire('a'), ...fault }))).toBe('invalid')
    },
  )
})

describe('what is stored', () => {
  const lease = { epoch: 7, holder: 'host 1', nonce: 'n1', leaseMs: 30_000, expires: 1_763_724_030_000, isReleased: false }
  const stored = '{"format":1,"epoch":7,"holder":"host 1","nonce":"n1","leaseMs":30000,"expires":1763724030000,"isReleased":false}'

  test('reads as it was written', () => {
    expect(new TextDecoder().decode(encodeLease(lease))).toBe(stored)
    expect(decodeLease(text(stored))).toEqual(lease)
  })

  test.each(['', '{}', '[]', stored.replace(':7', ':0'), stored.replace('false', '0'), stored.replace('}', ',"more":1}'), `${stored}${' '.repeat(9000)}`])('is refused when it is garbage: %j', async (garbage) => {
    const { leases, store } = bed()
    await store.put('leases/x', text(garbage))
    expect(await failureOf(leases.ask('x', acquire('a')))).toBe('corrupt')
  })

  test('of a newer format is left alone', async () => {
    const { leases, store } = bed()
    await store.put('leases/x', text(stored.replace('"format":1', '"format":2')))
    expect(await failureOf(leases.ask('x', acquire('a')))).toBe('unsupported')
  })
})

/** A holder, and what he believes. */
interface Actor {
  readonly name: string
  readonly leases: Leases
  /** His edge's clock is so far from the true one. */
  readonly skewMs: number
  nonce: string | undefined
  held: { readonly epoch: number; readonly untilMs: number } | undefined
}

/** Three holders by clocks that differ, over a store that drops, loses and delays: after each step, by the true time, at most one may count on it. */
async function play(seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  const clock = new ManualClock()
  const memory = new MemoryStore()
  const store = faultStore(memory, { clock, plan: seededFaults(random, { error: 0.1, lost: 0.1, delay: 0.1, cut: 0.05, delayMsMax: 2000 }) })
  const actors = ['a', 'b', 'c'].map((name): Actor => {
    const skewMs = randomBelow(random, leaseMarginMs) - leaseMarginMs / 2
    const own = { now: () => clock.now() + skewMs, sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal) }
    return { name, skewMs, leases: new Leases({ store, clock: own, random }), nonce: undefined, held: undefined }
  })
  const epochs = new Map<number, string>()
  let last = 0
  for (let step = 0; step < 60; step += 1) {
    const some = actors.filter(() => randomBelow(random, 3) > 0)
    const steps = some.map((actor) => act(actor, clock, random, epochs, `${seed}-${step}-${actor.name}`))
    await clock.runUntil(Promise.all(steps))
    const counting = actors.filter(({ held }) => held !== undefined && clock.now() < held.untilMs)
    expect(counting.length, `step ${step}: ${JSON.stringify(counting.map(({ name, held }) => [name, held]))}`).toBeLessThanOrEqual(1)
    const found = await memory.get('leases/x')
    const epoch = found === undefined ? 0 : decodeLease(await found.bytes()).epoch
    expect(epoch).toBeGreaterThanOrEqual(last)
    last = epoch
    await clock.advance(randomBelow(random, leaseMs))
  }
  expect(last).toBeGreaterThan(1)
}

async function act(actor: Actor, clock: ManualClock, random: SeededRandom, epochs: Map<number, string>, nonce: string): Promise<void> {
  const { held, leases, name } = actor
  const sinceMs = clock.now()
  const take = (lease: HeldLease): void => {
    // An epoch belongs to one acquisition, for ever.
    const owner = `${name} ${lease.nonce}`
    expect(epochs.get(lease.epoch) ?? owner).toBe(owner)
    epochs.set(lease.epoch, owner)
    // He counts from when he asked, by a clock that only grows.
    actor.held = { epoch: lease.epoch, untilMs: sinceMs + lease.leftMs }
  }
  try {
    if (held === undefined) {
      actor.nonce ??= nonce
      take(await leases.ask('x', { action: 'acquire', holder: name, nonce: actor.nonce, leaseMs }))
      actor.nonce = undefined
    } else if (randomBelow(random, 3) > 0) take(await leases.ask('x', { action: 'renew', holder: name, epoch: held.epoch, leaseMs }))
    else {
      actor.held = undefined
      await leases.ask('x', { action: 'release', holder: name, epoch: held.epoch })
    }
  } catch (error) {
    const code = codeOf(error)
    if (code === 'stale') [actor.held, actor.nonce] = [undefined, undefined]
    else if (code !== 'conflict' && code !== 'unavailable') throw error
  }
}

describe('random interleavings', () => {
  const seed = Number(process.env['EDGEMOUNT_TEST_SEED'] ?? Date.now() % 1_000_000)
  test(`of three holders, from seed ${seed}`, async () => {
    for (let round = 0; round < 15; round += 1) await play(seed + round)
  })
})
