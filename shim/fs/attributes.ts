/**
 * An entry as the kernel's attributes: mode with type bits, packed device number, and a tag that changes with the content.
 *
 * Pure; called when a row of the inode table is written. Type bits: linux/stat.h. Device packing: linux/kdev_t.h, new_encode_dev.
 */
import type { Entry, FileKind } from '../../shared/format/entry.ts'

const typeBitsOfKind: Readonly<Record<FileKind, number>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  fifo: 0o010000,
  socket: 0o140000,
  'character-device': 0o020000,
  'block-device': 0o060000,
}

/** The type alone, for READDIR. */
export function typeBitsOf(kind: FileKind): number {
  return typeBitsOfKind[kind]
}

/** st_mode: type and permissions. */
export function modeOf(entry: Entry): number {
  return typeBitsOfKind[entry.kind] | entry.mode
}

export function deviceOf(entry: Entry): number {
  if (entry.content.kind !== 'device') return 0
  const { major, minor } = entry.content
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}

/**
 * 53 bits that tell versions of a file's content apart. For bodies in packs they come from the content id (SHA-256); for bodies in the
 * entry from a short hash, which is enough to tell an edit from a change of mode.
 */
export function contentTagOf(entry: Entry): number {
  const { content } = entry
  switch (content.kind) {
    case 'manifest':
      return Number.parseInt(content.root.contentId.slice(0, 13), 16)
    case 'inline':
      return shortHash(content.bytes)
    case 'tree':
      return content.root.pointer === undefined ? 0 : Number.parseInt(content.root.pointer.hash.slice(0, 13), 16)
    case 'target':
      return shortHash(new TextEncoder().encode(content.target))
    default:
      return 0
  }
}

/** cyrb53 over words of four bytes: two multiplicative hashes side by side. Not cryptographic. A body of 4 KiB took 35 µs byte by byte. */
function shortHash(bytes: Uint8Array): number {
  let a = 0xdeadbeef ^ bytes.length
  let b = 0x41c6ce57
  for (let at = 0; at < bytes.length; at += 4) {
    // Beyond the end there is nothing, which counts as zeros; the length tells them apart.
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    a = Math.imul(a ^ word, 2_654_435_761)
    a ^= a >>> 15
    b = Math.imul(b ^ word, 1_597_334_677)
    b ^= b >>> 13
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909)
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909)
  return 4_294_967_296 * (b & 0x1fffff) + (a >>> 0)
}
