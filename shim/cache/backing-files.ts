/**
 * The backing files on disk and their rows: where a file lies, how one is made, checked, opened and removed.
 *
 * A backing file is named by its serial, which is never used twice, so an index that has missed something names a file that is gone or
 * removes one that it does not know; it never takes one file for another. Shared by the parts of `shim/cache/`.
 */
import { errno } from '../../shared/errno.ts'
import type { ByteRange } from '../../shared/range.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'
import type { FileTable } from './file-table.ts'
import type { IndexLog } from './index-log.ts'
import { IntervalSet } from './interval-set.ts'

export const folderCount = 256
/** File systems allocate in blocks of this size nearly everywhere. */
const diskBlockBytes = 4096
const openFlags = openFlag.O_RDWR

export class BackingFiles {
  readonly sys: Sys
  readonly table: FileTable
  readonly log: IndexLog
  /** Serials of files made while the folders are being compared with the index. */
  createdSerials: Set<number> | undefined = new Set()
  readonly #root: string
  #nextSerial: number

  constructor(sys: Sys, directory: string, table: FileTable, log: IndexLog, nextSerial: number) {
    this.sys = sys
    this.table = table
    this.log = log
    this.#root = filesDirectory(directory)
    this.#nextSerial = nextSerial
  }

  get nextSerial(): number {
    return this.#nextSerial
  }

  folder(index: number): string {
    return `${this.#root}/${index.toString(16).padStart(2, '0')}`
  }

  path(serial: number): string {
    return `${this.folder(serial % folderCount)}/${serial.toString(36)}`
  }

  takeSerial(): number {
    this.#nextSerial += 1
    return this.#nextSerial - 1
  }

  /** Makes the row's backing file, all hole, of exactly its size. Gives its descriptor or a negative errno; then there is no file. */
  create(row: number): number {
    const { table, sys } = this
    const serial = table.serials[row]!
    const path = this.path(serial)
    let fd = sys.open(path, openFlags | openFlag.O_CREAT | openFlag.O_EXCL, 0o600)
    if (fd === -errno.EEXIST && sys.unlink(path) === 0) fd = sys.open(path, openFlags | openFlag.O_CREAT | openFlag.O_EXCL, 0o600)
    if (fd < 0) return fd
    const size = table.sizes[row]!
    const result = size === 0 ? 0 : sys.ftruncate(fd, size)
    if (result < 0) {
      sys.close(fd)
      sys.unlink(path)
      return result
    }
    this.#recordNew(row)
    return fd
  }

  /** Opens the row's backing file; -ENOENT when it is gone or of another size, which means that it was tampered with. */
  open(row: number): number {
    const fd = this.sys.open(this.path(this.table.serials[row]!), openFlags, 0)
    if (fd < 0) return fd
    const stat = this.sys.fstat(fd)
    if (typeof stat !== 'number' && stat.size === this.table.sizes[row]) return fd
    this.sys.close(fd)
    return -errno.ENOENT
  }

  markPresent(row: number, start: number, end: number, isHole: boolean): number {
    const { table } = this
    if (table.isComplete(row)) return 0
    const added = table.markPresent(row, start, end)
    if (added === 0) return 0
    if (!isHole) table.setBytes(row, table.bytes[row]! + Math.ceil(added / diskBlockBytes) * diskBlockBytes)
    this.log.append({ kind: isHole ? 'hole' : 'data', row, serial: table.serials[row]!, start, end })
    return added
  }

  markDurable(row: number, serial: number, present: IntervalSet): void {
    const { table } = this
    if (!table.isUsed(row) || table.serials[row] !== serial) return
    for (const { start, end } of present.within(0, table.sizes[row]!)) {
      table.markDurable(row, start, end)
      this.log.append({ kind: 'durable', row, serial, start, end })
    }
  }

  /**
   * Forgets ranges that are about to be punched out of the backing file. INVARIANT: the file has a new name before it loses a byte, so
   * that no older record of what is in it can be believed.
   */
  forget(row: number, ranges: readonly ByteRange[]): boolean {
    const { table } = this
    const old = table.serials[row]!
    const serial = this.takeSerial()
    if (this.sys.rename(this.path(old), this.path(serial)) < 0) return false
    this.log.append({ kind: 'drop', row, serial: old })
    table.serials[row] = serial
    this.#recordNew(row)
    const present = table.presence(row).clone()
    for (const { start, end } of ranges) present.remove(start, end)
    table.setPresence(row, present, new IntervalSet())
    for (const { start, end } of present.within(0, table.sizes[row]!)) this.log.append({ kind: 'data', row, serial, start, end })
    return true
  }

  /** Gives the row a new serial and nothing present; what was under the old one is removed. */
  restart(row: number): void {
    const { table } = this
    const serial = table.serials[row]!
    this.log.append({ kind: 'drop', row, serial })
    this.sys.unlink(this.path(serial))
    table.setBytes(row, 0)
    table.setPresence(row, new IntervalSet(), new IntervalSet())
    table.serials[row] = this.takeSerial()
  }

  /**
   * Moves the row's backing file out of the cache, to a place of its new owner, who will write into it; the row begins anew with nothing present. INVARIANT:
   * where the index on disk says that its bytes survive a power failure, that is taken back, durably, before anybody can write.
   */
  giveAway(row: number, to: string): number {
    const { table } = this
    const serial = table.serials[row]!
    const isDurable = !table.durable(row).isEmpty
    this.log.append({ kind: 'drop', row, serial })
    const noted = isDurable ? this.log.syncNow() : 0
    if (noted < 0) return noted
    const result = this.sys.rename(this.path(serial), to)
    if (result < 0) this.sys.unlink(this.path(serial))
    table.setBytes(row, 0)
    table.setPresence(row, new IntervalSet(), new IntervalSet())
    table.serials[row] = this.takeSerial()
    return result
  }

  /** Takes a file of another owner for a row without one, complete. Then there is no row when it fails. */
  adopt(row: number, from: string, diskBytes: number): number {
    const { table } = this
    const result = this.sys.rename(from, this.path(table.serials[row]!))
    if (result < 0) {
      table.remove(row)
      return result
    }
    this.#recordNew(row)
    this.markPresent(row, 0, table.sizes[row]!, false)
    table.setBytes(row, diskBytes)
    table.touch(row)
    return 0
  }

  /** Removes the row and its backing file. */
  remove(row: number): void {
    const serial = this.table.serials[row]!
    this.log.append({ kind: 'drop', row, serial })
    this.sys.unlink(this.path(serial))
    this.table.remove(row)
  }

  #recordNew(row: number): void {
    const { table } = this
    const serial = table.serials[row]!
    this.createdSerials?.add(serial)
    this.log.append({ kind: 'add', row, serial, fileId: table.fileIds[row]!, size: table.sizes[row]!, version: table.version(row) })
  }

  /** Removes the row and its backing file unless somebody else holds or maps the file; then gives false. */
  evict(row: number): boolean {
    const { sys } = this
    const fd = sys.open(this.path(this.table.serials[row]!), openFlags, 0)
    // -EAGAIN alone says that somebody holds it; a file system without leases says something else, and an unlinked file hurts no holder.
    const isHeld = fd >= 0 && sys.takeLease(fd) === -errno.EAGAIN
    if (!isHeld) this.remove(row)
    if (fd >= 0) sys.close(fd)
    return !isHeld
  }
}

export function filesDirectory(directory: string): string {
  return `${directory}/files`
}
