/** `edgemount put`: one local file, or standard input, into a volume. */
import type { Content, Entry } from '../../shared/format/entry.ts'
import { systemClock } from '../../shared/clock.ts'
import { codeOf, EdgemountError } from '../../shared/error.ts'
import { childPath, rootPath } from '../../shared/path.ts'
import type { ChosenAttributes } from '../../shared/volume/operation.ts'
import type { Written } from '../../shared/volume/content-writer.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { failure } from '../sys/failure.ts'
import { readRoot, type LocalEntry } from '../upload/local-entry.ts'
import { LocalFile, LocalFileError } from '../upload/local-file.ts'
import { localPathOf, type LocalPath, nameOf } from '../upload/local-path.ts'
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { Meter } from './meter.ts'
import { refusePinned } from './open.ts'
import { formatBytes } from './quantity.ts'
import { withVolume } from './session.ts'
import { jsonText } from './terminal.ts'

const bufferBytes = 1024 * 1024

export const putCommand = defineCommand({
  name: 'put',
  summary: 'Write one file into a volume.',
  parameters: [
    { name: 'file', help: 'a local file, or "-" for standard input' },
    { name: 'volume path', help: 'where it goes; into a directory when it ends with "/" or is one' },
  ],
  settings: ['message', 'author'],
  details: 'Missing directories are made. Mode and time of a local file are kept; what was there is replaced, and older commits keep it.',
  examples: [
    ['edgemount put beach.jpg dir:./data/photos/2024/', 'As /2024/beach.jpg.'],
    ['pg_dump shop | edgemount put - http://127.0.0.1:8787/backups/shop.sql', 'Standard input, of any length.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const file = required(call, 0)
    const source = file === '-' ? undefined : openSource(file)
    return await withVolume(required(call, 1), call, async ({ volume, snapshot, place }) => {
      refusePinned(place, 'write to')
      const { path, previous } = await destination(snapshot, place.path, required(call, 1).endsWith('/'), source)
      const writer = volume.writer({ signal: terminal.signal })
      const write = (bytes: AsyncIterable<Uint8Array>): Promise<Written> => writer.write(bytes, { signal: terminal.signal, previous })
      let doneBytes = 0
      const meter = new Meter(systemClock, terminal.remarks, settings.quiet || settings.json, () => `${formatBytes(doneBytes)} ${path}`)
      try {
        const { body, attributes } = await (source === undefined
          ? readInput(terminal.input, (count) => (doneBytes += count), write)
          : readLocal(source, terminal.signal, (count) => (doneBytes += count), write))
        const { content, size, newBytes } = body
        const { seq, conflicts } = await writer.commit([{ op: 'create', path, content, size, replace: true, parents: true, ...attributes }], {
          base: snapshot,
          message: settings.message,
          signal: terminal.signal,
        })
        await meter.stop()
        const keptAs = conflicts[0]?.keptAs ?? path
        if (settings.json) await terminal.output.write(jsonText({ path: keptAs, size, newBytes, seq }, terminal.output))
        else if (!settings.quiet) await terminal.remarks.write(`Wrote ${keptAs}: ${formatBytes(size)}, ${formatBytes(newBytes)} of it new (commit ${seq}).\n`)
        return exitCode.ok
      } finally {
        await meter.stop()
      }
    })
  },
})

function openSource(file: string): LocalEntry {
  try {
    const local = readRoot(localPathOf(file))
    if (local.kind === 'directory') throw new EdgemountError('invalid', `Cannot put "${file}": it is a folder. Use: edgemount import ${file} <volume path>`)
    return local
  } catch (error) {
    throw failure(`read "${file}"`, error)
  }
}

interface Destination {
  readonly path: string
  /** What a file there holds: its chunks need no storing again. */
  readonly previous?: Content
}

async function destination(snapshot: Snapshot, path: string, isDirectory: boolean, source: LocalEntry | undefined): Promise<Destination> {
  const existing = await find(snapshot, path)
  if (existing !== undefined && existing.entry.kind !== 'directory') return there(existing)
  if (existing === undefined && !isDirectory && path !== rootPath) return { path }
  const name = source === undefined ? '' : nameOf(source.local.split('/').at(-1) ?? '')
  if (name === '') throw new EdgemountError('invalid', `Cannot write standard input to "${path}": it is a directory; say what the file is to be called`)
  const inside = childPath(existing?.path ?? path, name)
  const file = await find(snapshot, inside)
  return file === undefined ? { path: inside } : there(file)
}

function there({ path, entry }: { readonly path: string; readonly entry: Entry }): Destination {
  return entry.kind === 'file' ? { path, previous: entry.content } : { path }
}

async function find(snapshot: Snapshot, path: string): Promise<{ readonly path: string; readonly entry: Entry } | undefined> {
  return await snapshot.follow(path).catch((error: unknown) => {
    if (codeOf(error) === 'not-found') return undefined
    throw error
  })
}

type Write<T> = (bytes: AsyncIterable<Uint8Array>) => Promise<T>

async function readInput<T>(input: AsyncIterable<Uint8Array>, count: (bytes: number) => void, write: Write<T>): Promise<{ body: T; attributes: ChosenAttributes }> {
  return { body: await write(counted(input, count)), attributes: {} }
}

async function readLocal<T>(source: LocalEntry, signal: AbortSignal, count: (bytes: number) => void, write: Write<T>): Promise<{ body: T; attributes: ChosenAttributes }> {
  const file = openLocal(source.local)
  try {
    const body = await write(counted(file.read(new Uint8Array(bufferBytes), signal), count))
    if (file.steadiness() === 'changed') throw new EdgemountError('stale', `Cannot put "${source.local}": it was written to while it was read. Try again`)
    return { body, attributes: { mode: source.mode, uid: source.uid, gid: source.gid, mtime: file.mtime, xattrs: source.xattrs } }
  } finally {
    file.close()
  }
}

function openLocal(path: LocalPath): LocalFile {
  try {
    return LocalFile.open(path)
  } catch (error) {
    if (error instanceof LocalFileError) throw new EdgemountError(error.code, `Cannot read "${path}": ${error.message}`, { cause: error })
    throw error
  }
}

async function* counted(source: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    count(bytes.length)
    yield bytes
  }
}
