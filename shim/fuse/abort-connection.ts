/**
 * Ends a FUSE connection by its device number: every waiting and later request fails, also those of a mount that was detached and has no path
 * any more. It never waits for the file system.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { detach, isRoot, mountFileSystem } from '../sys/mount-calls.ts'

/** Where the kernel shows its connections (fusectl); mounted by systemd, and by us for a moment where it is not. */
const connections = '/sys/fs/fuse/connections'

/**
 * Aborts. The caller knows that the connection stands: numbers are used again once it does not. False when it could not be done: who is not
 * root needs fusectl to be mounted.
 */
export function abortConnection(deviceMinor: number): boolean {
  const isBorrowed = !existsSync(`${connections}/${deviceMinor}`) && isRoot() && mountFileSystem('fusectl', connections, 'fusectl', false, '') >= 0
  try {
    writeFileSync(`${connections}/${deviceMinor}/abort`, '1')
    return true
  } catch {
    return false
  } finally {
    if (isBorrowed) detach(connections)
  }
}
