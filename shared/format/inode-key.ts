/**
 * Keys of the inode tree, which is a tree like a directory's with inodes in place of names.
 */
import { EdgemountError } from '../error.ts'
import { type FileId, isFileId } from './entry.ts'

/** The key of an inode: its id in 8 bytes, high byte first, so that key order is the order of ids. */
export function inodeKey(id: FileId): Uint8Array {
  if (!isFileId(id)) throw new EdgemountError('invalid', `Cannot look up inode ${String(id)}: it is not a safe non-negative integer`)
  const key = new Uint8Array(8)
  new DataView(key.buffer).setBigUint64(0, BigInt(id))
  return key
}

/** The inverse of `inodeKey`. */
export function idOfInodeKey(key: Uint8Array): FileId {
  const id = key.length === 8 ? Number(new DataView(key.buffer, key.byteOffset, 8).getBigUint64(0)) : Number.NaN
  if (isFileId(id)) return id
  throw new EdgemountError('corrupt', `Cannot read the inode tree: a key of ${key.length} bytes is no file id`)
}
