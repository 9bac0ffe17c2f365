/** Run by Deno, with the address of a folder: what readers of npm find there, as JSON. `readers.ts` starts it and knows what is true. */
import { fromUrl } from 'geotiff'
import { asyncBufferFromUrl, parquetReadObjects } from 'hyparquet'
import { PMTiles } from 'pmtiles'
import { HTTPRangeReader, unzip } from 'unzipit'
import * as zarr from 'zarrita'

const base = process.argv[2] ?? ''

const tile = await new PMTiles(`${base}/tiles.pmtiles`).getZxy(5, 17, 4)
const file = await asyncBufferFromUrl({ url: `${base}/rows.parquet` })
const rows = await parquetReadObjects({ file, rowStart: 62_345, rowEnd: 62_347 })
const image = await (await fromUrl(`${base}/image.tif`)).getImage()
const raster = await image.readRasters({ window: [1500, 1200, 1503, 1201], interleave: true })
const grid = await zarr.open.v3(zarr.root(new zarr.FetchStore(`${base}/grid.zarr`)), { kind: 'array' })
const { data } = await zarr.get(grid, [100, zarr.slice(190, 194)])
const { entries } = await unzip(new HTTPRangeReader(`${base}/archive.zip`))
const found = {
  tile: new TextDecoder().decode(tile?.data),
  rows,
  pixels: [...(raster as unknown as Uint8Array)],
  cells: [...(data as Int32Array)],
  entry: await entries['last.txt']?.text(),
}
process.stdout.write(JSON.stringify(found))
