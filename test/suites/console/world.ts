/** What a suite of the console runs in: an edge with secrets on some runtime, a token that opens all of it, and a browser that the runtimes share. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { Operation } from '../../../shared/volume/operation.ts'
import { type EdgeUnderTest, fileOperation } from '../../edge/edge-under-test.ts'
import type { ConsoleBed, ConsolePage } from '../../support/console-bed.ts'
import { consoleFiles } from '../../support/console-files.ts'

export interface ConsoleWorld {
  readonly edge: EdgeUnderTest
  readonly bed: ConsoleBed
  readonly token: string
}

/** Four seconds of noise, a key frame each second. */
export async function videoBytes(): Promise<Uint8Array> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgemount-test-'))
  const file = path.join(directory, 'video.webm')
  const source = ['-f', 'lavfi', '-i', 'nullsrc=s=160x90:r=10:d=4,geq=random(1)*255:128:128']
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...source, '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '1M', '-g', '10', '-cues_to_front', '1', file], { timeout: 60_000 })
  const bytes = new Uint8Array(await readFile(file))
  await rm(directory, { recursive: true })
  return bytes
}

/** What `consoleFiles` has, and a video, a nested table and a folder to work in. */
export async function worldFiles({ volume }: EdgeUnderTest, video: Uint8Array): Promise<Operation[]> {
  const nested = [{ name: 'tags', data: [['a', 'b'], ['c']] }, { name: 'place', data: [{ x: 1 }, { x: 2 }] }]
  return [
    ...(await consoleFiles(volume)),
    await fileOperation(volume, '/media/video.webm', video),
    await fileOperation(volume, '/data/nested.parquet', new Uint8Array(parquetWriteBuffer({ columnData: nested }))),
    await fileOperation(volume, '/work/one.txt', 'one'),
    await fileOperation(volume, '/work/inner/two.txt', 'two'),
  ]
}

/** The console with the token in its address. */
export function openConsole({ edge, bed, token }: ConsoleWorld, fragment: string): Promise<ConsolePage> {
  return bed.open(fragment, { base: `${edge.url}/t/${token}/` })
}

/** Goes to another view of the page that is open. */
export async function go({ page }: ConsolePage, fragment: string): Promise<void> {
  await page.evaluate((hash) => (location.hash = hash), fragment)
}

export async function textOf({ edge, token }: ConsoleWorld, name: string): Promise<string> {
  return await (await edge.fetch(`/v1/demo/files${name}`, { headers: { 'x-api-key': token } })).text()
}
