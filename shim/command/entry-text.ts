/**
 * Entries as lines for people and as plain JSON for scripts.
 */
import type { Entry, FileKind } from '../../shared/format/entry.ts'
import { toBase64 } from '../../shared/bytes.ts'
import { entryMessage, formatTime } from '../../shared/wire/messages.ts'

const letterOfKind: Readonly<Record<FileKind, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  'character-device': 'c',
  'block-device': 'b',
}

/** `drwxr-xr-x`, as `ls -l` has it. */
export function modeText({ kind, mode }: Pick<Entry, 'kind' | 'mode'>): string {
  const bits = (shift: number, special: number, letter: string): string => {
    const three = mode >> shift
    const last = (mode & special) === 0 ? ((three & 1) === 0 ? '-' : 'x') : (three & 1) === 0 ? letter.toUpperCase() : letter
    return `${(three & 4) === 0 ? '-' : 'r'}${(three & 2) === 0 ? '-' : 'w'}${last}`
  }
  return letterOfKind[kind] + bits(6, 0o4000, 's') + bits(3, 0o2000, 's') + bits(0, 0o1000, 't')
}

/** One line of `ls -l`; `name` has its path where that is wanted. */
export function longLine(name: string, entry: Entry): string {
  const { content } = entry
  const size = content.kind === 'device' ? `${content.major}, ${content.minor}` : String(entry.size)
  const time = formatTime(entry.mtime)?.slice(0, 19).replace('T', ' ').concat('Z') ?? '?'
  const owner = `${String(entry.uid).padStart(5)} ${String(entry.gid).padStart(5)}`
  return `${modeText(entry)} ${String(entry.linkCount).padStart(3)} ${owner} ${size.padStart(12)} ${time} ${name}${content.kind === 'target' ? ` -> ${content.target}` : ''}`
}

/** For `--json`: what the edge answers to `stat`, without its binary form, with the extended attributes. */
export function entryJson(path: string, entry: Entry, version?: Parameters<typeof entryMessage>[1]): Readonly<Record<string, unknown>> {
  const { entry: _, ...fields } = entryMessage(entry, version)
  const xattrs = Object.fromEntries([...entry.xattrs].map(([name, value]) => [name, toBase64(value)]))
  return { path, ...fields, ...(entry.xattrs.size === 0 ? {} : { xattrs }) }
}
