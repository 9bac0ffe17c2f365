import { describe, expect, test } from 'vitest'
import { type Fault, faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import type { CommitRecord } from '../../../shared/format/commit.ts'
import { silentLogger } from '../../../shared/log.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { CommitLog, type LoggedRecord } from '../../../shared/volume/commit-log.ts'
import { headKey, logKey, packKey, seqOfLogKey } from '../../../shared/volume/keys.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { engineOf, newVolume, nodeHash, notingStore, utf8 } from '../../support/test-volume.ts'

describe('keys', () => {
  test('of newer records sort first', () => {
    expect(logKey(1)).toBe('log/99999999999999999998')
    expect(logKey(Number.MAX_SAFE_INTEGER)).toBe('log/99990992800745259008')
    expect(logKey(2) < logKey(1)).toBe(true)
    for (const seq of [1, 2, 10, 12_345, Number.MAX_SAFE_INTEGER]) expect(seqOfLogKey(logKey(seq))).toBe(seq)
  })

  test.each(['log/', 'log/1', 'log/0000000000000000000x', 'log/00000000000000000000', 'meta/99999999999999999998'])('%s is none of a record', (key) => {
    expect(() => seqOfLogKey(key)).toThrow(`Cannot read the log: "${key}" is not the key of a record`)
  })

  test('of packs say their kind', () => {
    expect([packKey('d01' as never), packKey('m01' as never)]).toEqual(['data/d01', 'meta/m01'])
  })
})

describe('the head', () => {
  test('is found from the hint and the next few records', async () => {
    const { inner } = await logOf(5)
    await inner.put(headKey, utf8('3'))
    const { log, calls } = open(inner)
    expect((await log.head()).record.seq).toBe(5)
    expect(calls).toEqual(['get head', ...[3, 4, 5, 6].map((seq) => `get ${logKey(seq)}`)])
    calls.length = 0
    await log.head()
    expect(calls).toEqual([`get ${logKey(6)}`])
  })

  test('is listed when it is far away', async () => {
    const { inner } = await logOf(20)
    await inner.put(headKey, utf8('2'))
    const { log, calls } = open(inner)
    expect((await log.head()).record.seq).toBe(20)
    expect(calls).toEqual(['get head', ...[2, 3, 4, 5, 6].map((seq) => `get ${logKey(seq)}`), 'list log/', `get ${logKey(20)}`])
  })

  test.each(['', 'x', '-1', '0', '1.5', '99', '1e99'])('is found in spite of the hint "%s"', async (hint) => {
    const { inner } = await logOf(7)
    await inner.put(headKey, utf8(hint))
    expect((await open(inner).log.head()).record.seq).toBe(7)
  })

  test('is found without a hint, and absent in an empty store', async () => {
    const { inner } = await logOf(7)
    await inner.delete(headKey)
    expect((await open(inner).log.head()).record.seq).toBe(7)
    await expect(open(new MemoryStore()).log.head()).rejects.toMatchObject({ code: 'not-found' })
  })

  test('need not be asked for when what is known is new enough', async () => {
    const { inner } = await logOf(5)
    const { log, calls } = open(inner)
    await log.head()
    calls.length = 0
    expect((await log.head({ atLeast: 5 })).record.seq).toBe(5)
    expect(calls).toEqual([])
    await log.head({ atLeast: 6 })
    expect(calls).toEqual([`get ${logKey(6)}`])
  })

  test('is never older than a commit that was acknowledged before', async () => {
    const { inner, last } = await logOf(3)
    const reader = open(inner).log
    await reader.head()
    const writer = open(inner).log
    let parent = last
    for (let count = 0; count < 12; count += 1) {
      parent = (await writer.append(nextOf(parent)))!
      if (count % 5 === 0) expect((await reader.head()).record.seq).toBe(parent.record.seq)
    }
  })
})

describe('appending', () => {
  test('wins a free slot and loses a taken one', async () => {
    const { inner, last } = await logOf(3)
    const [a, b] = [open(inner).log, open(inner).log]
    const mine = nextOf(last)
    expect((await a.append(mine))!.record).toEqual(mine)
    expect(await b.append({ ...nextOf(last), nonce: 'other' })).toBe(undefined)
    expect((await b.read(4))!.record.nonce).toBe(mine.nonce)
  })

  test('whose answer was lost is found to have won, by its nonce', async () => {
    const { inner, last } = await logOf(3)
    const { log, calls } = open(inner, [{ kind: 'lost' }])
    const mine = nextOf(last)
    expect((await log.append(mine))!.record).toEqual(mine)
    expect(calls.filter((call) => call !== 'put head')).toEqual([`create ${logKey(4)}`, `get ${logKey(4)}`])
  })

  test('whose answer was lost after somebody else won is found to have lost', async () => {
    const { inner, last } = await logOf(3)
    await open(inner).log.append({ ...nextOf(last), nonce: 'other' })
    expect(await open(inner, [{ kind: 'error' }]).log.append(nextOf(last))).toBe(undefined)
  })

  test('that never reached the store is tried again', async () => {
    const { inner, last } = await logOf(3)
    const { log, calls } = open(inner, [{ kind: 'error' }, { kind: 'error' }, { kind: 'lost' }])
    expect(await log.append(nextOf(last))).toBeDefined()
    expect(calls.filter((call) => call.startsWith('create'))).toHaveLength(3)
  })

  test('gives up on a store that answers nothing, and says that it may have happened', async () => {
    const { inner, last } = await logOf(3)
    const faults = Array.from({ length: 8 }, (): Fault => ({ kind: 'error' }))
    await expect(open(inner, faults).log.append(nextOf(last))).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('the commit may have happened') as string })
  })

  test('writes the hint at most once a second, and does not wait for it', async () => {
    const { inner } = await logOf(1)
    await inner.delete(headKey)
    const clock = new ManualClock()
    const { store, calls } = notingStore(inner)
    const log = new CommitLog({ ...engineOf(store), clock, hash: nodeHash, log: silentLogger })
    let parent = await log.head()
    for (let count = 0; count < 30; count += 1) {
      parent = (await log.append(nextOf(parent)))!
      await log.settle()
      await clock.advance(100)
    }
    expect(calls.filter((call) => call === 'put head')).toHaveLength(3)
    expect(new TextDecoder().decode(await (await inner.get(headKey))!.bytes())).toBe('22')
  })

  test('works when the hint cannot be written', async () => {
    const { inner, last } = await logOf(3)
    const store: ObjectStore = faultStore(inner, { clock: new ManualClock(), plan: ({ operation }) => (operation === 'put' ? { kind: 'error' } : undefined) })
    const log = open(store).log
    expect(await log.append(nextOf(last))).toBeDefined()
    await log.settle()
  })
})

