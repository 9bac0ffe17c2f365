/**
 * Notifications: messages that we send to the kernel unasked (struct fuse_out_header with unique 0 and a code in place of the errno).
 */
import { encodeName } from '../../../shared/name.ts'
import { answerHeader, writeWide } from './layout.ts'

const code = { INVAL_INODE: 2, INVAL_ENTRY: 3, INC_EPOCH: 8 } as const

/** Header, the largest struct, a name and its NUL. */
export const notificationBytesMax = answerHeader.bytes + 24 + 256

/** struct fuse_notify_inval_inode_out. Offset 0 with length 0: everything. */
export function nodeNotification(nodeId: number, offset: number, length: number): Uint8Array {
  const words = start(code.INVAL_INODE, 24)
  writeWide(words, 4, nodeId)
  writeWide(words, 6, offset)
  writeWide(words, 8, length)
  return new Uint8Array(words.buffer)
}

/** struct fuse_notify_inval_entry_out: parent, name length, flags; then the name and a NUL. */
export function entryNotification(parent: number, name: string): Uint8Array {
  const encoded = encodeName(name)
  const words = start(code.INVAL_ENTRY, 16 + encoded.length + 1)
  writeWide(words, 4, parent)
  words[6] = encoded.length
  const bytes = new Uint8Array(words.buffer, 0, words[0])
  bytes.set(encoded, answerHeader.bytes + 16)
  return bytes
}

export function epochNotification(): Uint8Array {
  return new Uint8Array(start(code.INC_EPOCH, 0).buffer)
}

function start(notification: number, bodyBytes: number): Uint32Array<ArrayBuffer> {
  const byteCount = answerHeader.bytes + bodyBytes
  const words = new Uint32Array((byteCount + 3) >> 2)
  words[answerHeader.length] = byteCount
  words[answerHeader.error] = notification
  return words
}
