import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FileTable, versionOf } from '../../../shim/cache/file-table.ts'

function version(id: number): Uint32Array {
  return versionOf((id % 7).toString(16).repeat(64)) // few versions, so that ids have to tell rows apart
}

function order(table: FileTable): number[] {
  const ids: number[] = []
  for (let row = table.oldest; row >= 0; row = table.younger(row)) ids.push(table.fileIds[row]!)
  return ids
}

test('agrees with a map in order of use under any adds, uses and removes', () => {
  const step = fc.record({ action: fc.constantFrom('add', 'touch', 'remove', 'unlist'), id: fc.nat(300) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2000, size: 'max' }), (steps) => {
      const table = new FileTable()
      const model = new Map<number, boolean>()
      for (const { action, id } of steps) {
        const row = table.find(id, version(id))
        expect(row >= 0).toBe(model.has(id))
        if (action === 'add' && row < 0) table.touch(table.add(id, version(id), id, id))
        if (row >= 0 && action === 'touch') table.touch(row)
        if (row >= 0 && action === 'unlist') table.unlist(row)
        if (row >= 0 && action === 'remove') table.remove(row)
        const wasListed = model.get(id)
        if (action === 'remove') model.delete(id)
        else if (action === 'unlist' && wasListed !== undefined) model.set(id, false)
        else if ((action === 'add' && wasListed === undefined) || (action === 'touch' && wasListed !== undefined)) {
          model.delete(id)
          model.set(id, true)
        }
      }
      expect(order(table)).toEqual([...model].filter(([, isListed]) => isListed).map(([id]) => id))
      expect(table.count).toBe(model.size)
    }),
    { numRuns: 30 },
  )
})

test('counts bytes on disk, and knows what is whole and what is durable', () => {
  const table = new FileTable()
  const row = table.add(1, version(1), 1000, 1)
  table.setBytes(row, 4096)
  table.markPresent(row, 0, 500)
  expect(table.isComplete(row)).toBe(false)
  expect(table.durable(row).isEmpty).toBe(true)
  table.markDurable(row, 0, 500)
  table.markPresent(row, 500, 1000)
  expect([table.isComplete(row), table.isDurable(row)]).toEqual([true, false])
  expect(table.durable(row).edges).toEqual([0, 500])
  table.markDurable(row, 500, 1000)
  expect(table.isDurable(row)).toBe(true)
  expect(table.durable(row).edges).toEqual([0, 1000])
  table.remove(row)
  expect(table.byteTotal).toBe(0)
  const again = table.add(2, version(2), 1000, 2)
  expect(again).toBe(row)
  expect([table.isComplete(again), table.presence(again).isEmpty, table.durable(again).isEmpty]).toEqual([false, true, true])
})

test('takes at most 110 bytes a file', () => {
  const table = new FileTable()
  const words = new Uint32Array(8)
  for (let id = 0; id < 150_000; id += 1) {
    words[0] = Math.imul(id, 0x9e3779b1) >>> 0
    table.touch(table.add(id, words, 1, id))
  }
  expect(table.memoryBytes / table.count).toBeLessThan(110)
})

test('refuses what is no content version', () => {
  expect(() => versionOf('abc')).toThrow(expect.objectContaining({ code: 'invalid' }))
})
