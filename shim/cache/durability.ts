/**
 * Makes cached files survive a power failure, in the background: sweeps over the index, and syncs what was written before the last sweep.
 *
 * By then the kernel has written most of it back anyway (after 30 s, vm.dirty_expire_centisecs), so the sync costs little. What was present
 * when the sync began is durable when it ends; that is what is recorded, never more.
 */
import { errno } from '../../shared/errno.ts'
import type { Logger } from '../../shared/log.ts'
import { openFlag } from '../sys/constants.ts'
import type { BackingFiles } from './backing-files.ts'
import type { CachedFile } from './cached-file.ts'
import type { SyncFile } from './index-log.ts'
import { IntervalSet } from './interval-set.ts'

const sweepMs = 35_000
const rowsPerStep = 65_536
const underWayMax = 2
/** What `close` may still sync by itself: what the kernel has not written back yet is written then, and whoever unmounts waits. */
const filesPerClose = 64
const bytesPerClose = 32 * 1024 * 1024
const closeMs = 500
/** After these the kernel may have thrown written pages away (fsync(2)). Any other says that the sync did not happen: it comes with the next sweep. */
const losingErrors: ReadonlySet<number> = new Set([errno.EIO, errno.ENOSPC, errno.EDQUOT])

export class Durability {
  readonly #files: BackingFiles
  readonly #log: Logger
  readonly #sync: SyncFile
  readonly #activeFile: (row: number) => CachedFile | undefined
  /** Where the sweep is. */
  #row = 0
  #sweepStartMs = 0
  /** Files with a serial from here on were made after the last sweep: not yet. */
  #oldSerials: number
  #isSweeping = false
  #isWalking = false
  #underWayCount = 0
  #isClosed = false
  /** Serials whose sync failed: what the kernel still shows of them may be gone tomorrow. */
  readonly #distrusted = new Set<number>()

  constructor(files: BackingFiles, log: Logger, sync: SyncFile, activeFile: (row: number) => CachedFile | undefined) {
    this.#files = files
    this.#log = log
    this.#sync = sync
    this.#activeFile = activeFile
    this.#oldSerials = files.nextSerial
  }

  isDistrusted(row: number): boolean {
    return this.#distrusted.delete(this.#files.table.serials[row]!)
  }

  step(nowMs: number): void {
    if (!this.#isSweeping) {
      if (Math.abs(nowMs - this.#sweepStartMs) < sweepMs) return
      this.#isSweeping = true
      this.#sweepStartMs = nowMs
      this.#row = 0
    }
    this.#walk()
  }

  /** Syncs a little of what is not durable yet, at once. `now`: milliseconds. */
  close(now: () => number): void {
    this.#isClosed = true
    const { table, sys } = this.#files
    const startMs = now()
    let count = 0
    let bytes = 0
    for (let row = 0; row < table.rowLimit && count < filesPerClose; row += 1) {
      if (!table.isUsed(row) || table.isDurable(row)) continue
      const present = table.presence(row).clone()
      const addedBytes = present.byteCount - table.durable(row).byteCount
      if (addedBytes === 0 || bytes + addedBytes > bytesPerClose) continue
      if (Math.abs(now() - startMs) >= closeMs) return
      bytes += addedBytes
      count += 1
      const fd = sys.open(this.#files.path(table.serials[row]!), openFlag.O_RDONLY, 0)
      if (fd < 0) continue
      if (sys.fdatasync(fd) === 0) this.#files.markDurable(row, table.serials[row]!, present)
      sys.close(fd)
    }
  }

  /** Goes on with the sweep until enough is under way. */
  #walk(): void {
    if (!this.#isSweeping || this.#isWalking) return
    this.#isWalking = true
    const { table } = this.#files
    const end = Math.min(table.rowLimit, this.#row + rowsPerStep)
    for (let begun = 0; this.#row < end && begun < underWayMax && this.#underWayCount < underWayMax; this.#row += 1) {
      const row = this.#row
      if (table.isUsed(row) && !table.isDurable(row) && table.serials[row]! < this.#oldSerials && this.#begin(row)) begun += 1
    }
    this.#isWalking = false
    if (this.#row < table.rowLimit) return
    this.#isSweeping = false
    this.#oldSerials = this.#files.nextSerial
  }

  /** False when there is nothing to sync. */
  #begin(row: number): boolean {
    const { table, sys } = this.#files
    const serial = table.serials[row]!
    const present = table.presence(row).clone()
    if (present.byteCount === table.durable(row).byteCount) return false
    const fd = sys.open(this.#files.path(serial), openFlag.O_RDONLY, 0)
    if (fd < 0) return false
    this.#underWayCount += 1
    this.#sync(fd, (result) => {
      this.#underWayCount -= 1
      sys.close(fd)
      if (this.#isClosed) return
      if (result === 0) this.#files.markDurable(row, serial, present)
      else if (losingErrors.has(-result)) this.#distrust(row, serial, result)
      this.#walk()
    })
    return true
  }

  /** A failed sync means that written pages were thrown away: nothing of that file can be believed. */
  #distrust(row: number, serial: number, result: number): void {
    const { table } = this.#files
    if (!table.isUsed(row) || table.serials[row] !== serial) return
    this.#log.warn(`Cannot sync a cached file: error ${-result} on "${this.#files.path(serial)}"; it is dropped`)
    const file = this.#activeFile(row)
    if (file === undefined) {
      this.#files.remove(row)
      return
    }
    this.#distrusted.add(serial)
    this.#files.log.append({ kind: 'drop', row, serial })
    table.setPresence(row, new IntervalSet(), new IntervalSet())
    // Nor what is being written: it may be among what was thrown away.
    file.noteFreed({ start: 0, end: file.size })
  }
}
