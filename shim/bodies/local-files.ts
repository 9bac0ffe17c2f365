/**
 * The backing files of local bodies on disk: where each lies, and a supply of empty ones.
 *
 * A file is named by its serial. INVARIANT: a serial never stands for two contents: a file that is used again gets a new name before it loses a byte, so that
 * a journal that is older than the disk names a file that is gone, never one that holds another's bytes.
 *
 * Why every new file gets a backing file at CREATE, from a supply, and is never kept in the journal while it is small: only so the kernel can write it by itself,
 * and whether it will be large nobody knows at CREATE. Measured on ext4 (2 CPUs, µs): making a file takes 16, but 100 to 500 for minutes after others were
 * removed near it (the search for an inode goes past those freed lately), which is how programs that make many files live; opening one that is there takes 3,
 * renaming it 9. Emptying it takes 10, and 120 when its blocks are on the disk already. A round trip through the kernel to us takes 10 to 20 µs, and the one
 * more for a WRITE of 4 KiB with its journal record would cost more than open and passthrough do (13). So discarded files are emptied and used again, on
 * another thread, and CREATE opens one that is ready. The other thread publishes at the same time, and 128 files made one after the other wait for that 256
 * times: of 50,000 files that tar made 5,000 to 22,000 found none ready. Made all at once, and the next step begun when one has ended, none.
 */
import { errno } from '../../shared/errno.ts'
import type { FileChore } from '../fs/backend.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'

const folderCount = 256
/** Files made one after the other lie in one folder, which is synced once for all of them. */
const serialsPerFolder = 256
const openFlags = openFlag.O_RDWR
/** Kept for new bodies; an inode each. */
const spareCountMax = 16_384
/** Made ahead while fewer are there, and so many more as were taken lately, up to the other bound. */
const madeAheadMin = 256
const madeAheadMax = 4096
/** Some 5 to 30 ms of work. */
const choresPerStep = 128

/** Off this thread: see `Backend.prepare`. */
export type PrepareFiles = (chores: readonly FileChore[], done: (ready: readonly boolean[]) => void) => void

export interface TakenFile {
  readonly serial: number
  readonly fd: number
  /** Its name would not survive a power failure yet. */
  readonly isNew: boolean
}

export function localDirectory(directory: string): string {
  return `${directory}/local`
}

export class LocalFiles {
  readonly sys: Sys
  readonly #root: string
  readonly #prepare: PrepareFiles
  /** Serials of empty files, ready for use. */
  readonly #spare: number[] = []
  /** Serials of files that nobody refers to: to be emptied, or removed. */
  #refuse: number[] = []
  #isPreparing = false
  /** Taken since the last step that found enough. */
  #takenCount = 0
  #nextSerial: number

  private constructor(sys: Sys, root: string, prepare: PrepareFiles, nextSerial: number) {
    this.sys = sys
    this.#root = root
    this.#prepare = prepare
    this.#nextSerial = nextSerial
  }

  /** Makes the folders and lists the files. A negative errno when that cannot be. */
  static open(sys: Sys, directory: string, prepare: PrepareFiles): { readonly files: LocalFiles; readonly serials: Set<number> } | number {
    const root = localDirectory(directory)
    const made = sys.mkdir(root, 0o700)
    if (made < 0 && made !== -errno.EEXIST) return made
    const serials = new Set<number>()
    for (let index = 0; index < folderCount; index += 1) {
      const folder = `${root}/${folderName(index)}`
      const result = sys.mkdir(folder, 0o700)
      if (result === 0) continue
      if (result !== -errno.EEXIST) return result
      const names = sys.list(folder)
      if (typeof names === 'number') return names
      for (const name of names) if (/^[0-9a-z]{1,10}$/.test(name)) serials.add(Number.parseInt(name, 36))
    }
    let nextSerial = 1
    for (const serial of serials) if (serial >= nextSerial) nextSerial = serial + 1
    return { files: new LocalFiles(sys, root, prepare, nextSerial), serials }
  }

  path(serial: number): string {
    return `${this.folder(serial)}/${serial.toString(36)}`
  }

  folder(serial: number): string {
    return `${this.#root}/${folderName(Math.floor(serial / serialsPerFolder) % folderCount)}`
  }

  takeSerial(): number {
    this.#nextSerial += 1
    return this.#nextSerial - 1
  }

  /** Serials up to this one are taken: the journal knows them, though their files may be gone. */
  reserve(serial: number): void {
    this.#nextSerial = Math.max(this.#nextSerial, serial + 1)
  }

  /** An open, empty file of its own. A negative errno when the disk cannot give one. */
  take(): TakenFile | number {
    this.#takenCount += 1
    if (this.#spare.length < madeAheadMin / 2) this.step()
    for (let serial = this.#spare.pop(); serial !== undefined; serial = this.#spare.pop()) {
      const fd = this.sys.open(this.path(serial), openFlags, 0)
      if (fd >= 0) return { serial, fd, isNew: false }
    }
    for (;;) {
      const serial = this.takeSerial()
      const fd = this.sys.open(this.path(serial), openFlags | openFlag.O_CREAT | openFlag.O_EXCL, 0o600)
      if (fd !== -errno.EEXIST) return fd < 0 ? fd : { serial, fd, isNew: true }
    }
  }

  open(serial: number): number {
    return this.sys.open(this.path(serial), openFlags, 0)
  }

  /** Nobody refers to the files any more. */
  discard(serials: Iterable<number>): void {
    for (const serial of serials) this.#refuse.push(serial)
  }

  /** Begins what is to be done on the other thread, when nothing is under way; true when something is. */
  step(): boolean {
    if (this.#isPreparing) return true
    const discarded = this.#refuse.slice(-choresPerStep)
    const chores = discarded.length > 0 ? this.#recycling(discarded) : this.#makingAhead()
    if (chores.length === 0) return false
    this.#refuse.length -= discarded.length
    this.#isPreparing = true
    const serials = chores.map(({ serial }) => serial)
    this.#prepare(
      chores.map(({ from, to }) => ({ from, to })),
      (ready) => {
        this.#isPreparing = false
        for (const [index, isReady] of ready.entries()) if (isReady) this.#spare.push(serials[index]!)
        // Programs may take more of them than one step in each tick makes.
        if (ready.includes(true) && this.#spare.length < this.#wantedCount) this.step()
      },
    )
    return true
  }

  get #wantedCount(): number {
    return Math.min(madeAheadMax, Math.max(madeAheadMin, this.#takenCount))
  }

  #recycling(discarded: readonly number[]): (FileChore & { readonly serial: number })[] {
    let room = spareCountMax - this.#spare.length
    return discarded.map((old) => {
      const serial = room > 0 ? this.takeSerial() : 0
      room -= 1
      return { from: this.path(old), to: serial === 0 ? undefined : this.path(serial), serial }
    })
  }

  #makingAhead(): (FileChore & { readonly serial: number })[] {
    const lacking = Math.min(choresPerStep, this.#wantedCount - this.#spare.length)
    if (lacking <= 0) this.#takenCount = 0
    return Array.from({ length: Math.max(0, lacking) }, () => {
      const serial = this.takeSerial()
      return { from: undefined, to: this.path(serial), serial }
    })
  }
}

function folderName(index: number): string {
  return index.toString(16).padStart(2, '0')
}
