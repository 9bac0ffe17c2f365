/**
 * Numbers, times and names as people read them. Pure; what the reader's own locale is, is theirs to say.
 */
import type { FileInfo } from '../browser/volume.ts'
import type { FileKind } from '../../shared/format/entry.ts'
import { contentTypeOf } from '../../shared/content-type.ts'
import type { IconName } from './icons.ts'

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `0 B`, `999 B`, `1.5 KiB`, `12 MiB`: two digits, or as many as there are before the point. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  if (unit > 0 && value >= 1023.5 && unit < units.length - 1) {
    value = 1
    unit += 1
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

export function formatCount(count: number, one: string, many: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

/** `2026-11-21 09:30`, in the time zone of who looks; a dash for a time that no calendar has. */
export function formatTime(time: Date): string {
  if (Number.isNaN(time.getTime())) return '–'
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`
}

/** `rwxr-x---`. */
export function formatMode(mode: number): string {
  return Array.from({ length: 9 }, (_, index) => ((mode >> (8 - index)) & 1 ? 'rwx'[index % 3]! : '-')).join('')
}

/** A name that can be shown: controls become their pictures, bytes that are not UTF-8 the replacement character, text direction is not changed. */
export function shownName(name: string): string {
  return (
    name
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- controls are what is looked for
      .replaceAll(/[\u0000-\u001f]/g, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))
      .replaceAll('\u007f', '\u2421')
      .replaceAll(/[\u0080-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
  )
}

export const kindNames: Readonly<Record<FileKind, string>> = {
  file: 'file',
  directory: 'folder',
  symlink: 'symbolic link',
  fifo: 'named pipe',
  socket: 'socket',
  'character-device': 'character device',
  'block-device': 'block device',
}

const iconOfType: readonly (readonly [RegExp, IconName])[] = [
  [/^image\//, 'image'],
  [/^audio\//, 'audio'],
  [/^video\//, 'video'],
  [/^text\/(csv|tab-separated-values)|parquet|arrow/, 'table'],
  [/^text\/|json|yaml|toml|pdf|xml/, 'text'],
]

export function iconOf({ kind, name }: Pick<FileInfo, 'kind' | 'name'>): IconName {
  if (kind === 'directory') return 'folder'
  if (kind === 'symlink') return 'link'
  if (kind !== 'file') return 'special'
  const type = contentTypeOf(name)
  return iconOfType.find(([pattern]) => pattern.test(type))?.[1] ?? 'file'
}
