/** Programs of the system that read over HTTP: curl, aria2, ffmpeg, GDAL and rclone. Each must find what is true without reading what it does not need. */
import { createHash } from 'node:crypto'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import * as made from '../../support/client-files.ts'
import { tempDirectory } from '../../support/temp-directory.ts'
import { bytesOf, changedAt, type ClientBed, clientOutput, manyFiles, runClient } from './bed.ts'

export function programSuite(bed: () => ClientBed): void {
  downloadTests(bed)
  videoTests(bed)
  imageTests(bed)
  rcloneTests(bed)
}

const digest = async (file: string): Promise<string> => createHash('sha256').update(await readFile(file)).digest('hex')

function downloadTests(bed: () => ClientBed): void {
  const big = (): string => `${bed().base}/${encodeURIComponent(made.bigName)}`

  test('curl reads ranges, resumes, sees one size, and gets the bytes as they are', async () => {
    const whole = await readFile(path.join(bed().files, made.bigName))
    const curl = (...parameters: string[]): Promise<Buffer> => clientOutput('curl', '-sS', '--fail', ...parameters)
    expect((await curl('-r', '1000000-2500000', big())).equals(whole.subarray(1_000_000, 2_500_001))).toBe(true)
    expect((await curl('-r', '-77', big())).equals(whole.subarray(-77))).toBe(true)
    const resumed = path.join(await tempDirectory(), 'resumed')
    await writeFile(resumed, whole.subarray(0, 12_000_000))
    bed().taken()
    await curl('-C', '-', '-o', resumed, big())
    expect((await readFile(resumed)).equals(whole)).toBe(true)
    expect(bed().taken()).toEqual([expect.objectContaining({ range: 'bytes=12000000-', status: 206, bytes: whole.length - 12_000_000 })])
    // Nothing is left to bring: curl asks for what begins at the end, and takes the 416 for what it is.
    await clientOutput('curl', '-sS', '-C', '-', '-o', resumed, big())
    expect((await readFile(resumed)).equals(whole)).toBe(true)
    expect(bed().taken()).toEqual([expect.objectContaining({ status: 416 })])
    expect((await curl('-I', big())).toString()).toMatch(new RegExp(`content-length: ${whole.length}`, 'i'))
    bed().taken()
    const text = await curl('--compressed', `${bed().base}/rows.csv`)
    expect(text.equals(await readFile(path.join(bed().files, 'rows.csv')))).toBe(true)
    expect(bed().taken()).toEqual([expect.objectContaining({ encoding: undefined, bytes: text.length })])
  })

  test('curl fetches again only what changed', async () => {
    const directory = await tempDirectory()
    const [tag, body] = [path.join(directory, 'tag'), path.join(directory, 'body')]
    const fetchOnce = (): Promise<Buffer> => clientOutput('curl', '-sS', '--fail', '--etag-save', tag, '--etag-compare', tag, '-o', body, `${bed().base}/rows.csv`)
    await fetchOnce()
    bed().taken()
    await fetchOnce()
    await clientOutput('curl', '-sS', '--fail', '-z', body, '-R', '-o', path.join(directory, 'newer'), `${bed().base}/rows.csv`)
    expect(bed().taken().map(({ status, bytes }) => [status, bytes])).toEqual([[304, 0], [304, 0]])
    expect(await digest(body)).toBe(await digest(path.join(bed().files, 'rows.csv')))
  })

  test('aria2c downloads with 16 connections', async () => {
    const directory = await tempDirectory()
    bed().taken()
    const options = ['-x16', '-s16', '-k1M', '--min-split-size=1M', '--file-allocation=none', '--no-conf', '--quiet', '-d', directory, '-o', 'aria']
    expect((await clientOutput('aria2c', ...options, big())).toString()).toBe('')
    expect(await digest(path.join(directory, 'aria'))).toBe(await digest(path.join(bed().files, made.bigName)))
    expect(bed().taken().filter(({ status }) => status === 206).length).toBeGreaterThanOrEqual(15)
  })
}

/** The frame at a second, as ffmpeg decodes it: how bright a place at its left is. */
export async function brightnessAt(address: string, seconds: number): Promise<number> {
  const frame = await clientOutput('ffmpeg', '-hide_banner', '-loglevel', 'error', '-ss', String(seconds), '-i', address, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'gray', '-')
  expect(frame.length).toBe(240 * 240)
  return frame[120 * 240 + 60] ?? -1
}

function videoTests(bed: () => ClientBed): void {
  test('ffmpeg seeks in an mp4 whose index is at its end', async () => {
    const { size } = await stat(path.join(bed().files, 'video.mp4'))
    for (const seconds of [2.55, 41.05]) {
      bed().taken()
      expect(Math.abs((await brightnessAt(`${bed().base}/video.mp4`, seconds)) - made.brightness(seconds))).toBeLessThanOrEqual(1)
      const requests = bed().taken()
      expect(requests.map(({ status }) => status).every((status) => status === 206)).toBe(true)
      expect(requests.length).toBeLessThanOrEqual(5)
      expect(bytesOf(requests)).toBeLessThan(size * 0.6)
    }
  })

  test('ffmpeg seeks in an HLS playlist and reads the segments that it needs', async () => {
    expect(Math.abs((await brightnessAt(`${bed().base}/hls/index.m3u8`, 41.05)) - made.brightness(41))).toBeLessThanOrEqual(1)
    const segments = new Set(bed().taken().map((request) => path.basename(request.path)))
    expect([...segments]).toContain('index10.ts')
    // It looks into the first one to learn what it holds.
    expect(segments.size).toBeLessThanOrEqual(6)
  })
}

