import { expect, test } from 'vitest'
import { EdgemountError } from '../../../shared/error.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { progressLine } from '../../../shim/command/import-run.ts'
import { OwnPacks } from '../../../shim/upload/own-packs.ts'
import { ImportReport } from '../../../shim/upload/report.ts'

test('the progress line says why an import waits, as long as the store takes no pack', async () => {
  const store = new MemoryStore()
  let isAway = true
  const create = store.create.bind(store)
  store.create = async (key, body, options) => {
    if (isAway) throw new EdgemountError('unavailable', 'Cannot reach s3://box: connection refused')
    return await create(key, body, options)
  }
  const packs = new OwnPacks(store)
  const line = (): string => progressLine(Object.assign(new ImportReport(), { newBytes: 2_000_000, current: 'a.bin' }), { fileCount: 0, bytes: 0, isWhole: false }, 1000, packs.trouble)
  expect(line()).toContain('  a.bin')
  await expect(packs.create('data/x', new Uint8Array(1))).rejects.toThrow('connection refused')
  expect(line()).toMatch(/^waiting for the store \(\S+ \S+ new so far\): Cannot reach s3:\/\/box: connection refused$/)
  isAway = false
  await packs.create('data/x', new Uint8Array(1))
  expect(line()).toContain('  a.bin')
})
