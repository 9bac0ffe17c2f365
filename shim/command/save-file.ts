/**
 * A file of a volume onto the local disk: written beside its place and then named, so that a half file is never mistaken for a whole one.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { toHex } from '../../shared/bytes.ts'
import { systemRandom } from '../../shared/random.ts'
import { isAllZeros } from '../../shared/volume/zeros.ts'
import { failure } from '../sys/failure.ts'
import { diskPath, joinLocal, localPathOf, type LocalPath, nameOf } from '../upload/local-path.ts'

/** A name beside `file` that nobody has. */
export function besides(file: LocalPath): LocalPath {
  return joinLocal(localDirectoryOf(file), `.edgemount-${toHex(systemRandom.bytes(6))}`)
}

export interface FileSource {
  readonly size: number
  /** Of a new file. */
  readonly mode: number
  readonly bytes: AsyncIterable<Uint8Array>
}

/** `finish` gives the file what else it is to have, while it has another name. Zeros take no room on the disk. Throws what the disk or the source says. */
export async function saveFile(file: LocalPath, { size, mode, bytes }: FileSource, finish: (staged: LocalPath) => void, count: (bytes: number) => void): Promise<void> {
  const staged = besides(file)
  const failed = (error: unknown): never => {
    throw failure(`write "${nameOf(file)}"`, error)
  }
  const handle = await open(diskPath(staged), 'wx', mode & 0o777).catch(failed)
  try {
    await fill(handle, size, bytes, count, failed)
    finish(staged)
    await rename(diskPath(staged), diskPath(file)).catch(failed)
  } catch (error) {
    await rm(diskPath(staged), { force: true })
    throw error
  }
}

async function fill(handle: FileHandle, size: number, bytes: AsyncIterable<Uint8Array>, count: (bytes: number) => void, failed: (error: unknown) => never): Promise<void> {
  try {
    let at = 0
    for await (const piece of bytes) {
      if (!isAllZeros(piece)) await writeAll(handle, piece, at).catch(failed)
      at += piece.length
      count(piece.length)
    }
    await handle.truncate(size).catch(failed)
  } finally {
    await handle.close()
  }
}

async function writeAll(handle: FileHandle, piece: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < piece.length; ) done += (await handle.write(piece, done, piece.length - done, at + done)).bytesWritten
}

/** The folder that a path lies in. */
function localDirectoryOf(file: LocalPath): LocalPath {
  return localPathOf(path.dirname(nameOf(file)))
}
