/**
 * The directory of a store, known again: a disk that is unmounted leaves an empty directory at the same path, or none. What is stored there then would be lost
 * when the disk is back, and what is not there is not gone.
 *
 * It is told by its inode alone: a disk that comes back may have another device number.
 */
import { EdgemountError } from '../../../shared/error.ts'
import type { Disk } from './disk.ts'
import { isErrno } from './disk-error.ts'

export class Root {
  readonly #path: string
  readonly #disk: Pick<Disk, 'stat'>
  #inode: bigint | undefined

  constructor(path: string, disk: Pick<Disk, 'stat'>) {
    this.#path = path
    this.#disk = disk
  }

  /** Throws `unavailable` when the directory that was there before is not there now. The first one that is seen counts. */
  async check(doing: string): Promise<void> {
    const inode = await this.#look()
    this.#inode ??= inode
    if (inode === this.#inode) return
    const what = inode === undefined ? 'the directory is not there any more' : 'another directory is in its place'
    throw new EdgemountError('unavailable', `Cannot ${doing}: ${what} (is its disk mounted?)`)
  }

  async #look(): Promise<bigint | undefined> {
    try {
      return (await this.#disk.stat(`${this.#path}/.`)).inode
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }
}
