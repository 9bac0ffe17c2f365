/**
 * Leases and signals: when somebody opens a file whose lease this process holds, the kernel says so by SIGIO, which ends a process by default.
 */
import { constants } from 'node:os'
import { libc } from './libc.ts'

const ignore = 1 // SIG_IGN

/** For the whole process. Who waits for the lease gets it when it is dropped, which is at once. */
export function ignoreLeaseBreaks(): void {
  libc.signal(constants.signals.SIGIO, ignore)
}
