import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FileTable } from '../../../shim/cache/file-table.ts'
import { type IndexRecord, decodeHeader, decodeRecord, encodeHeader, encodeRecord, recordBytesMax } from '../../../shim/cache/index-record.ts'
import { blockHeadBytes, decodeBlockHead, encodeBlock, loadBlock } from '../../../shim/cache/index-snapshot.ts'

const whole = fc.nat(Number.MAX_SAFE_INTEGER)
const record: fc.Arbitrary<IndexRecord> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), row: fc.nat(), serial: whole, fileId: whole, size: whole, version: fc.uint32Array({ minLength: 8, maxLength: 8 }) }),
  fc.record({ kind: fc.constantFrom('data' as const, 'hole' as const, 'durable' as const), row: fc.nat(), serial: whole, start: whole, end: whole }),
  fc.record({ kind: fc.constant('drop' as const), row: fc.nat(), serial: whole }),
)

function encode(records: readonly IndexRecord[]): Uint8Array {
  const bytes = new Uint8Array(records.length * recordBytesMax)
  const view = new DataView(bytes.buffer)
  let length = 0
  for (const item of records) length += encodeRecord(item, bytes, view, length)
  return bytes.subarray(0, length)
}

function decode(bytes: Uint8Array): IndexRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const records: IndexRecord[] = []
  let offset = 0
  for (let next = decodeRecord(bytes, view, 0); next !== undefined; next = decodeRecord(bytes, view, offset)) {
    records.push(next.record)
    offset += next.length
  }
  return records
}

test('records come back as they went, and end at the first that is cut or flipped', () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), fc.nat(), fc.nat(7), (records, where, bit) => {
      const bytes = encode(records)
      expect(decode(bytes)).toEqual(records)
      const cut = decode(bytes.slice(0, where % bytes.length))
      expect(cut).toEqual(records.slice(0, cut.length))
      expect(cut.length).toBeLessThan(records.length)
      const flipped = bytes.slice()
      flipped[where % bytes.length]! ^= 1 << bit
      const read = decode(flipped)
      expect(read).toEqual(records.slice(0, read.length))
      expect(read.length).toBeLessThan(records.length)
    }),
  )
})

test('a header says its kind, generation and boot, and any flipped bit is noticed', () => {
  const header = { kind: 'log' as const, generation: 7, bootId: '5f1c9a52-0b9e-4f5e-a2a9-0c5f1e1e8a11' }
  const bytes = encodeHeader(header)
  expect(decodeHeader('log', bytes)).toEqual(header)
  expect(decodeHeader('snapshot', bytes)).toBeUndefined()
  for (let index = 0; index < bytes.length; index += 1) {
    const flipped = bytes.slice()
    flipped[index]! ^= 4
    expect(decodeHeader('log', flipped)).toBeUndefined()
  }
})

function sampleTable(): FileTable {
  const table = new FileTable()
  for (let id = 0; id < 40; id += 1) {
    const row = table.add(id, Uint32Array.from({ length: 8 }, (_, word) => id * 8 + word), 1000, id + 100)
    table.setBytes(row, 4096)
    table.markPresent(row, 0, id % 2 === 0 ? 1000 : 10 * id)
    table.markDurable(row, 0, id % 4 === 0 ? 1000 : 5 * id)
    table.touch(row)
  }
  for (const row of [3, 17, 39]) table.remove(row)
  return table
}

function contentOf(table: FileTable): unknown[] {
  return Array.from({ length: table.rowLimit }, (_, row) =>
    table.isUsed(row)
      ? [row, table.fileIds[row], table.sizes[row], table.serials[row], table.bytes[row], [...table.version(row)], table.presence(row).edges, table.durable(row).edges]
      : undefined,
  )
}

test('a block of a snapshot brings its rows back; in another boot only what is durable is present', () => {
  const table = sampleTable()
  const bytes = encodeBlock(table, 0)
  const head = decodeBlockHead(bytes.subarray(0, blockHeadBytes))!
  const same = new FileTable()
  expect(loadBlock(same, head, bytes, true)).toBe(true)
  same.finishLoading()
  expect(contentOf(same)).toEqual(contentOf(table))
  const other = new FileTable()
  expect(loadBlock(other, head, bytes, false)).toBe(true)
  for (let row = 0; row < table.rowLimit; row += 1) {
    if (table.isUsed(row)) expect(other.presence(row).edges).toEqual(table.durable(row).edges)
  }
})

test('a damaged block is refused', () => {
  const bytes = encodeBlock(sampleTable(), 0)
  for (let index = 4; index < bytes.length; index += 97) {
    const flipped = bytes.slice()
    flipped[index]! ^= 1
    const head = decodeBlockHead(flipped)
    const isTaken = head !== undefined && head.length === bytes.length - blockHeadBytes && loadBlock(new FileTable(), head, flipped, true)
    expect(isTaken).toBe(false)
  }
})
