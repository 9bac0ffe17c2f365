/**
 * Memory that the kernel writes into and reads from, many times: allocated once, with its address taken once.
 */
import { addressOf } from './libc.ts'

/** The same bytes as bytes and as little-endian 32-bit words (the kernel's structs are 4-byte aligned). */
export interface Memory {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  /** Valid while this object is reachable. */
  readonly address: number
}

export function allocateMemory(byteCount: number): Memory {
  const buffer = new ArrayBuffer((byteCount + 7) & ~7)
  const bytes = new Uint8Array(buffer)
  return { bytes, words: new Uint32Array(buffer), address: addressOf(bytes) }
}
