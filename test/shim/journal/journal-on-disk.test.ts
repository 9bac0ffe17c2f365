/** The journal on a real disk: how long it takes, with bounds that a slow and busy machine keeps. */
import { fdatasync } from 'node:fs'
import { expect, test } from 'vitest'
import { systemMonotonicMs } from '../../../shared/clock.ts'
import { silentLogger } from '../../../shared/log.ts'
import { systemRandom } from '../../../shared/random.ts'
import { Journal } from '../../../shim/journal/journal.ts'
import { linuxSys } from '../../../shim/sys/linux-sys.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

function open(directory: string): Journal {
  return Journal.open({
    sys: linuxSys,
    directory,
    volumeId: 'volume',
    bootId: 'boot',
    random: systemRandom,
    log: silentLogger,
    sync: (fd, done) => fdatasync(fd, (error) => done(error === null ? 0 : -(error.errno ?? 5))),
  })
}

/** The least of three, for the machine does other things too. */
function msOf(work: () => void): number {
  const times = Array.from({ length: 3 }, () => {
    const startMs = systemMonotonicMs()
    work()
    return systemMonotonicMs() - startMs
  })
  return Math.min(...times)
}

test('100,000 records of 250 bytes are found again in a moment, and appending one takes some microseconds', async () => {
  const directory = `${await tempDirectory()}/journal`
  const journal = open(directory)
  const record = new Uint8Array(250).fill(7)
  const appendMs = msOf(() => {
    for (let count = 0; count < 35_000; count += 1) if (journal.append(record) < 0) throw new Error('a record was refused')
  })
  journal.close()
  const count = { records: 0 }
  const readMs = msOf(() => {
    const again = open(directory)
    count.records = 0
    again.replay((payload) => (count.records += payload.length === 250 ? 1 : 0))
    again.close()
  })
  expect(count.records).toBe(105_000)
  // It is 60 ms when nothing else runs.
  expect(readMs).toBeLessThan(1000)
  // It is 1.5 µs when nothing else runs.
  expect((appendMs * 1000) / 35_000).toBeLessThan(50)
})

test('many syncs in a row write room ahead, and the room is no damage', async () => {
  const directory = `${await tempDirectory()}/journal`
  const journal = open(directory)
  for (let count = 0; count < 20; count += 1) {
    journal.append(new Uint8Array(100).fill(1))
    expect(await new Promise((resolve) => journal.sync(resolve))).toBe(0)
  }
  const stat = linuxSys.stat(`${directory}/1.log`)
  expect(typeof stat === 'number' ? stat : stat.size).toBeGreaterThan(1024 * 1024)
  const again = open(directory)
  expect(again.cuts).toEqual([])
  expect(again.append(new Uint8Array(1))).toBe(0)
  expect(again.status.recordCount).toBe(21)
  again.close()
  journal.close()
})
