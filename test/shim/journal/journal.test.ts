import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Journal, type JournalOptions } from '../../../shim/journal/journal.ts'
import { hasRecords } from '../../../shim/journal/recovery.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const directory = '/cache/journal'

class Bed {
  readonly sys = new FakeSys()
  readonly warnings: string[] = []
  readonly syncs: { end: (result?: number) => void }[] = []
  readonly failures: string[] = []
  boot = 1

  constructor() {
    this.sys.mkdir('/cache', 0o700)
  }

  open(more: Partial<JournalOptions> = {}): Journal {
    const { sys } = this
    return Journal.open({
      sys,
      directory,
      volumeId: 'volume-1',
      bootId: `boot-${this.boot}`,
      random: new SeededRandom(1),
      log: { ...silentLogger, warn: (message) => this.warnings.push(message) },
      sync: (fd, done) => this.syncs.push({ end: (result) => done(result ?? sys.fdatasync(fd)) }),
      onFailure: (message) => this.failures.push(message),
      ...more,
    })
  }

  reopen(): string[] {
    this.sys.crash()
    return textsOf(this.open())
  }
}

function textsOf(journal: Journal): string[] {
  const texts: string[] = []
  journal.replay((payload) => texts.push(new TextDecoder().decode(payload)))
  return texts
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

test('what was appended is there after kill -9, and more can be appended', () => {
  const bed = new Bed()
  const journal = bed.open()
  expect([journal.append(text('a')), journal.append(text('')), journal.append(new Uint8Array(3_000_000))]).toEqual([0, 0, 0])
  expect(bed.reopen().map((value) => value.length)).toEqual([1, 0, 3_000_000])
  bed.sys.crash()
  bed.open().append(text('b'))
  expect(bed.reopen().at(-1)).toBe('b')
  expect(bed.warnings).toEqual([])
})

test('those who wait share one sync, and those who come meanwhile the next', () => {
  const bed = new Bed()
  const journal = bed.open()
  const ended: string[] = []
  const sync = (name: string): void => journal.sync((result) => ended.push(`${name} ${result}`))
  journal.append(text('1'))
  sync('a')
  journal.append(text('2'))
  sync('b')
  sync('c')
  expect(bed.syncs).toHaveLength(1)
  bed.syncs[0]!.end()
  expect(ended).toEqual(['a 0'])
  bed.syncs[1]!.end()
  expect(ended).toEqual(['a 0', 'b 0', 'c 0'])
  sync('d')
  expect(ended.at(-1)).toBe('d 0')
  expect(bed.syncs).toHaveLength(2)
})

test('files that have to be durable first are synced first, and a failure of theirs is the failure of who waits, not of the journal', () => {
  const bed = new Bed()
  const before: ((result: number) => void)[] = []
  const journal = bed.open({ beforeSync: (done) => before.push(done) })
  const results: number[] = []
  journal.append(text('1'))
  journal.sync((result) => results.push(result))
  expect(bed.syncs).toHaveLength(0)
  before[0]!(-errno.EIO)
  expect([results, bed.syncs.length, bed.failures]).toEqual([[-errno.EIO], 0, []])
  journal.sync((result) => results.push(result))
  before[1]!(0)
  bed.syncs[0]!.end()
  expect(results).toEqual([-errno.EIO, 0])
})

/** `after`: dependent records whose files have not been synced. */
class DependentBed extends Bed {
  readonly before: ((result: number) => void)[] = []
  readonly journal = this.open({ beforeSync: (done) => this.before.push(done) })
  readonly results: string[] = []

  sync(name: string): void {
    this.journal.sync((result) => this.results.push(`${name} ${result}`))
  }

  /** Power goes while all that was written is on the disk by chance. */
  losePower(): string[] {
    this.boot += 1
    return this.reopen()
  }
}

test('a record of files that were not durable does not count after a loss of power, nor what comes after it, but it does after kill -9', () => {
  const bed = new DependentBed()
  bed.journal.append(text('1'))
  bed.journal.append(text('dependent'), true)
  bed.journal.append(text('3'))
  expect(bed.reopen()).toEqual(['1', 'dependent', '3'])
  expect(bed.losePower()).toEqual(['1'])
  expect(bed.warnings).toEqual(['The machine lost power before the last 2 records of the journal "/cache/journal/1.log" were synced: they are left out'])
  bed.open().append(text('4'), true)
  expect(bed.reopen()).toEqual(['1', '4'])
})

test('it counts once its files are durable, which no sync waits less for', () => {
  const bed = new DependentBed()
  bed.journal.append(text('dependent'), true)
  bed.sync('a')
  bed.journal.append(text('later'), true)
  bed.sync('b')
  bed.before[0]!(0)
  bed.syncs[0]!.end()
  expect(bed.results).toEqual(['a 0'])
  expect(bed.before).toHaveLength(2)
  expect(bed.losePower()).toEqual(['dependent'])
})

test('who replays after kill -9 is told which records nobody confirmed', () => {
  const bed = new DependentBed()
  bed.journal.append(text('confirmed'), true)
  bed.sync('a')
  bed.before[0]!(0)
  bed.journal.append(text('plain'))
  bed.journal.append(text('unconfirmed'), true)
  bed.sys.crash()
  const seen: [string, boolean][] = []
  bed.open().replay((payload, isUnconfirmed) => seen.push([new TextDecoder().decode(payload), isUnconfirmed]))
  expect(seen).toEqual([
    ['confirmed', false],
    ['plain', false],
    ['unconfirmed', true],
  ])
})

test('a checkpoint of what nobody confirmed does not take the place of what was before', () => {
  const bed = new DependentBed()
  bed.journal.append(text('1'))
  bed.journal.append(text('dependent'), true)
  expect(bed.journal.checkpoint([text('state')])).toBe(-errno.EAGAIN)
  bed.sync('a')
  bed.journal.append(text('later'), true)
  bed.before[0]!(0)
  bed.syncs[0]!.end()
  expect(bed.journal.checkpoint([text('state')])).toBe(0)
  expect(bed.sys.paths()).toHaveLength(2)
  bed.boot += 1
  bed.sys.crash()
  expect(textsOf(bed.open())).toEqual(['1', 'dependent'])
  expect(bed.sys.paths()).toEqual([`${directory}/1.log`])
})

test('closing confirms what is made durable at once', () => {
  const bed = new Bed()
  const journal = bed.open({ beforeSync: (done) => done(0) })
  journal.append(text('dependent'), true)
  journal.close()
  bed.boot += 1
  expect(bed.reopen()).toEqual(['dependent'])
})

test('what nobody asked to sync is synced after five seconds', () => {
  const bed = new Bed()
  const journal = bed.open()
  journal.tick(0)
  journal.tick(5000)
  bed.syncs.splice(0).forEach((sync) => sync.end())
  journal.append(text('1'))
  for (let nowMs = 6000; nowMs < 11_000; nowMs += 250) journal.tick(nowMs)
  expect([bed.syncs.length, journal.status.unsyncedCount]).toEqual([0, 1])
  journal.tick(11_000)
  expect(bed.syncs).toHaveLength(1)
  bed.syncs[0]!.end()
  expect(journal.status.unsyncedCount).toBe(0)
})

test('after a sync that failed nothing is believed any more', () => {
  const bed = new Bed()
  const journal = bed.open()
  const results: number[] = []
  journal.append(text('1'))
  journal.sync((result) => results.push(result))
  journal.append(text('2'))
  journal.sync((result) => results.push(result))
  bed.syncs[0]!.end(-errno.EIO)
  journal.sync((result) => results.push(result))
  expect(results).toEqual([-errno.EIO, -errno.EIO, -errno.EIO])
  expect([journal.append(text('3')), journal.checkpoint([])]).toEqual([-errno.EIO, -errno.EIO])
  expect(bed.syncs).toHaveLength(1)
  expect(bed.failures).toHaveLength(1)
  expect(journal.status.hasFailed).toBe(true)
})

test('a sync that found no thread is tried again and nobody is told', () => {
  const bed = new Bed()
  const journal = bed.open()
  const results: number[] = []
  journal.append(text('1'))
  journal.sync((result) => results.push(result))
  bed.syncs[0]!.end(-errno.EAGAIN)
  expect(results).toEqual([])
  journal.tick(1)
  bed.syncs[1]!.end()
  expect(results).toEqual([0])
})

test.each([errno.ENOSPC, errno.EIO])('a record that could not be written (errno %i) leaves the journal as it was', (code) => {
  const bed = new Bed()
  const journal = bed.open()
  journal.append(text('1'))
  bed.sys.fail('pwrite', code)
  expect(journal.append(text('2'))).toBe(-code)
  expect(journal.append(text('3'))).toBe(0)
  expect(bed.reopen()).toEqual(['1', '3'])
  expect(bed.warnings).toEqual([])
})

test('a full disk is told by the record that does not fit, and room makes it work again', () => {
  const bed = new Bed()
  const journal = bed.open()
  bed.sys.capacityBytes = 64 * 1024
  let count = 0
  while (journal.append(new Uint8Array(1000).fill(1)) === 0) count += 1
  expect(count).toBeGreaterThan(50)
  expect(journal.checkpoint([new Uint8Array(60_000)])).toBe(-errno.ENOSPC)
  bed.sys.capacityBytes = Infinity
  bed.sys.crash()
  const again = bed.open()
  expect(bed.warnings).toEqual([])
  expect(again.append(text('last'))).toBe(0)
  expect(bed.reopen()).toHaveLength(count + 1)
  expect(bed.sys.paths()).toEqual([`${directory}/1.log`])
})

test('a checkpoint takes the place of what was before, once it and its name are durable', () => {
  const bed = new Bed()
  const journal = bed.open()
  journal.append(text('1'))
  expect(journal.checkpoint([text('state'), text('more')])).toBe(0)
  journal.append(text('2'))
  expect(bed.sys.paths()).toEqual([`${directory}/1.log`, `${directory}/2.log`])
  bed.sys.calls.length = 0
  bed.syncs.at(-1)!.end()
  expect(bed.sys.calls.map((call) => call.split(' ')[0])).toEqual(['fdatasync', 'open', 'fsync', 'unlink'])
  expect(bed.sys.paths()).toEqual([`${directory}/2.log`])
  expect(bed.reopen()).toEqual(['state', 'more', '2'])
})

test('who waits for a sync while a checkpoint begins is told when the new segment is durable', () => {
  const bed = new Bed()
  const journal = bed.open()
  const ended: string[] = []
  journal.append(text('1'))
  journal.sync((result) => ended.push(`a ${result}`))
  journal.append(text('2'))
  journal.sync((result) => ended.push(`b ${result}`))
  journal.checkpoint([text('state')])
  bed.syncs[0]!.end()
  expect(bed.syncs).toHaveLength(2)
  bed.syncs[1]!.end()
  expect(ended).toEqual(['a 0', 'b 0'])
  expect(bed.sys.openCount).toBe(1)
})

test('a long journal asks for a checkpoint', () => {
  const bed = new Bed()
  const journal = bed.open({ checkpointBytesMin: 1000 })
  expect(journal.isLong).toBe(false)
  while (journal.appendedBytes <= 3000) journal.append(new Uint8Array(100))
  expect(journal.isLong).toBe(true)
  journal.checkpoint([new Uint8Array(2000)])
  expect(journal.isLong).toBe(false)
  while (journal.appendedBytes <= 5900) journal.append(new Uint8Array(100))
  expect(journal.isLong).toBe(false)
})

test('closing syncs what is left, and leaves no descriptor behind, also when a sync is under way', () => {
  const bed = new Bed()
  const journal = bed.open()
  const results: number[] = []
  journal.append(text('1'))
  journal.sync((result) => results.push(result))
  journal.close()
  expect([results, bed.sys.openCount]).toEqual([[0], 1])
  bed.syncs[0]!.end()
  expect([bed.sys.openCount, journal.append(text('2'))]).toEqual([0, -errno.EIO])
  bed.sys.losePower(new SeededRandom(1))
  expect(textsOf(bed.open())).toEqual(['1'])
})

test('a journal of another volume, or of another version, is refused and left alone', () => {
  const bed = new Bed()
  bed.open().append(text('1'))
  bed.sys.crash()
  expect(() => bed.open({ volumeId: 'volume-2' })).toThrow('Cannot use the journal "/cache/journal/1.log": it belongs to volume volume-1, not to volume-2')
  expect(bed.reopen()).toEqual(['1'])
  expect(bed.sys.openCount).toBe(1)
})

test('a disk that cannot be read is an error, not a torn record', () => {
  const bed = new Bed()
  bed.open().append(text('1'))
  bed.sys.crash()
  bed.sys.fail('pread', errno.EIO, { skip: 1 })
  expect(() => bed.open()).toThrow('Cannot read the journal "/cache/journal/1.log": error 5')
  expect(bed.reopen()).toEqual(['1'])
})

test('whether something is to be recovered can be asked without opening', () => {
  const bed = new Bed()
  expect(hasRecords(bed.sys, directory)).toBe(false)
  const journal = bed.open()
  expect(hasRecords(bed.sys, directory)).toBe(false)
  journal.append(text('1'))
  expect(hasRecords(bed.sys, directory)).toBe(true)
  journal.checkpoint([])
  bed.syncs.at(-1)!.end()
  expect(hasRecords(bed.sys, directory)).toBe(false)
  journal.checkpoint([text('state')])
  expect(hasRecords(bed.sys, directory)).toBe(true)
})

test('what is removed goes oldest first, for good, and what was damaged stays', () => {
  const bed = new Bed()
  const journal = bed.open()
  bed.sys.writeFile(`${directory}/7.damaged`, text('kept'))
  journal.append(text('1'))
  journal.checkpoint([text('state')])
  bed.sys.calls.length = 0
  journal.remove()
  const removals = bed.sys.calls.filter((call) => call.startsWith('unlink') || call.startsWith('fsync'))
  expect(removals.slice(-3).map((call) => call.replace(/\d+$/, ''))).toEqual([`unlink ${directory}/1.log`, `unlink ${directory}/2.log`, 'fsync '])
  expect(bed.sys.paths()).toEqual([`${directory}/7.damaged`])
  bed.syncs.at(-1)!.end()
  expect(bed.sys.openCount).toBe(0)
  bed.sys.losePower(new SeededRandom(3))
  expect(textsOf(bed.open())).toEqual([])
})
