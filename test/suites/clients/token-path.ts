/** Clients that resolve addresses against the one they were given keep a token in its path, though they know nothing of tokens. */
import { expect, test } from 'vitest'
import * as zarr from 'zarrita'
import * as made from '../../support/client-files.ts'
import { type ClientBed, clientOutput, runClient } from './bed.ts'
import { brightnessAt } from './programs.ts'

/** The bed's address holds a token; without it nobody is let in. */
export function tokenPathSuite(bed: () => ClientBed): void {
  const withoutToken = (): string => bed().base.replace(/\/t\/[^/]+/, '')

  test('nobody is let in without it', async () => {
    expect(withoutToken()).not.toBe(bed().base)
    expect((await runClient('curl', '-sS', '--fail', `${withoutToken()}/hls/index.m3u8`)).code).toBe(22)
  })

  test('ffmpeg finds the segments of a playlist', async () => {
    expect(Math.abs((await brightnessAt(`${bed().base}/hls/index.m3u8`, 41.05)) - made.brightness(41))).toBeLessThanOrEqual(1)
  })

  test('zarrita finds the chunks of an array', async () => {
    const grid = await zarr.open.v3(zarr.root(new zarr.FetchStore(`${bed().base}/grid.zarr`)), { kind: 'array' })
    const { data } = await zarr.get(grid, [100, zarr.slice(0, 2)])
    expect([...(data as Int32Array)]).toEqual([made.gridValue(100, 0), made.gridValue(100, 1)])
  })

  test('rclone walks the listing', async () => {
    const listed = await clientOutput('rclone', '--config', '/dev/null', 'lsjson', '-R', '--files-only', '--http-url', `${bed().base}/`, ':http:strange')
    const names = (JSON.parse(listed.toString()) as { Path: string }[]).map(({ Path }) => Path)
    expect(names.toSorted()).toEqual(Object.keys(made.strangeFiles).toSorted())
  })
}