test('a record in the wrong slot, or damaged, is corrupt', async () => {
  const { inner } = await logOf(3)
  await inner.put(logKey(4), await (await inner.get(logKey(3)))!.bytes())
  await expect(open(inner).log.read(4)).rejects.toMatchObject({ code: 'corrupt', message: `Cannot read "${logKey(4)}": it holds commit 3` })
  await inner.put(logKey(4), utf8('{'))
  await expect(open(inner).log.read(4)).rejects.toMatchObject({ code: 'corrupt' })
})

async function logOf(count: number): Promise<{ inner: MemoryStore; last: LoggedRecord }> {
  const inner = new MemoryStore()
  await (await newVolume({ store: inner })).close()
  const { log } = open(inner)
  let last = await log.head()
  while (last.record.seq < count) last = (await log.append(nextOf(last)))!
  await log.settle()
  return { inner, last }
}

let nonceCount = 0

function nextOf({ record, hash }: LoggedRecord): CommitRecord {
  nonceCount += 1
  return { ...record, seq: record.seq + 1, parent: hash, nonce: `nonce-${nonceCount}` }
}

/** The faults strike the first creates, one each. */
function open(store: ObjectStore, faults: Fault[] = []): { log: CommitLog; calls: string[] } {
  const clock = { now: () => 0, sleep: () => Promise.resolve() }
  const noting = notingStore(faultStore(store, { clock, plan: ({ operation }) => (operation === 'create' ? faults.shift() : undefined) }))
  return { log: new CommitLog({ ...engineOf(noting.store), clock, hash: nodeHash, log: silentLogger }), calls: noting.calls }
}
