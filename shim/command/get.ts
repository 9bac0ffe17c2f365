/** `edgemount get`: a file or directory of a volume onto the local disk, or a file to standard output. */
import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { systemClock, systemMonotonicMs } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { baseName, rootPath } from '../../shared/path.ts'
import { rangeLength } from '../../shared/range.ts'
import { setTimes } from '../sys/file-making.ts'
import { diskPath, type LocalPath, localPathOf, pathBytes } from '../upload/local-path.ts'
import { type Call, defineCommand, required } from './command.ts'
import { CopyOut } from './copy-out.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { bar, Meter } from './meter.ts'
import type { OpenVolume } from './open.ts'
import { counted, formatBytes, formatCount } from './quantity.ts'
import { parseRange } from './range-text.ts'
import { saveFile } from './save-file.ts'
import { withVolume } from './session.ts'
import { jsonText, plainText } from './terminal.ts'
import { userId } from './user.ts'

const getSettings = ['range', 'recursive', 'jobs'] as const
type GetCall = Call<(typeof getSettings)[number]>

const problemLinesMax = 100

export const getCommand = defineCommand({
  name: 'get',
  summary: 'Copy a file, or with -R a directory, out of a volume.',
  parameters: [
    { name: 'volume path', help: 'a file, or with -R a directory; symbolic links are followed' },
    { name: 'file', help: 'where to; a folder, or "-" for standard output. Unless given: its own name, here. With -R the folder that the directory becomes, or with a slash at its end the one it goes into', isOptional: true },
  ],
  settings: getSettings,
  details:
    'Every byte is verified. A file appears under its name when it is whole, with the mode and time it has in the volume. With -R links, holes and special files are kept too, for root owners and all extended attributes; done again, it goes on where it was: files that are there with their size and time are not read. What cannot be copied is reported, all others are copied, and the exit code is 3, or 8 where stored bytes are damaged.',
  examples: [
    ['edgemount get dir:./data/photos/2024/beach.jpg', 'To ./beach.jpg.'],
    ['edgemount get --range -1000 http://127.0.0.1:8787/logs/today.log -', 'Its last 1000 bytes, to standard output.'],
    ['edgemount get -R dir:./data/photos@12 ./photos-of-then', 'All of commit 12.'],
  ],
  run: async (call) =>
    await withVolume(required(call, 0), call, async (opened) => {
      const found = await opened.snapshot.follow(opened.place.path, { signal: call.terminal.signal })
      if (found.entry.kind !== 'directory') return await getOne(call, opened, found)
      if (call.settings.recursive) return await getTree(call, opened, found.path)
      throw new EdgemountError('invalid', `Cannot get "${opened.place.path}": it is a directory. With -R it is copied with everything in it`)
    }),
})

async function getOne(call: GetCall, { snapshot }: OpenVolume, found: { readonly path: string; readonly entry: Entry }): Promise<ExitCode> {
  const { settings, terminal } = call
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
    const { mtime, atime = mtime, mode } = found.entry
    const finish = (staged: LocalPath): void => void setTimes(pathBytes(staged), atime, mtime)
    await saveFile(localPathOf(file), { size: length, mode, bytes }, finish, (count) => (doneBytes += count))
    await meter.stop()
    if (settings.json) await terminal.output.write(jsonText({ path: found.path, file, size: doneBytes, seq: snapshot.seq }, terminal.output))
    else if (!settings.quiet) await terminal.remarks.write(`Copied ${found.path} to ${file}: ${formatBytes(doneBytes)}.\n`)
    return exitCode.ok
  } finally {
    await meter.stop()
  }
}

async function getTree(call: GetCall, { snapshot, place }: OpenVolume, from: string): Promise<ExitCode> {
  const { settings, terminal } = call
  const asked = call.parameters[1]
  if (settings.range !== undefined) throw new EdgemountError('invalid', `Cannot get a range of "${from}": it is a directory`)
  if (asked === '-') throw new EdgemountError('invalid', `Cannot get "${from}" to standard output: it is a directory`)
  const name = baseName(from === rootPath ? `/${place.volume}` : from)
  const folder = asked === undefined ? name : asked.endsWith('/') ? path.join(asked, name) : asked
  const to = localPathOf(await realpath(folder).catch(() => folder))
  const copy = new CopyOut({ snapshot, from, to, jobCount: settings.jobs, keepsOwners: userId() === 0, now: systemMonotonicMs, signal: terminal.signal })
  const meter = new Meter(systemClock, terminal.remarks, settings.quiet || settings.json, () => plainText(`${counted(copy.entryCount, 'entry')}, ${formatBytes(copy.bytes)}  ${copy.current}`, terminal.remarks))
  try {
    await copy.run()
  } finally {
    await meter.stop()
  }
  const { entryCount, fileCount, unchangedCount, incompleteCount, bytes, problems } = copy
  if (settings.json) {
    await terminal.output.write(jsonText({ path: from, folder, seq: snapshot.seq, entries: entryCount, files: fileCount, unchanged: unchangedCount, incomplete: incompleteCount, bytes, problems }, terminal.output))
  } else {
    for (const problem of problems.slice(0, problemLinesMax)) await terminal.remarks.write(`${plainText(`Cannot copy "${problem.path}": ${problem.reason}`, terminal.remarks)}\n`)
    const unchanged = unchangedCount === 0 ? '' : `, ${formatCount(unchangedCount)} of them there already`
    const incomplete = incompleteCount === 0 ? '' : `; of ${formatCount(incompleteCount)} not every attribute could be kept`
    const missing = problems.length === 0 ? '' : `; ${formatCount(problems.length)} could not be copied`
    if (!settings.quiet) await terminal.remarks.write(`Copied ${from} to ${folder}: ${counted(entryCount, 'entry')}${unchanged}, ${formatBytes(bytes)} read${incomplete}${missing}.\n`)
  }
  if (problems.length === 0) return exitCode.ok
  return problems.some(({ code }) => code === 'corrupt') ? exitCode.corrupt : exitCode.partly
}

async function localFileName(to: string | undefined, name: string): Promise<string> {
  if (to === undefined) return name
  const isDirectory = to.endsWith('/') || (await stat(diskPath(localPathOf(to))).then((found) => found.isDirectory(), () => false))
  return isDirectory ? path.join(to, name) : to
}
