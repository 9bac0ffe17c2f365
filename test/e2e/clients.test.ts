/**
 * Range clients that nobody here wrote read files through a real `edgemount serve`: curl, aria2c with 16 connections, and
 * the npm readers of PMTiles, Parquet and GeoTIFF. The files are made by public writers.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromUrl, writeArrayBuffer } from 'geotiff'
import { asyncBufferFromUrl, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { PMTiles } from 'pmtiles'
import * as s2PmTiles from 's2-pmtiles'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { edgemountOk, Running } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-clients-'))
const files = join(directory, 'files')
const bigBytes = 24 * 2 ** 20 + 12_345
let serve: Running
let base = ''

const parquetRows = Array.from({ length: 20_000 }, (_, index) => ({ id: index, name: `row ${index}`, value: index / 7 }))
const tileBytes = (zoom: number, x: number, y: number): Uint8Array => new TextEncoder().encode(`tile ${zoom}/${x}/${y} `.repeat(200))

beforeAll(async () => {
  mkdirSync(files)
  writeFileSync(join(files, 'big file é.bin'), randomBytes(bigBytes))
  writeFileSync(join(files, 'rows.parquet'), new Uint8Array(parquetBytes()))
  writeFileSync(join(files, 'image.tif'), new Uint8Array(geotiffBytes()))
  writeFileSync(join(files, 'tiles.pmtiles'), await pmtilesBytes())
  const store = `dir:${join(directory, 'store')}`
  await edgemountOk(['import', files, `${store}/clients`])
  serve = new Running(['serve', store, '--port', '0'])
  const [address] = await serve.printed(/http:\/\/[\d.]+:\d+/)
  base = `${address}/v1/clients/files`
})

afterAll(async () => {
  await serve?.stop()
  rmSync(directory, { recursive: true, force: true })
})

function parquetBytes(): ArrayBuffer {
  return parquetWriteBuffer({
    columnData: [
      { name: 'id', data: parquetRows.map((row) => row.id), type: 'INT32' },
      { name: 'name', data: parquetRows.map((row) => row.name), type: 'STRING' },
      { name: 'value', data: parquetRows.map((row) => row.value), type: 'DOUBLE' },
    ],
    rowGroupSize: 5000,
  })
}

function geotiffBytes(): ArrayBuffer {
  const values = Uint8Array.from({ length: 512 * 512 }, (_, index) => (index * 31) % 251)
  return writeArrayBuffer(values, { height: 512, width: 512 })
}

/** The writer's published types do not resolve for ES modules, so what is used of it is said here. */
interface PmTilesWriting {
  BufferWriter: new () => { commit(): Uint8Array }
  S2PMTilesWriter: new (target: unknown, tileType: number, compression: number) => {
    writeTileXYZ(zoom: number, x: number, y: number, data: Uint8Array): Promise<void>
    commit(metadata: { name: string }): Promise<void>
  }
  TileType: { Png: number }
  Compression: { None: number }
}

async function pmtilesBytes(): Promise<Uint8Array> {
  const { BufferWriter, S2PMTilesWriter, TileType, Compression } = s2PmTiles as unknown as PmTilesWriting
  const buffer = new BufferWriter()
  const writer = new S2PMTilesWriter(buffer, TileType.Png, Compression.None)
  for (let zoom = 0; zoom <= 5; zoom += 1) {
    for (let x = 0; x < 2 ** zoom; x += 1) for (let y = 0; y < 2 ** zoom; y += 1) await writer.writeTileXYZ(zoom, x, y, tileBytes(zoom, x, y))
  }
  await writer.commit({ name: 'test' })
  return buffer.commit()
}

test('curl reads ranges, resumes, and sees one size', () => {
  const url = `${base}/big%20file%20%C3%A9.bin`
  const whole = readFileSync(join(files, 'big file é.bin'))
  const part = execFileSync('curl', ['-sS', '--fail', '-r', '1000000-2500000', url], { maxBuffer: 1 << 26 })
  expect(part.equals(whole.subarray(1_000_000, 2_500_001))).toBe(true)
  expect(execFileSync('curl', ['-sS', '--fail', '-r', '-77', url]).equals(whole.subarray(-77))).toBe(true)
  const resumed = join(directory, 'resumed')
  writeFileSync(resumed, whole.subarray(0, 9_000_000))
  execFileSync('curl', ['-sS', '--fail', '-C', '-', '-o', resumed, url])
  expect(readFileSync(resumed).equals(whole)).toBe(true)
  expect(execFileSync('curl', ['-sSI', url]).toString()).toMatch(new RegExp(`content-length: ${bigBytes}`, 'i'))
})

test('aria2c downloads with 16 connections', () => {
  const result = spawnSync(
    'aria2c',
    ['-x16', '-s16', '-k1M', '--min-split-size=1M', '--file-allocation=none', '--quiet', '-d', directory, '-o', 'aria', `${base}/big%20file%20%C3%A9.bin`],
    { encoding: 'utf8' },
  )
  expect(result.stderr + result.stdout).toBe('')
  expect(result.status).toBe(0)
  const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')
  expect(digest(join(directory, 'aria'))).toBe(digest(join(files, 'big file é.bin')))
})

test('pmtiles finds every tile', async () => {
  const archive = new PMTiles(`${base}/tiles.pmtiles`)
  expect((await archive.getHeader()).maxZoom).toBe(5)
  for (const [zoom, x, y] of [[0, 0, 0], [3, 5, 2], [5, 31, 31], [5, 17, 4]] as const) {
    const tile = await archive.getZxy(zoom, x, y)
    expect(new Uint8Array(tile?.data ?? new ArrayBuffer()), `tile ${zoom}/${x}/${y}`).toEqual(tileBytes(zoom, x, y))
  }
})

test('hyparquet reads the schema and a slice of rows', async () => {
  const file = await asyncBufferFromUrl({ url: `${base}/rows.parquet` })
  const metadata = await parquetMetadataAsync(file)
  expect(Number(metadata.num_rows)).toBe(parquetRows.length)
  const rows = await parquetReadObjects({ file, rowStart: 12_345, rowEnd: 12_355 })
  expect(rows).toEqual(parquetRows.slice(12_345, 12_355))
})

test('geotiff reads a window of pixels', async () => {
  const image = await (await fromUrl(`${base}/image.tif`)).getImage()
  expect([image.getWidth(), image.getHeight()]).toEqual([512, 512])
  const raster = await image.readRasters({ window: [100, 200, 110, 203], interleave: true })
  const expected = [200, 201, 202].flatMap((row) => Array.from({ length: 10 }, (_, column) => ((row * 512 + 100 + column) * 31) % 251))
  expect([...(raster as unknown as Uint8Array)]).toEqual(expected)
})
