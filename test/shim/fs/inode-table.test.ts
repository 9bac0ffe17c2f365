import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeEntry } from '../../../shared/format/entry-codec.ts'
import { InodeTable, rowFlag } from '../../../shim/fs/inode-table.ts'
import { fileEntry } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { utf8 } from '../../support/test-volume.ts'

const noBytes = new Uint8Array(0)

test('a row gives back the attributes, name and entry that were written', () => {
  const table = new InodeTable()
  const small = fileEntry(77, hashOf(utf8('x')), 5000)
  const entry = { ...small, size: 5_000_000_000, mode: 0o4755, uid: 12, gid: 4_000_000_000 }
  const row = table.allocate(77)
  table.place(row, 1, utf8('näme'), encodeEntry(small))
  table.write(row, entry)
  const attributes = { ino: 0, size: 0, blocks: 0, atimeSeconds: 0, atimeNanoseconds: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, ctimeSeconds: 0, ctimeNanoseconds: 0, mode: 0, linkCount: 0, uid: 0, gid: 0, rdev: 0, blockBytes: 0 }
  table.readAttributes(row, attributes)
  expect(attributes).toMatchObject({
    ino: 77,
    size: 5_000_000_000,
    blocks: 9_765_625,
    mode: 0o104755,
    uid: 12,
    gid: 4_000_000_000,
    linkCount: 1,
    mtimeSeconds: entry.mtime.seconds,
    mtimeNanoseconds: entry.mtime.nanoseconds,
    ctimeNanoseconds: entry.ctime.nanoseconds,
  })
  expect(table.name(row)).toEqual(utf8('näme'))
  expect(table.entry(row)).toEqual(encodeEntry(small))
})

test('a freed row is used again with another generation, and its id is forgotten', () => {
  const table = new InodeTable()
  const first = table.allocate(5)
  const generation = table.generations[first]
  table.free(first)
  expect(table.find(5)).toBe(0)
  const second = table.allocate(6)
  expect(second).toBe(first)
  expect(table.generations[second]).not.toBe(generation)
  expect(table.find(6)).toBe(second)
})

test('a detached row keeps its content while its id leads elsewhere', () => {
  const table = new InodeTable()
  const old = table.allocate(5)
  table.place(old, 1, utf8('a'), noBytes)
  table.detach(old)
  const fresh = table.allocate(5)
  expect(table.find(5)).toBe(fresh)
  expect(table.flags[old]! & rowFlag.isDetached).not.toBe(0)
  table.free(old)
  expect(table.find(5)).toBe(fresh)
})

test('names survive any order of placing, freeing and compaction', () => {
  const step = fc.record({ id: fc.integer({ min: 1, max: 60 }), bytes: fc.integer({ min: 0, max: 20_000 }), isFree: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
      const table = new InodeTable()
      const model = new Map<number, { row: number; name: Uint8Array; length: number }>()
      for (const { id, bytes, isFree } of steps) {
        const known = model.get(id)
        if (isFree) {
          if (known !== undefined) table.free(known.row)
          model.delete(id)
          continue
        }
        const row = known?.row ?? table.allocate(id)
        const name = utf8(`name ${id} ${bytes}`)
        table.place(row, 1, name, new Uint8Array(bytes).fill(id))
        model.set(id, { row, name, length: bytes })
      }
      expect(table.knownCount).toBe(model.size)
      for (const [id, { row, name, length }] of model) {
        expect(table.find(id)).toBe(row)
        expect(table.name(row)).toEqual(name)
        expect(table.entry(row).length).toBe(length)
        expect(table.entry(row).every((byte) => byte === id)).toBe(true)
      }
    }),
    { numRuns: 40 },
  )
})

test('a known file costs less than 300 bytes with everything, and a forgotten one its row', () => {
  const table = new InodeTable()
  const entry = fileEntry(1, hashOf(utf8('x')), 100_000)
  const bytes = encodeEntry(entry)
  const count = 200_000
  for (let id = 1; id <= count; id += 1) {
    const row = table.allocate(id)
    table.place(row, 1, utf8(`some-usual-name-${id}.ts`), bytes)
    table.write(row, entry)
  }
  expect(table.bytes / count).toBeLessThan(300)
  for (let row = 1; row <= count; row += 1) table.free(row)
  // A file that the kernel forgot leaves a row to be used again, and nothing else.
  expect(table.bytes / count).toBeLessThan(130)
})
