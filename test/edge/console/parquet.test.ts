/** Parquet files as the console reads them: what others write, and what was made to do harm. */
import type { FileMetaData, SchemaElement } from 'hyparquet'
import { parquetMetadata } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, test } from 'vitest'
import type { AsyncBuffer } from '../../../edge/browser/lazy-file.ts'
import { whyNotShown } from '../../../edge/console/parquet/columns.ts'
import { bytesOfRows, groupsOfRows } from '../../../edge/console/parquet/cost.ts'
import { ParquetFile } from '../../../edge/console/parquet/file.ts'
import { checkedMetadata } from '../../../edge/console/parquet/footer.ts'
import { checkedPages } from '../../../edge/console/parquet/pages.ts'
import { concatBytes } from '../../../shared/bytes.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { parquetBytes, randomParquetBytes } from '../../support/console-files.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { packers } from '../../support/parquet-codecs.ts'

const MiB = 1024 * 1024
type Written = Parameters<typeof parquetWriteBuffer>[0]

function counted(bytes: Uint8Array): AsyncBuffer & { readonly ranges: [number, number][] } {
  const ranges: [number, number][] = []
  return {
    ranges,
    byteLength: bytes.length,
    slice: async (start, end = bytes.length) => {
      ranges.push([start, end])
      return bytes.slice(start, end).buffer
    },
  }
}

async function opened(bytes: Uint8Array, footerBytesMax = 8 * MiB): Promise<ParquetFile> {
  const file = await ParquetFile.open(counted(bytes), footerBytesMax)
  if (typeof file === 'number') throw new Error(`a footer of ${file} bytes`)
  return file
}

const written = (settings: Written): Uint8Array => new Uint8Array(parquetWriteBuffer(settings))

async function rowsOf(settings: Written, rowEnd = 2): Promise<string[][]> {
  return await (await opened(written(settings))).rows({ rowStart: 0, rowEnd })
}

/** The end of a file: a footer, its length as it is said, and the letters. */
function ended(footer: Uint8Array, said = footer.length, magic = 'PAR1'): Uint8Array {
  const tail = new Uint8Array(8)
  new DataView(tail.buffer).setUint32(0, said, true)
  tail.set(new TextEncoder().encode(magic), 4)
  return concatBytes([new TextEncoder().encode('PAR1'), footer, tail])
}

