/**
 * Files that clients nobody here wrote can read, made by the formats' public writers: npm's for PMTiles, Parquet, Zarr, HDF5 and DuckDB, ffmpeg for video, GDAL for
 * a cloud-optimised GeoTIFF, Python for a zip. The PDF is written by hand. What is in them is a function of the place, so that readers can be checked.
 */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { createDuckDB, NODE_RUNTIME, VoidLogger } from '@duckdb/duckdb-wasm/blocking'
import { parquetWriteBuffer } from 'hyparquet-writer'
import * as h5wasm from 'h5wasm/node'
import * as s2PmTiles from 's2-pmtiles'
import * as zarr from 'zarrita'

const run = promisify(execFile)

export const bigName = 'big file é.bin'
export const bigBytes = 16 * 2 ** 20 + 12_345
export const imageSide = 2048
export const pixel = (x: number, y: number): number => (x * 31 + y * 17 + ((x * y) >> 6)) % 251
export const parquetRows = Array.from({ length: 100_000 }, (_, index) => ({ id: index, name: `row ${index}`, value: index / 7 }))
export const tileBytes = (zoom: number, x: number, y: number): Uint8Array => new TextEncoder().encode(`tile ${zoom}/${x}/${y} `.repeat(200))
export const videoSeconds = 60
/** How bright the left of the video is at a time; its right is noise, which is what makes the file large. */
export const brightness = (seconds: number): number => 20 + 3 * Math.floor(seconds)
export const gridSide = 256
export const gridValue = (row: number, column: number): number => row * 1000 + column
export const archiveNames = ['first.txt', 'folder/ä €.txt', 'large.bin', 'last.txt']
export const pdfPages = 12
export const duckdbRows = 300_000
export const sampleCount = 1_000_000
export const sampleValue = (index: number): number => (index * 7919) % 1_000_003

/** Directories and files with names that a listing must quote well. */
export const strangeFiles: Readonly<Record<string, string>> = {
  'plain.txt': 'plain',
  'with space.txt': 'a space',
  'hash#and?question.txt': 'hash and question',
  '100% & <b> "quoted" \'.txt': 'markup',
  'ünïcödé 日本.txt': 'not ASCII',
  'a+b=c;d,e.txt': 'signs',
  '%41.txt': 'looks encoded',
  'empty': '',
  ' leading and trailing ': 'spaces at both ends',
  'back\\slash.txt': 'a backslash',
  'tab\tand\nline': 'controls',
  '-dash': 'a dash',
  '...': 'dots',
  '@1': 'what looks like a snapshot',
  'sub folder/deep é/file.txt': 'deep',
  'sub folder/c:d.txt': 'a colon',
}

/** Writes them all into an empty directory. */
export async function writeClientFiles(directory: string): Promise<void> {
  const at = (name: string): string => path.join(directory, name)
  await writeFile(at(bigName), randomBytes(bigBytes))
  await writeFile(at('rows.parquet'), new Uint8Array(parquetBytes()))
  await writeFile(at('rows.csv'), ['id,value', ...parquetRows.map(({ id }) => `${id},${id * 2}`), ''].join('\n'))
  await writeFile(at('tiles.pmtiles'), await pmtilesBytes())
  await writeFile(at('pages.pdf'), pdfBytes())
  await Promise.all([writeImage(directory), writeVideo(directory), writeArchive(at('archive.zip')), writeZarr(at('grid.zarr')), writeHdf5(at('samples.h5'))])
  await writeDuckDb(at('rows.duckdb'))
  for (const [name, text] of Object.entries(strangeFiles)) {
    await mkdir(path.dirname(at(`strange/${name}`)), { recursive: true })
    await writeFile(at(`strange/${name}`), text)
  }
}

