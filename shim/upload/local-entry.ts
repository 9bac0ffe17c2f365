/**
 * What lies in a local folder: its names in byte order, and everything about each that a volume keeps.
 *
 * Synchronous, because lstat and readdir from memory cost a few microseconds and a promise costs more; the reading of contents, where
 * disks really wait, is not (`local-file.ts`).
 */
import { lstatSync, readdirSync, readlinkSync, type BigIntStats } from 'node:fs'
import type { FileKind, Time } from '../../shared/format/entry.ts'
import { noXattrs, readXattrs, type Xattrs } from '../sys/xattr.ts'
import { diskPath, joinLocal, nameOf, pathBytes, type LocalPath } from './local-path.ts'

export interface LocalEntry {
  readonly local: LocalPath
  /** As in the volume. */
  readonly name: string
  readonly kind: FileKind
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: Time
  /** Of a file's body; 0 for others. */
  readonly size: number
  readonly xattrs: Xattrs
  readonly target: string | undefined
  readonly major: number
  readonly minor: number
  /** Number of the file system. */
  readonly device: bigint
  /** Equal for two names of one file; undefined for a file with one name. */
  readonly linkIdentity: string | undefined
}

const kindOfType: ReadonlyMap<bigint, FileKind> = new Map([
  [0o100000n, 'file'],
  [0o040000n, 'directory'],
  [0o120000n, 'symlink'],
  [0o010000n, 'fifo'],
  [0o140000n, 'socket'],
  [0o020000n, 'character-device'],
  [0o060000n, 'block-device'],
])

/** Names in a folder, one character a byte, in byte order. Throws what node:fs throws. */
export function readNames(directory: LocalPath): readonly string[] {
  return readdirSync(diskPath(directory), { encoding: 'latin1' }).toSorted(compareUnits)
}

/** The entry called `rawName` (as `readNames` gave it). Throws what node:fs throws. */
export function readEntry(directory: LocalPath, rawName: string): LocalEntry {
  const local = joinLocal(directory, rawName)
  return entryOf(local, nameOf(rawName), lstatSync(diskPath(local), { bigint: true }))
}

/** The imported folder itself. */
export function readRoot(local: LocalPath): LocalEntry {
  return entryOf(local, '', lstatSync(diskPath(local), { bigint: true }))
}

function entryOf(local: LocalPath, name: string, stat: BigIntStats): LocalEntry {
  const kind = kindOfType.get(stat.mode & 0o170000n) ?? 'file'
  const isDevice = kind === 'character-device' || kind === 'block-device'
  return {
    local,
    name,
    kind,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: timeOf(stat.mtimeNs),
    size: kind === 'file' ? Number(stat.size) : 0,
    // Only files and folders can have attributes of their own that a user may set; asking fifos and links is asking for trouble.
    xattrs: kind === 'file' || kind === 'directory' ? readXattrs(pathBytes(local)) : noXattrs,
    target: kind === 'symlink' ? nameOf(readlinkSync(diskPath(local), { encoding: 'latin1' })) : undefined,
    major: isDevice ? majorOf(stat.rdev) : 0,
    minor: isDevice ? minorOf(stat.rdev) : 0,
    device: stat.dev,
    linkIdentity: stat.nlink > 1n && kind === 'file' ? `${stat.dev}:${stat.ino}` : undefined,
  }
}

/** Whole seconds and what is above them, also before 1970. */
export function timeOf(nanoseconds: bigint): Time {
  const billion = 1_000_000_000n
  const rest = ((nanoseconds % billion) + billion) % billion
  return { seconds: Number((nanoseconds - rest) / billion), nanoseconds: Number(rest) }
}

/** gnu_dev_major of glibc's sys/sysmacros.h. */
function majorOf(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n))
}

function minorOf(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n))
}

function compareUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
