/** A video of noise at a few megabits with a key frame a second, as long as is asked for, made by ffmpeg: for tests of what a seek in it reads. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { tempDirectory } from './temp-directory.ts'

/** Each part is four seconds and a little more than a megabyte. Inside a test. */
export async function longVideo(partCount: number): Promise<Uint8Array> {
  const directory = await tempDirectory()
  const file = path.join(directory, 'video.webm')
  const source = ['-f', 'lavfi', '-i', 'nullsrc=s=320x180:r=15:d=4,geq=random(1)*255:128:128']
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...source, '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '2M', '-g', '15', file], { timeout: 60_000 })
  const looped = path.join(directory, 'looped.webm')
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', '-stream_loop', String(partCount - 1), '-i', file, '-c', 'copy', '-cues_to_front', '1', looped], { timeout: 60_000 })
  return new Uint8Array(await readFile(looped))
}