export function parquetBytes(): ArrayBuffer {
  return parquetWriteBuffer({
    columnData: [
      { name: 'id', data: parquetRows.map((row) => row.id), type: 'INT32' },
      { name: 'name', data: parquetRows.map((row) => row.name), type: 'STRING' },
      { name: 'value', data: parquetRows.map((row) => row.value), type: 'DOUBLE' },
    ],
    rowGroupSize: 5000,
  })
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

/** GDAL reads the raw bytes by the header beside them. */
async function writeImage(directory: string): Promise<void> {
  const raw = path.join(directory, '../image.raw')
  await writeFile(raw, Uint8Array.from({ length: imageSide ** 2 }, (_, index) => pixel(index % imageSide, Math.floor(index / imageSide))))
  const header = ['ENVI', `samples = ${imageSide}`, `lines = ${imageSide}`, 'bands = 1', 'data type = 1', 'interleave = bsq', 'byte order = 0', '']
  await writeFile(path.join(directory, '../image.hdr'), header.join('\n'))
  await run('gdal_translate', ['-q', '-of', 'COG', '-co', 'COMPRESS=NONE', '-co', 'BLOCKSIZE=256', raw, path.join(directory, 'image.tif')])
}

/** The same pictures as one file, with its index at the end, and as a playlist of segments. */
async function writeVideo(directory: string): Promise<void> {
  const quiet = ['-hide_banner', '-loglevel', 'error']
  const source = (width: number, light: string): string[] => ['-f', 'lavfi', '-i', `nullsrc=s=${width}x240:r=10:d=${videoSeconds},format=gray,geq=lum='${light}'`]
  const sources = [...source(160, '20+3*floor(T)'), ...source(80, 'random(1)*255')]
  const coding = ['-filter_complex', '[0][1]hstack,format=yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '23', '-g', '10']
  await run('ffmpeg', [...quiet, ...sources, ...coding, path.join(directory, 'video.mp4')])
  await mkdir(path.join(directory, 'hls'))
  const playlist = path.join(directory, 'hls/index.m3u8')
  await run('ffmpeg', [...quiet, '-i', path.join(directory, 'video.mp4'), '-c', 'copy', '-f', 'hls', '-hls_time', '4', '-hls_list_size', '0', playlist])
}

async function writeArchive(file: string): Promise<void> {
  const script = `
import random, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as archive:
  for name in sys.argv[2:]:
    archive.writestr(name, random.Random(1).randbytes(2 << 20) if name == 'large.bin' else name * 100)
`
  await run('python3', ['-c', script, file, ...archiveNames])
}

/** Chunks of 64 × 64 cells; those that hold only the fill value, right of column 191, are not written. */
async function writeZarr(directory: string): Promise<void> {
  const files = new Map<string, Uint8Array>()
  const grid = await zarr.create(zarr.root(files).resolve('/'), { shape: [gridSide, gridSide], chunkShape: [64, 64], dtype: 'int32', fillValue: -1 })
  const written = 192
  const data = Int32Array.from({ length: gridSide * written }, (_, index) => gridValue(Math.floor(index / written), index % written))
  await zarr.set(grid, [null, zarr.slice(0, written)], { data, shape: [gridSide, written], stride: [written, 1] })
  for (const [key, bytes] of files) {
    await mkdir(path.dirname(path.join(directory, key)), { recursive: true })
    await writeFile(path.join(directory, key), bytes)
  }
}

async function writeHdf5(file: string): Promise<void> {
  await h5wasm.ready
  const written = new h5wasm.File(file, 'w')
  const data = Int32Array.from({ length: sampleCount }, (_, index) => sampleValue(index))
  const group = written.create_group('readings')
  group.create_dataset({ name: 'samples', data, shape: [sampleCount], chunks: [50_000] })
  written.close()
}

/** Node's build of DuckDB reads and writes files of this machine, and nothing over HTTP. It leaves its log beside the file; who reads the one reads the other. */
export async function writeDuckDb(file: string): Promise<void> {
  const require = createRequire(import.meta.url)
  const duckdb = require('@duckdb/duckdb-wasm/blocking') as { createDuckDB: typeof createDuckDB; VoidLogger: typeof VoidLogger; NODE_RUNTIME: typeof NODE_RUNTIME }
  const bundle = { mainModule: require.resolve('@duckdb/duckdb-wasm/dist/duckdb-eh.wasm'), mainWorker: '' }
  const database = await duckdb.createDuckDB({ mvp: bundle, eh: bundle }, new duckdb.VoidLogger(), duckdb.NODE_RUNTIME)
  await database.instantiate(() => undefined)
  database.open({ path: file, accessMode: 3 })
  const connection = database.connect()
  connection.query(`create table numbers as select i::integer as id, 'row ' || i as name, hash(i) as noise from range(${duckdbRows}) t(i)`)
  connection.query('checkpoint')
  connection.close()
  database.reset()
}

/** Pages with a line of text and a picture that is shown by none of them until it is drawn, so that a reader of text needs little of the file. */
export function pdfBytes(): Uint8Array {
  const objects: Buffer[] = []
  const add = (body: string, stream?: Uint8Array): number => {
    const start = stream === undefined ? body : `${body.replace('>>', ` /Length ${stream.length} >>`)}\nstream\n`
    objects.push(stream === undefined ? Buffer.from(body) : Buffer.concat([Buffer.from(start), stream, Buffer.from('\nendstream')]))
    return objects.length
  }
  add('<< /Type /Catalog /Pages 2 0 R >>')
  const kids = Array.from({ length: pdfPages }, (_, page) => `${4 + page * 3} 0 R`)
  add(`<< /Type /Pages /Count ${pdfPages} /Kids [${kids.join(' ')}] >>`)
  add('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>')
  for (let page = 0; page < pdfPages; page += 1) {
    const own = objects.length + 1
    const resources = `<< /Font << /F1 3 0 R >> /XObject << /Im ${own + 2} 0 R >> >>`
    add(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Resources ${resources} /Contents ${own + 1} 0 R >>`)
    add('<< >>', Buffer.from(`BT /F1 20 Tf 20 250 Td (This is page ${page + 1}) Tj ET q 100 0 0 100 20 20 cm /Im Do Q`))
    add('<< /Type /XObject /Subtype /Image /Width 512 /Height 512 /ColorSpace /DeviceGray /BitsPerComponent 8 >>', randomBytes(512 * 512))
  }
  return Buffer.concat(withOffsets(objects))
}

function withOffsets(objects: readonly Buffer[]): Buffer[] {
  const parts = [Buffer.from('%PDF-1.7\n%\u00e2\u00e3\n')]
  const offsets: string[] = []
  let at = parts[0]!.length
  objects.forEach((object, index) => {
    const part = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')])
    offsets.push(`${String(at).padStart(10, '0')} 00000 n \n`)
    parts.push(part)
    at += part.length
  })
  const count = objects.length + 1
  const table = `xref\n0 ${count}\n0000000000 65535 f \n${offsets.join('')}trailer\n<< /Size ${count} /Root 1 0 R >>\nstartxref\n${at}\n%%EOF\n`
  return [...parts, Buffer.from(table)]
}
