/**
 * The time of day by the kernel's coarse clock (CLOCK_REALTIME_COARSE), which file systems stamp files with: a finer one would run ahead of it, and a file
 * would look older after it was written to than when it was made.
 */
import { libc } from './libc.ts'

const coarseRealTimeClock = 5
/** struct timespec. */
const timespec = new BigInt64Array(2)
const bytes = new Uint8Array(timespec.buffer)

export function coarseRealTime(): { readonly seconds: number; readonly nanoseconds: number } {
  libc.clock_gettime(coarseRealTimeClock, bytes)
  return { seconds: Number(timespec[0]), nanoseconds: Number(timespec[1]) }
}
