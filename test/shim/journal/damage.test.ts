/** Damage of the journal's file: every flipped byte is noticed, what is cut is told exactly, and nothing of use is thrown away. */
import { expect, test } from 'vitest'
import { silentLogger } from '../../../shared/log.ts'
import { Journal } from '../../../shim/journal/journal.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const path = '/cache/journal/1.log'
const texts = ['first', 'second', '', 'a longer fourth record', 'fifth']

function open(sys: FakeSys, warnings: string[] = []): Journal {
  sys.crash()
  const log = { ...silentLogger, warn: (message: string) => warnings.push(message) }
  return Journal.open({ sys, directory: '/cache/journal', volumeId: 'volume', bootId: 'boot', random: new SeededRandom(7), log, sync: (fd, done) => done(sys.fdatasync(fd)) })
}

function read(journal: Journal): string[] {
  const values: string[] = []
  journal.replay((payload) => values.push(new TextDecoder().decode(payload)))
  return values
}

function smallJournal(): Uint8Array {
  const sys = new FakeSys()
  sys.mkdir('/cache', 0o700)
  const journal = open(sys)
  journal.checkpoint(texts.slice(0, 2).map((value) => new TextEncoder().encode(value)))
  for (const value of texts.slice(2)) journal.append(new TextEncoder().encode(value))
  return sys.readFile('/cache/journal/2.log')
}

function withFile(bytes: Uint8Array): FakeSys {
  const sys = new FakeSys()
  sys.mkdir('/cache', 0o700)
  sys.mkdir('/cache/journal', 0o700)
  sys.writeFile('/cache/journal/2.log', bytes)
  return sys
}

test('every flip of a byte is noticed, tells what is lost, and keeps it', () => {
  const bytes = smallJournal()
  const dumpEnd = 1024 + 24 + 24 + 16
  for (let offset = 0; offset < bytes.length; offset += 1) {
    const flipped = bytes.slice()
    flipped[offset]! ^= 1 + (offset % 255)
    const sys = withFile(flipped)
    const journal = open(sys)
    const values = read(journal)
    expect(values, `byte ${offset}`).toEqual(texts.slice(0, values.length))
    if (values.length === texts.length) {
      // A copy of the header, or that the dump is complete.
      expect(offset < 1024, `byte ${offset}`).toBe(true)
      continue
    }
    expect(journal.cuts, `byte ${offset}`).toHaveLength(1)
    const [cut] = journal.cuts
    const kept = cut!.keptAs === undefined ? undefined : sys.readFile(cut!.keptAs)
    expect(kept, `byte ${offset}`).toEqual(cut!.recordCount === 0 ? undefined : flipped.subarray(cut!.offset, cut!.offset + cut!.byteCount))
    expect(cut!.byteCount, `byte ${offset}`).toBeGreaterThan(0)
    expect(values.length + cut!.recordCount, `byte ${offset}`).toBeGreaterThanOrEqual(offset >= dumpEnd ? texts.length - 1 : 0)
    expect(journal.append(new TextEncoder().encode('next')), `byte ${offset}`).toBe(0)
    const again = open(sys)
    expect(read(again), `byte ${offset}`).toEqual([...values, 'next'])
    expect(again.cuts, `byte ${offset}`).toEqual([])
  }
})

test('every torn end is cut at the last whole record', () => {
  const bytes = smallJournal()
  for (let length = 1024 + 24 + 24 + 16; length < bytes.length; length += 1) {
    const sys = withFile(bytes.subarray(0, length))
    const values = read(open(sys))
    expect(values, `${length} bytes`).toEqual(texts.slice(0, values.length))
    const journal = open(sys)
    journal.append(new TextEncoder().encode('next'))
    expect(read(open(sys)), `${length} bytes`).toEqual([...values, 'next'])
  }
})

test('says what was cut in one sentence', () => {
  const bytes = smallJournal()
  bytes[bytes.length - 60]! ^= 1
  const warnings: string[] = []
  open(withFile(bytes), warnings)
  expect(warnings).toEqual([
    `The journal "/cache/journal/2.log" is damaged at byte ${bytes.length - 64}: 61 bytes after it are cut off and kept as "/cache/journal/2.damaged", with 1 records that cannot be used`,
  ])
})

test('two damages of one segment are both kept', () => {
  const sys = withFile(smallJournal())
  const damage = (): void => {
    const bytes = sys.readFile('/cache/journal/2.log')
    bytes[1024 + 24 + 24 + 16 + 2]! ^= 1
    sys.writeFile('/cache/journal/2.log', bytes)
    const journal = open(sys)
    for (const value of ['x', 'y']) journal.append(new TextEncoder().encode(value))
  }
  damage()
  damage()
  expect(sys.paths().toSorted()).toEqual(['/cache/journal/2-2.damaged', '/cache/journal/2.damaged', '/cache/journal/2.log'])
})

test('bytes of a payload that look like a record are none', () => {
  const sys = new FakeSys()
  sys.mkdir('/cache', 0o700)
  const journal = open(sys)
  journal.append(new TextEncoder().encode('1'))
  // A whole record of this very journal, in the place where the next one would be found if what is around it were torn.
  const record = sys.readFile(path).slice(1024 + 16)
  journal.append(record)
  const bytes = sys.readFile(path)
  sys.writeFile(path, bytes.subarray(0, bytes.length - 8))
  expect(read(open(sys))).toEqual(['1'])
})

test('a record that follows none is not read: what it goes on from is missing', () => {
  const bytes = smallJournal()
  const [second, fourth] = [bytes.length - 24 - 40 - 16, bytes.length - 24 - 40]
  const journal = open(withFile(Uint8Array.of(...bytes.subarray(0, second), ...bytes.subarray(fourth))))
  expect(read(journal)).toEqual(texts.slice(0, 2))
  expect(journal.cuts).toMatchObject([{ offset: second, recordCount: 2 }])
})
