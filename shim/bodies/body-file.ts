/**
 * The backing file of a local body: a descriptor that is opened when it is asked for and may be closed between two uses, and what the disk says of the file.
 *
 * Owned by its `LocalBody`; `LocalBodies` bounds how many are open.
 */
import type { Time } from '../../shared/format/entry.ts'
import { openFlag } from '../sys/constants.ts'
import type { FileStat, Sys } from '../sys/sys.ts'

/** What a backing file needs of its owner. */
export interface FileOwner {
  readonly sys: Sys
  path(serial: number): string
  /** A descriptor was opened; another may have to be closed. */
  opened(file: BodyFile): void
  closed(file: BodyFile): void
  /** It may grow from now on, by the kernel's writing unseen: it is to be looked at with `watch`. */
  watched(file: BodyFile): void
  unwatched(file: BodyFile): void
  /** The room that a file took on disk when it was last looked at has changed by so much. */
  grew(bytes: number): void
}

/** fdatasync off this thread, of a directory fsync; the descriptor stays open until `done`, which comes on this thread. */
export type SyncFile = (fd: number, done: (result: number) => void) => void

const closed = -1

export class BodyFile {
  readonly serial: number
  readonly #owner: FileOwner
  #fd: number
  #holdCount = 0
  #diskBytes = 0
  /** Its name would not survive a power failure yet. */
  #isNameNew: boolean
  #isShared: boolean
  #isWatched = false
  /** Programs have it open. */
  #isOpen = false
  /** As it was when it was last looked at; forgotten when somebody gets the descriptor or the kernel the file. */
  #stat: FileStat | undefined
  /** Used since the descriptor was last considered for closing. */
  isHot = true

  /** One that is from before may be anybody's: a mapping outlives handles, mounts and this process. */
  constructor(owner: FileOwner, serial: number, { fd = closed, isNameNew = true, isShared = true } = {}) {
    this.#owner = owner
    this.serial = serial
    this.#fd = fd
    this.#isNameNew = isNameNew
    this.#isShared = isShared
  }

  get path(): string {
    return this.#owner.path(this.serial)
  }

  get isHeld(): boolean {
    return this.#holdCount > 0
  }

  /** The descriptor, or a negative errno. Valid until control returns to the thread's loop; whoever needs it longer calls `hold`. */
  get fd(): number {
    this.isHot = true
    this.#stat = undefined
    this.#beginWatch()
    if (this.#fd >= 0) return this.#fd
    const fd = this.#owner.sys.open(this.path, openFlag.O_RDWR, 0)
    if (fd < 0) return fd
    this.#fd = fd
    this.#owner.opened(this)
    return fd
  }

  /** Keeps the descriptor open until `letGo`, and gives it, or a negative errno (then nothing is held). */
  hold(): number {
    const { fd } = this
    if (fd >= 0) this.#holdCount += 1
    return fd
  }

  letGo(): void {
    this.#holdCount -= 1
  }

  /** Closes the descriptor unless it is held. */
  closeDescriptor(): void {
    if (this.#fd < 0 || this.#holdCount > 0) return
    // To ask later takes opening it again. The lease goes with the descriptor.
    if (this.#isShared && !this.#isOpen && this.#owner.sys.takeLease(this.#fd) === 0) this.#endShared()
    // The kernel may have written to it, unseen; and what is nobody's any more is not to be looked at by its path later.
    if (this.#isWatched || !this.#isShared) this.watch()
    this.#owner.sys.close(this.#fd)
    this.#fd = closed
    this.#owner.closed(this)
  }

  /** Asks the disk, unless nobody but this process can have changed anything since it last did. */
  fstat(): FileStat | number {
    if (!this.#isShared && this.#stat !== undefined) return this.#stat
    const stat = this.#fd < 0 ? this.#owner.sys.stat(this.path) : this.#owner.sys.fstat(this.#fd)
    if (typeof stat === 'number') this.#stat = undefined
    else {
      this.#stat = stat
      this.#noteDiskBytes(stat.blocks * 512)
    }
    return stat
  }

  /** What `fstat` gave last. */
  get lastStat(): FileStat | undefined {
    return this.#stat
  }

  /** It is gone, and takes no room any more. */
  forgetDiskBytes(): void {
    this.#endWatch()
    this.#noteDiskBytes(0)
  }

  setMtime(mtime: Time | undefined): number {
    const { fd } = this
    return fd < 0 ? fd : this.#owner.sys.setMtime(fd, mtime)
  }

  /** The kernel gets it: from now on programs may have it open and mapped. */
  share(): void {
    this.#stat = undefined
    this.#isShared = true
    this.#isOpen = true
    this.#beginWatch()
  }

  /** No program has it open any more; it may still be mapped. */
  endSharing(): void {
    this.#isOpen = false
  }

  /** Looks at what the kernel has written. What nobody has open and has not grown since the last look is not watched any more. */
  watch(): void {
    const before = this.#diskBytes
    this.fstat()
    if (!this.#isOpen && this.#diskBytes === before) this.#endWatch()
  }

  /** Nobody but this process can have it open or mapped. A file system without leases cannot say: then the answer is no, once it was shared. */
  get isAlone(): boolean {
    if (!this.#isShared) return true
    const { fd } = this
    if (fd < 0 || this.isHeld || this.#owner.sys.takeLease(fd) !== 0) return false
    this.#owner.sys.dropLease(fd)
    this.#endShared()
    return true
  }

  /** Makes the bytes durable, and the name where that is new. `sync`: `Backend.sync`. `done` gets 0 or a negative errno, once. */
  sync(sync: SyncFile, done: (result: number) => void): void {
    const fd = this.hold()
    if (fd < 0) {
      done(fd)
      return
    }
    sync(fd, (result) => {
      this.letGo()
      if (result < 0 || !this.#isNameNew) done(result)
      else this.#syncName(sync, done)
    })
  }

  #syncName(sync: SyncFile, done: (result: number) => void): void {
    const { sys } = this.#owner
    const fd = sys.open(this.path.slice(0, this.path.lastIndexOf('/')), openFlag.O_RDONLY, 0)
    if (fd < 0) {
      done(fd)
      return
    }
    sync(fd, (result) => {
      sys.close(fd)
      if (result === 0) this.#isNameNew = false
      done(result)
    })
  }

  /** Nobody knows the way to it but this process, so nobody comes who is not let in by `share`. */
  #endShared(): void {
    this.#isShared = false
    this.#stat = undefined
  }

  #beginWatch(): void {
    if (this.#isWatched) return
    this.#isWatched = true
    this.#owner.watched(this)
  }

  #endWatch(): void {
    if (!this.#isWatched) return
    this.#isWatched = false
    this.#owner.unwatched(this)
  }

  #noteDiskBytes(bytes: number): void {
    if (bytes === this.#diskBytes) return
    this.#owner.grew(bytes - this.#diskBytes)
    this.#diskBytes = bytes
  }
}