function imageTests(bed: () => ClientBed): void {
  test('gdal reads the header and single pixels of a cloud-optimised GeoTIFF', async () => {
    const address = `/vsicurl/${bed().base}/image.tif`
    const { size } = await stat(path.join(bed().files, 'image.tif'))
    bed().taken()
    expect((await clientOutput('gdalinfo', address)).toString()).toMatch(/Size is 2048, 2048[^]*LAYOUT=COG[^]*Overviews: 1024x1024, 512x512, 256x256/)
    const header = bed().taken()
    expect(bytesOf(header)).toBeLessThan(size / 20)
    for (const [x, y] of [[3, 4], [2000, 1999], [1024, 77]] as const) {
      expect((await clientOutput('gdallocationinfo', '-valonly', address, String(x), String(y))).toString().trim()).toBe(String(made.pixel(x, y)))
    }
    // As it comes, it asks for dozens of names that might stand beside the file, and takes 404 for what it is.
    const reads = bed().taken()
    expect(reads.filter(({ path: asked, method }) => asked.endsWith('image.tif') && method === 'GET').length).toBeLessThanOrEqual(9)
    expect(bytesOf(reads)).toBeLessThan(size / 4)
  })

  test.each(Object.entries(gdalSettings))('gdal %s beside a file, and reads a pixel with a handful of requests', async (_, setting) => {
    bed().taken()
    const found = await clientOutput('gdallocationinfo', '-valonly', `/vsicurl/${bed().base}/image.tif`, '1500', '1501', '--config', ...setting)
    expect(found.toString().trim()).toBe(String(made.pixel(1500, 1501)))
    const requests = bed().taken().map(({ method, path: asked, status }) => `${method} ${path.basename(asked)} ${status}`)
    const opened = ['HEAD image.tif 200', 'GET image.tif 206']
    const listing = setting[1] === 'Accept:' ? ['GET files 200'] : []
    expect(requests).toEqual([...opened, ...listing, 'GET image.tif 206'])
  })
}

/** Settings that GDAL's documentation gives for files on the web: not to look for files beside one, or to look in the folder's listing. */
const gdalSettings = { 'looks for nothing': ['GDAL_DISABLE_READDIR_ON_OPEN', 'EMPTY_DIR'], 'lists the folder': ['GDAL_HTTP_HEADERS', 'Accept:'] } as const

function rcloneTests(bed: () => ClientBed): void {
  /** Its own settings, of nobody else. */
  const rclone = (command: string, ...parameters: string[]): Promise<Buffer> =>
    clientOutput('rclone', '--config', '/dev/null', command, '--http-url', `${bed().base}/`, ...parameters)

  test('rclone lists names, sizes and times, copies a tree, and reads from an offset', async () => {
    const listed: unknown = JSON.parse((await rclone('lsjson', '-R', ':http:strange')).toString())
    const files = (listed as { Path: string; Size: number; ModTime: string; IsDir: boolean }[]).filter(({ IsDir }) => !IsDir)
    const expected = Object.entries(made.strangeFiles).map(([name, text]) => [name, Buffer.byteLength(text), changedAt])
    const byName = (left: unknown[], right: unknown[]): number => (String(left[0]) < String(right[0]) ? -1 : 1)
    expect(files.map(({ Path, Size, ModTime }) => [Path, Size, Date.parse(ModTime) / 1000]).toSorted(byName)).toEqual(expected.toSorted(byName))
    const directory = await tempDirectory()
    await rclone('copy', ':http:strange', directory)
    for (const [name, text] of Object.entries(made.strangeFiles)) expect(await readFile(path.join(directory, name), 'utf8'), name).toBe(text)
    expect((await readdir(directory)).length).toBe(new Set(Object.keys(made.strangeFiles).map((name) => name.split('/')[0])).size)
    const whole = await readFile(path.join(bed().files, made.bigName))
    bed().taken()
    expect((await rclone('cat', '--offset', '12000000', '--count', '1000', `:http:${made.bigName}`)).equals(whole.subarray(12_000_000, 12_001_000))).toBe(true)
    expect(bytesOf(bed().taken())).toBeLessThan(whole.length / 4)
  })

  test('rclone sees all names of a directory, however many', async () => {
    // Without HEAD it knows a directory by the slash that it is given.
    const names = (await rclone('lsf', '--http-no-head', ':http:many/')).toString().trimEnd().split('\n')
    expect(names).toEqual(manyFiles.map((file) => path.basename(file)))
  })

  test('rclone says that it cannot find what is not there', async () => {
    const { code, complaint } = await runClient('rclone', '--config', '/dev/null', 'ls', '--http-url', `${bed().base}/`, ':http:nothing')
    expect([code === 0, complaint]).toEqual([false, expect.stringContaining('not found')])
  })
}
