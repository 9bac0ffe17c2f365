import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { systemRandom } from '../../../shared/random.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { OwnPacks } from '../../../shim/upload/own-packs.ts'
import { ImportBed } from './import-bed.ts'

test('an import that is given up leaves no pack, and those of others stay', async () => {
  const bed = await ImportBed.make()
  writeFileSync(bed.at('before'), randomBytes(100_000))
  await bed.import()
  const keys = async (): Promise<string[]> => (await bed.store.list('')).map(({ key }) => key)
  const before = await keys()
  const interruption = new AbortController()
  const packs = new OwnPacks(bed.store)
  const volume = await Volume.open({ store: packs, clock: systemClock, random: systemRandom })
  let stored = 0
  const writing = async (): Promise<unknown> => {
    const writer = volume.writer({ packBytesMax: 4 << 20 })
    for (let count = 0; !interruption.signal.aborted; count += 1) {
      await writer.write([randomBytes(3_000_000)])
      stored = (await keys()).length - before.length
      if (stored > 2) interruption.abort()
    }
    return await packs.giveUp(systemClock, 1000)
  }
  expect(await writing()).toEqual({ count: 0, bytes: 0 })
  expect(stored).toBeGreaterThan(2)
  expect(await keys()).toEqual(before)
  await expect(packs.create('data/late', new Uint8Array(1))).rejects.toThrow('the import was given up')
})

test('what the store does not let go is told, and a store that hangs does not hold up the end', async () => {
  const store = new MemoryStore()
  const packs = new OwnPacks(store)
  await packs.create('data/a', new Uint8Array(10))
  await packs.create('meta/b', new Uint8Array(5))
  await packs.create('volume.json', new Uint8Array(5))
  store.delete = () => Promise.reject(new EdgemountError('unsupported', 'Cannot delete'))
  expect(await packs.giveUp(systemClock, 1000)).toEqual({ count: 2, bytes: 15 })
  store.delete = () => new Promise(() => {})
  expect(await packs.giveUp(systemClock, 20)).toEqual({ count: 2, bytes: 15 })
})