describe('what others write', () => {
  test('lists, structures and maps are shown as they are nested', async () => {
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 3 },
      { name: 'tags', repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      { name: 'place', repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'x', type: 'INT32', repetition_type: 'OPTIONAL' },
      { name: 'y', type: 'DOUBLE', repetition_type: 'OPTIONAL' },
      { name: 'counts', repetition_type: 'OPTIONAL', converted_type: 'MAP', num_children: 1 },
      { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
      { name: 'key', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      { name: 'value', type: 'INT64', repetition_type: 'OPTIONAL' },
    ]
    const columnData = [{ name: 'tags', data: [['a', 'b'], undefined] }, { name: 'place', data: [{ x: 1, y: 0.5 }, undefined] }, { name: 'counts', data: [{ one: 1n, two: 2n }, {}] }]
    expect(await rowsOf({ columnData, schema })).toEqual([['["a","b"]', '{"x":1,"y":0.5}', '{"one":"1","two":"2"}'], ['', '', '{}']])
  })

  test('dates, times, decimals, identifiers and JSON are shown as what they mean', async () => {
    const of = (element: SchemaElement, ...data: unknown[]) => ({ element, data })
    const parts = [
      of({ name: 'date', type: 'INT32', converted_type: 'DATE' }, new Date('2026-11-21'), new Date('1969-12-31')),
      of({ name: 'local', type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } }, new Date('2026-11-21T10:00:00Z'), new Date(0)),
      of({ name: 'time', type: 'INT32', converted_type: 'TIME_MILLIS' }, 49_500_250, 0),
      of({ name: 'price', type: 'INT64', converted_type: 'DECIMAL', scale: 2, precision: 18 }, 90_071_992_547_409.91, -0.05),
      of({ name: 'uuid', type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } }, '00112233-4455-6677-8899-aabbccddeeff', '00000000-0000-0000-0000-000000000000'),
      of({ name: 'json', type: 'BYTE_ARRAY', converted_type: 'JSON' }, { a: [1, null] }, 'text'),
      of({ name: 'flag', type: 'BOOLEAN' }, true, false),
      of({ name: 'bytes', type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2 }, Uint8Array.of(1, 255), Uint8Array.of(0, 0)),
    ].map(({ element, data }) => ({ element: { repetition_type: 'REQUIRED' as const, ...element }, data }))
    const schema = [{ name: 'root', num_children: parts.length }, ...parts.map(({ element }) => element)]
    const rows = await rowsOf({ columnData: parts.map(({ element, data }) => ({ name: element.name, data })), schema })
    expect(rows).toEqual([
      ['2026-11-21', '2026-11-21T10:00:00.000', '13:45:00.25', '90071992547409.91', '00112233-4455-6677-8899-aabbccddeeff', '{"a":[1,null]}', 'true', '01ff'],
      ['1969-12-31', '1970-01-01T00:00:00.000', '00:00:00', '-0.05', '00000000-0000-0000-0000-000000000000', 'text', 'false', '0000'],
    ])
  })

  test.each([...packers.keys()])('%s is read', async (codec) => {
    const names = Array.from({ length: 3000 }, (_, index) => `a city with a long name, number ${index % 97}`)
    const bytes = written({ columnData: [{ name: 'name', data: names, codec }, { name: 'count', data: names.map((_, index) => index), codec }], compressors: { [codec]: packers.get(codec)! } })
    const file = await opened(bytes)
    expect(file.facts.columns.map(({ why }) => why)).toEqual([undefined, undefined])
    expect(await file.rows({ rowStart: 0, rowEnd: 3000 })).toEqual(names.map((name, index) => [name, String(index)]))
  })

  test('columns that cannot be read are named, with why, and the others are shown', async () => {
    const compressors = { LZO: (bytes: Uint8Array) => bytes }
    const file = await opened(written({ columnData: [{ name: 'packed', data: [1, 2], codec: 'LZO' }, { name: 'plain', data: [3, 4], codec: 'UNCOMPRESSED' }, { name: 'other', data: ['a', 'b'], codec: 'LZO' }, { name: 'any', data: [{ a: 1 }, 2], type: 'VARIANT' }], compressors }))
    expect(whyNotShown(file.facts.columns, (name) => name)).toBe('“packed” and “other” are compressed with LZO; “any” is of the type VARIANT')
    expect(await file.rows({ rowStart: 0, rowEnd: 2 })).toEqual([['3'], ['4']])
  })

  test('rows across row groups cost and read all the groups that they are in', async () => {
    const bytes = randomParquetBytes(1000, { rowGroupSize: 60, codec: 'UNCOMPRESSED' }, false)
    const { row_groups: groups } = parquetMetadata(bytes)
    const size = (index: number): number => Number(groups[index]!.columns[0]!.meta_data!.total_compressed_size)
    expect(bytesOfRows({ row_groups: groups }, { rowStart: 0, rowEnd: 100 })).toBe(size(0) + size(1))
    expect(bytesOfRows({ row_groups: groups }, { rowStart: 100, rowEnd: 200 })).toBe(size(1) + size(2) + size(3))
    expect(groupsOfRows(groups, { rowStart: 100, rowEnd: 200 }).rowsBefore).toBe(60)
    const source = counted(bytes)
    const file = await ParquetFile.open(source, MiB)
    if (typeof file === 'number') throw new Error('a long footer')
    const all = await file.rows({ rowStart: 0, rowEnd: 1000 })
    source.ranges.length = 0
    expect(await file.rows({ rowStart: 100, rowEnd: 200 })).toEqual(all.slice(100, 200))
    expect(source.ranges.reduce((sum, [start, end]) => sum + end - start, 0)).toBe(file.bytesOf({ rowStart: 100, rowEnd: 200 }))
  })
})

