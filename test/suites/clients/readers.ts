/**
 * Readers of npm that ask for the parts of a file that they need: PMTiles, GeoTIFF, Parquet, Zarr, zip, PDF and HDF5. Each must find what is true, and what it
 * asked for must be far less than the file, where it can read by ranges at all.
 */
import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromUrl } from 'geotiff'
import * as h5wasm from 'h5wasm/node'
import { asyncBufferFromUrl, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs'
import { PMTiles } from 'pmtiles'
import { HTTPRangeReader, unzip } from 'unzipit'
import { expect, test } from 'vitest'
import * as zarr from 'zarrita'
import * as made from '../../support/client-files.ts'
import { tempDirectory } from '../../support/temp-directory.ts'
import { bytesOf, type ClientBed, clientOutput } from './bed.ts'

const deno = path.resolve(import.meta.dirname, '../../../node_modules/.bin/deno')

export function readerSuite(bed: () => ClientBed): void {
  /** What was asked of one file: never all of it, and nothing that was refused. */
  const expectPartsOf = async (name: string, { ofFile, requestsMax }: { ofFile: number; requestsMax: number }): Promise<void> => {
    const requests = bed().taken()
    const { size } = await stat(path.join(bed().files, name))
    expect([...new Set(requests.map(({ status }) => status))].filter((status) => status !== 206 && status !== 200)).toEqual([])
    expect(requests.length).toBeLessThanOrEqual(requestsMax)
    expect(bytesOf(requests)).toBeLessThan(size * ofFile)
    expect(bytesOf(requests)).toBeGreaterThan(0)
  }

  test('pmtiles finds tiles of every zoom', async () => {
    const archive = new PMTiles(`${bed().base}/tiles.pmtiles`)
    expect((await archive.getHeader()).maxZoom).toBe(5)
    for (const [zoom, x, y] of [[0, 0, 0], [3, 5, 2], [5, 31, 31], [5, 17, 4]] as const) {
      const tile = await archive.getZxy(zoom, x, y)
      expect(new Uint8Array(tile?.data ?? new ArrayBuffer()), `tile ${zoom}/${x}/${y}`).toEqual(made.tileBytes(zoom, x, y))
    }
    await expectPartsOf('tiles.pmtiles', { ofFile: 0.05, requestsMax: 5 })
  })

  test('hyparquet reads the schema and a slice of rows', async () => {
    const file = await asyncBufferFromUrl({ url: `${bed().base}/rows.parquet` })
    const metadata = await parquetMetadataAsync(file, { initialFetchSize: 1 << 16 })
    expect(Number(metadata.num_rows)).toBe(made.parquetRows.length)
    const rows = await parquetReadObjects({ file, metadata, rowStart: 62_345, rowEnd: 62_355 })
    expect(rows).toEqual(made.parquetRows.slice(62_345, 62_355))
    await expectPartsOf('rows.parquet', { ofFile: 0.4, requestsMax: 6 })
  })

  test('geotiff reads a window of pixels and the smallest overview', async () => {
    const tiff = await fromUrl(`${bed().base}/image.tif`)
    const image = await tiff.getImage()
    expect([image.getWidth(), image.getHeight(), await tiff.getImageCount()]).toEqual([made.imageSide, made.imageSide, 4])
    const raster = await image.readRasters({ window: [1500, 1200, 1510, 1203], interleave: true })
    const expected = [1200, 1201, 1202].flatMap((y) => Array.from({ length: 10 }, (_, column) => made.pixel(1500 + column, y)))
    expect([...(raster as unknown as Uint8Array)]).toEqual(expected)
    expect((await tiff.getImage(3)).getWidth()).toBe(256)
    await expectPartsOf('image.tif', { ofFile: 0.1, requestsMax: 8 })
  })

  test('zarrita reads a window, and what was never written is the fill value', async () => {
    const grid = await zarr.open.v3(zarr.root(new zarr.FetchStore(`${bed().base}/grid.zarr`)), { kind: 'array' })
    expect(grid.shape).toEqual([made.gridSide, made.gridSide])
    const { data, shape } = await zarr.get(grid, [zarr.slice(100, 102), zarr.slice(188, 196)])
    expect(shape).toEqual([2, 8])
    const cell = (row: number, column: number): number => (column < 192 ? made.gridValue(row, column) : -1)
    expect([...(data as Int32Array)]).toEqual([100, 101].flatMap((row) => Array.from({ length: 8 }, (_, index) => cell(row, 188 + index))))
    const chunks = bed().taken().filter((request) => request.path.includes('/c/'))
    expect(chunks.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([200, 404])
  })

  test('unzipit lists an archive and reads one entry', async () => {
    const { entries } = await unzip(new HTTPRangeReader(`${bed().base}/archive.zip`))
    expect(Object.keys(entries)).toEqual(made.archiveNames)
    expect(await entries['folder/ä €.txt']?.text()).toBe('folder/ä €.txt'.repeat(100))
    await expectPartsOf('archive.zip', { ofFile: 0.05, requestsMax: 6 })
  })

  test('pdf.js reads the text of one page', async () => {
    const task = getDocument({ url: `${bed().base}/pages.pdf`, rangeChunkSize: 16_384, disableAutoFetch: true, disableStream: true, verbosity: 0 })
    try {
      const document = await task.promise
      expect(document.numPages).toBe(made.pdfPages)
      const { items } = await (await document.getPage(9)).getTextContent()
      expect(items.map((item) => ('str' in item ? item.str : '')).join('')).toBe('This is page 9')
    } finally {
      await task.destroy()
    }
    // The first answer is broken off as soon as its headers say that there are ranges.
    await expectPartsOf('pages.pdf', { ofFile: 0.5, requestsMax: 30 })
  })

  test('inside Deno they find the same', async () => {
    const found: unknown = JSON.parse((await clientOutput(deno, 'run', '-A', path.join(import.meta.dirname, 'inside-deno.ts'), bed().base)).toString())
    expect(found).toEqual({
      tile: new TextDecoder().decode(made.tileBytes(5, 17, 4)),
      rows: made.parquetRows.slice(62_345, 62_347),
      pixels: [1500, 1501, 1502].map((x) => made.pixel(x, 1200)),
      cells: [190, 191].map((column) => made.gridValue(100, column)).concat(-1, -1),
      entry: 'last.txt'.repeat(100),
    })
    const requests = bed().taken()
    expect(bytesOf(requests.filter((request) => request.path.endsWith('image.tif')))).toBeLessThan(500_000)
    expect(bytesOf(requests.filter((request) => request.path.endsWith('archive.zip')))).toBeLessThan(200_000)
  })

  test('h5wasm reads a file that was brought by ranges', async () => {
    // In Node it has no HTTP of its own; in a browser's worker it has, see the suite of browsers.
    const whole = await readFile(path.join(bed().files, 'samples.h5'))
    const step = 1 << 20
    const parts: Uint8Array[] = []
    for (let start = 0; start < whole.length; start += step) {
      const response = await fetch(`${bed().base}/samples.h5`, { headers: { range: `bytes=${start}-${Math.min(start + step, whole.length) - 1}` } })
      expect(response.status).toBe(206)
      parts.push(await response.bytes())
    }
    await h5wasm.ready
    const copy = path.join(await tempDirectory(), 'samples.h5')
    await writeFile(copy, Buffer.concat(parts))
    const file = new h5wasm.File(copy, 'r')
    const samples = file.get('readings/samples')
    const values = samples instanceof h5wasm.Dataset ? samples.slice([[765_432, 765_436]]) : undefined
    expect([...(values as Int32Array)]).toEqual([0, 1, 2, 3].map((index) => made.sampleValue(765_432 + index)))
    file.close()
    bed().taken()
  })
}
