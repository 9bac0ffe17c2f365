/** `edgemount get`: one file of a volume onto the local disk, or to standard output. */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { toHex } from '../../shared/bytes.ts'
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { baseName } from '../../shared/path.ts'
import { systemRandom } from '../../shared/random.ts'
import { rangeLength } from '../../shared/range.ts'
import { failure } from '../sys/failure.ts'
import { diskPath, localPathOf } from '../upload/local-path.ts'
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { bar, Meter } from './meter.ts'
import { formatBytes } from './quantity.ts'
import { parseRange } from './range-text.ts'
import { withVolume } from './session.ts'
import { jsonText } from './terminal.ts'

export const getCommand = defineCommand({
  name: 'get',
  summary: 'Copy one file out of a volume.',
  parameters: [
    { name: 'volume path', help: 'a file; symbolic links are followed' },
    { name: 'file', help: 'where to; a folder, or "-" for standard output. Unless given: its own name, here', isOptional: true },
  ],
  settings: ['range'],
  details: 'Every byte is verified. The file appears under its name when it is whole, with the mode and time it has in the volume.',
  examples: [
    ['edgemount get dir:./data/photos/2024/beach.jpg', 'To ./beach.jpg.'],
    ['edgemount get --range -1000 http://127.0.0.1:8787/logs/today.log -', 'Its last 1000 bytes, to standard output.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    return await withVolume(required(call, 0), call, async ({ snapshot, place }) => {
      const found = await snapshot.follow(place.path, { signal: terminal.signal })
      if (found.entry.kind === 'directory') throw new EdgemountError('invalid', `Cannot get "${place.path}": it is a directory. Mount the volume to copy from it`)
      const range = parseRange(settings.range, found.entry.size)
      const bytes = snapshot.read(found.entry, range, { label: found.path, signal: terminal.signal })
      const to = call.parameters[1]
      if (to === '-') {
        for await (const piece of bytes) await terminal.output.write(piece)
        return exitCode.ok
      }
      let doneBytes = 0
      const length = rangeLength(range)
      const meter = new Meter(systemClock, terminal.remarks, settings.quiet || settings.json, () => `${bar(doneBytes / length, 20)} ${formatBytes(doneBytes)} of ${formatBytes(length)}`)
      try {
        const file = await localFileName(to, baseName(found.path))
        await saveFile(file, found.entry, bytes, (count) => (doneBytes += count))
        await meter.stop()
        if (settings.json) await terminal.output.write(jsonText({ path: found.path, file, size: doneBytes, seq: snapshot.seq }, terminal.output))
        else if (!settings.quiet) await terminal.remarks.write(`Copied ${found.path} to ${file}: ${formatBytes(doneBytes)}.\n`)
        return exitCode.ok
      } finally {
        await meter.stop()
      }
    })
  },
})

async function localFileName(to: string | undefined, name: string): Promise<string> {
  if (to === undefined) return name
  const isDirectory = to.endsWith('/') || (await stat(diskPath(localPathOf(to))).then((found) => found.isDirectory(), () => false))
  return isDirectory ? path.join(to, name) : to
}

/** Written beside its place and then named, so that a half file is never mistaken for a whole one. */
async function saveFile(file: string, entry: Entry, bytes: AsyncIterable<Uint8Array>, count: (bytes: number) => void): Promise<void> {
  const temporary = diskPath(localPathOf(path.join(path.dirname(file), `.edgemount-${toHex(systemRandom.bytes(6))}`)))
  const failed = (error: unknown): never => {
    throw failure(`write "${file}"`, error)
  }
  const handle = await open(temporary, 'wx', entry.mode & 0o777).catch(failed)
  try {
    await fill(handle, entry, bytes, count, failed)
    await rename(temporary, diskPath(localPathOf(file))).catch(failed)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function fill(handle: FileHandle, entry: Entry, bytes: AsyncIterable<Uint8Array>, count: (bytes: number) => void, failed: (error: unknown) => never): Promise<void> {
  try {
    for await (const piece of bytes) {
      await handle.writeFile(piece).catch(failed)
      count(piece.length)
    }
    const seconds = entry.mtime.seconds + entry.mtime.nanoseconds / 1e9
    await handle.utimes(seconds, seconds).catch(failed)
  } finally {
    await handle.close()
  }
}