describe('what was made to do harm', () => {
  test('a footer of no length, of more than there is, of another kind or of noise is a sentence', async () => {
    const noise = new SeededRandom(31).bytes(500)
    const said = async (bytes: Uint8Array): Promise<string> => await opened(bytes).then(() => 'opened', (error: unknown) => (error instanceof EdgemountError ? error.message : `no sentence: ${String(error)}`))
    for (const [bytes, why] of [
      [ended(new Uint8Array(0)), 'its footer is empty'],
      [ended(noise, 4_294_967_295), 'its footer is said to be longer than the file'],
      [ended(noise, noise.length + 1), 'its footer is said to be longer than the file'],
      [ended(noise, noise.length, 'PARE'), 'its footer is encrypted'],
      [ended(noise, noise.length, 'XXXX'), 'it does not end as one'],
      [ended(noise), 'its footer is damaged'],
      [ended(new Uint8Array(100_000).fill(0x1c)), 'its footer is damaged'],
      [new Uint8Array(3), 'which is less than the shortest one'],
    ] as const) expect(await said(bytes)).toMatch(new RegExp(`^Cannot show the file as Parquet: .*${why}.*; download it to look closer$`))
  })

  test('a long footer is not read before somebody wants it', async () => {
    const source = counted(concatBytes([new Uint8Array(4 * MiB), ended(new Uint8Array(2 * MiB))]))
    expect(await ParquetFile.open(source, MiB)).toBe(2 * MiB)
    expect(source.ranges.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThanOrEqual(128 * 1024)
  })

  test('numbers below nothing, places beyond the file and trees without an end are told', () => {
    const whole = parquetMetadata(parquetBytes(10))
    const [group] = whole.row_groups
    const [column] = group!.columns
    const withColumn = (more: object): FileMetaData => ({ ...whole, row_groups: [{ ...group!, columns: [{ ...column!, meta_data: { ...column!.meta_data!, ...more } }] }] })
    const deep = Array.from({ length: 5000 }, (_, index) => ({ name: `${index}`, num_children: index < 4999 ? 1 : 0 }))
    const faults: readonly (readonly [metadata: FileMetaData, why: string])[] = [
      [{ ...whole, num_rows: -5n }, 'rows is -5'],
      [{ ...whole, num_rows: 11n }, 'do not have the rows'],
      [withColumn({ total_compressed_size: -1n }), 'the length of a column is -1'],
      [withColumn({ data_page_offset: -9n, dictionary_page_offset: 0n }), 'the place of a column is -9'],
      [withColumn({ total_compressed_size: 1n << 40n }), 'beyond the end of the file'],
      [{ ...whole, schema: deep }, 'nested deeper than 100 levels'],
      [{ ...whole, schema: [{ name: 'root', num_children: 1_000_000 }, { name: 'a' }] }, 'ends too early'],
      [{ ...whole, schema: [{ name: 'root', num_children: -1 }] }, 'schema is damaged'],
    ]
    for (const [metadata, why] of faults) expect(() => checkedMetadata(metadata, 10_000)).toThrow(why)
  })

  test('thousands of columns are counted, and the first are shown', async () => {
    const columnData = Array.from({ length: 3000 }, (_, index) => ({ name: `c${index}`, data: [index] }))
    const { columnCount, columns } = (await opened(written({ columnData }))).facts
    expect([columnCount, columns.length]).toEqual([3000, 200])
    expect((await rowsOf({ columnData }, 1))[0]?.length).toBe(200)
  })

  test('a page that claims gigabytes, or values without end, is told before the memory is taken', async () => {
    // A page of a dictionary, of data, and of data of the second version: type, bytes as they are and as they are packed, and the structure with the number of values.
    const int = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...int(Math.floor(value / 128))])
    const page = ({ kind, field, bytes = 4, packed = 4, values = 1, rows }: { kind: number; field: number; bytes?: number; packed?: number; values?: number; rows?: number }): Uint8Array =>
      Uint8Array.from([0x15, ...int(kind * 2), 0x15, ...int(bytes * 2), 0x15, ...int(packed * 2), ((field - 3) << 4) | 0x0c, 0x15, ...int(values * 2), ...(rows === undefined ? [] : [0x25, ...int(rows * 2)]), 0, 0, 1, 2, 3, 4])
    const read = async (bytes: Uint8Array): Promise<unknown> => {
      const meta_data = { path_in_schema: ['a'], data_page_offset: 0n, total_compressed_size: BigInt(bytes.length) }
      const groups = [{ columns: [{ meta_data }], num_rows: 5n, total_byte_size: 0n }] as unknown as FileMetaData['row_groups']
      return await checkedPages(counted(bytes), groups, { rowEnd: 5, flatNames: new Set('a') }).slice(0, bytes.length).then(() => 'read', (error: unknown) => (error instanceof EdgemountError ? error.message : `no sentence: ${String(error)}`))
    }
    expect(await read(page({ kind: 0, field: 5 }))).toBe('read')
    for (const [kind, field] of [[0, 5], [2, 7], [3, 8]] as const) {
      expect(await read(page({ kind, field, values: 2_000_000_000 }))).toMatch(/more values than a browser should hold/)
      expect(await read(page({ kind, field, bytes: 2_000_000_000 }))).toMatch(/more values than a browser should hold/)
      expect(await read(page({ kind, field, packed: 5 }))).toMatch(/longer than their column/)
    }
    expect(await read(new Uint8Array(40).fill(0xff))).toMatch(/one has no beginning/)
    // Five rows that are said to be there, of which the reader finds one, and goes on.
    expect(await read(concatBytes([page({ kind: 3, field: 8, values: 5, rows: 1 }), page({ kind: 0, field: 5, values: 2_000_000_000 })]))).toMatch(/more values than a browser should hold/)
    expect(await read(concatBytes([page({ kind: 3, field: 8, values: 5, rows: 5 }), page({ kind: 0, field: 5, values: 2_000_000_000 })]))).toBe('read')
  })

  test('so is the second page of a column that is repeated, of which all pages are read', async () => {
    const whole = written({ columnData: [{ name: 'a', data: new Int32Array(2_200_000), encoding: 'PLAIN', offsetIndex: false }], codec: 'UNCOMPRESSED', pageSize: 4_400_000, rowGroupSize: 3_000_000 })
    const bytes = Buffer.from(whole.buffer, whole.byteOffset, whole.length)
    // In the schema "required" becomes "repeated", and the second page claims a hundred times as many values as it has.
    bytes[bytes.lastIndexOf(Uint8Array.of(0x25, 0, 0x18, 1, 0x61)) + 1] = 4
    bytes[bytes.indexOf(Uint8Array.of(0x5c, 0x15), 4_000_000) + 5] = 0x7f
    const file = await opened(whole)
    expect(file.facts.columns).toMatchObject([{ name: 'a', values: 'repeated' }])
    await expect(file.rows({ rowStart: 0, rowEnd: 100 })).rejects.toThrow('more values than a browser should hold')
  })

  test('an index leads to pages of its own column, and is none of them', async () => {
    const index = Uint8Array.from([0x19, 0x1c, 0x16, 0x08, 0x15, 0x08, 0x16, 0x00, 0x00, 0x00])
    const read = async (column: { readonly start: number; readonly bytes: number }, at: number): Promise<unknown> => {
      const bytes = new Uint8Array(200)
      bytes.set(index, at)
      const meta_data = { path_in_schema: ['a'], data_page_offset: BigInt(column.start), total_compressed_size: BigInt(column.bytes) }
      const groups = [{ columns: [{ meta_data, offset_index_offset: BigInt(at), offset_index_length: index.length }], num_rows: 50n, total_byte_size: 0n }] as unknown as FileMetaData['row_groups']
      return await checkedPages(counted(bytes), groups, { rowEnd: 5, flatNames: new Set('a') }).slice(at, at + index.length).then(() => 'read', (error: unknown) => (error instanceof EdgemountError ? error.message : `no sentence: ${String(error)}`))
    }
    // It names a page of 4 bytes at byte 4.
    expect(await read({ start: 4, bytes: 4 }, 100)).toBe('read')
    expect(await read({ start: 5, bytes: 50 }, 100)).toMatch(/an index leads elsewhere than to its column/)
    expect(await read({ start: 0, bytes: 7 }, 100)).toMatch(/an index leads elsewhere than to its column/)
    expect(await read({ start: 4, bytes: 100 }, 20)).toMatch(/an index lies within a column/)
  })

  test('columns lie apart, and what an index led to ends where its last page does', async () => {
    const page = Uint8Array.from([0x15, 0, 0x15, 8, 0x15, 8, 0x2c, 0x15, 2, 0, 0, 1, 2, 3, 4])
    const bytes = concatBytes([page, page, page, page])
    const read = async (chunks: readonly (readonly [number, number])[], start: number, end: number): Promise<unknown> => {
      const columns = chunks.map(([from, to], index) => ({ meta_data: { path_in_schema: [`c${index}`], data_page_offset: BigInt(from), total_compressed_size: BigInt(to - from) } }))
      const groups = [{ columns, num_rows: 50n, total_byte_size: 0n }] as unknown as FileMetaData['row_groups']
      const work = async (): Promise<string> => await checkedPages(counted(bytes), groups, { rowEnd: 1, flatNames: new Set(['c0', 'c1']) }).slice(start, end).then(() => 'read')
      return await work().catch((error: unknown) => (error instanceof EdgemountError ? error.message : `no sentence: ${String(error)}`))
    }
    const { length } = page
    expect(await read([[0, 2 * length], [2 * length, 4 * length]], 0, 4 * length)).toBe('read')
    expect(await read([[0, 4 * length]], length, 3 * length)).toBe('read')
    expect(await read([[0, 4 * length]], 0, length + 1)).toMatch(/one has no end/)
    expect(await read([[0, 4 * length], [length, 2 * length]], length, 4 * length)).toMatch(/columns lie in each other/)
  })

  test('files with some bytes changed are shown, or are sentences', async () => {
    const seed = 71
    const random = new SeededRandom(seed)
    // Without a compression: what is wrong in one can be endless, which the page ends (`test/browser/console-previews.test.ts`).
    const whole = written({ columnData: [{ name: 'id', data: Array.from({ length: 300 }, (_, index) => index) }, { name: 'city', data: Array.from({ length: 300 }, (_, index) => `city ${index % 7}`) }], codec: 'UNCOMPRESSED' })
    for (let round = 0; round < 300; round += 1) {
      const bytes = whole.slice()
      const draw = random.bytes(16)
      for (let at = 0; at < 1 + (draw[0]! % 4); at += 1) {
        // Half of them in the footer.
        const place = (draw[1 + at]! * 65_536 + draw[5 + at]! * 256 + draw[9 + at]!) % (round % 2 === 0 ? bytes.length : 400)
        bytes[round % 2 === 0 ? place : bytes.length - 9 - place] = draw[12 + (at % 4)]!
      }
      const told = await opened(bytes).then((file) => file.rows({ rowStart: 0, rowEnd: Math.min(100, file.facts.rowCount) })).then(() => 'shown', (error: unknown) => (error instanceof EdgemountError ? error.message : `no sentence: ${String(error)}`))
      expect(told, `seed ${seed}, round ${round}`).toMatch(/^(shown|Cannot )/)
    }
  })
})
