/**
 * Writes to an open file at a position, off this thread, all of it.
 */
import { write } from 'node:fs'

/** Rejects with the system's error; `code` ENOSPC when the disk is full. */
export type WriteAt = (fd: number, bytes: Uint8Array, position: number) => Promise<void>

export const writeAt: WriteAt = async (fd, bytes, position) => {
  for (let done = 0; done < bytes.length; ) {
    done += await writeOnce(fd, bytes, done, position + done)
  }
}

function writeOnce(fd: number, bytes: Uint8Array, from: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, position, (error, count) => {
      if (error === null) resolve(count)
      else reject(error)
    })
  })
}
