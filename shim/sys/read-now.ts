/**
 * Reading what is in memory already, without waiting for a disk: for the many small files of an import, where a trip to Node's thread pool costs
 * more than the reading.
 */
import { addressOf, libc, result } from './libc.ts'

/** linux/fs.h. */
const nowaitFlag = 0x8 // RWF_NOWAIT

const vector = new BigUint64Array(2)
const vectorBytes = new Uint8Array(vector.buffer)

/** As many bytes as the kernel has in memory, into the start of `into`; 0 when that is none, or cannot be told. The file's position stays. */
export function readNow(fd: number, into: Uint8Array, length: number, offset: number): number {
  vector[0] = BigInt(addressOf(into))
  vector[1] = BigInt(length)
  return Math.max(0, result(libc.preadv2(fd, vectorBytes, 1, offset, nowaitFlag)))
}
