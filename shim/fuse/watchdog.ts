/**
 * A tiny child process that takes the mount away when the daemon dies without doing so, so that nobody is left with "Transport endpoint is
 * not connected".
 *
 * It sleeps on a pipe whose other end only the daemon has. Before it unmounts it makes sure that the mount is still the one it was started
 * for, and that it is dead: a newer daemon's mount at the same place answers, and is left alone.
 */
import { spawn } from 'node:child_process'
import type { FuseMount } from './mount.ts'

export interface Watchdog {
  readonly pid: number | undefined
  /** The mount has ended in good order: the child ends too. */
  stop(): void
}

// $1 mount point, $2 mount id, $3 device minor. A line on the pipe means a clean end. `stat -f` always asks the file system, which fails at
// once when it is dead.
const script = `trap '' HUP INT TERM
read -r line && exit 0
grep -q "^$2 [0-9]* 0:$3 " /proc/self/mountinfo || exit 0
stat -f -- "$1" >/dev/null 2>&1 && exit 0
umount -l -- "$1" 2>/dev/null || fusermount3 -u -z -- "$1"`

export function startWatchdog(mount: FuseMount): Watchdog {
  const parameters = ['-c', script, 'edgemount-watchdog', mount.mountPoint, String(mount.mountId), String(mount.deviceMinor)]
  // Detached: Ctrl-C at the terminal is meant for the daemon only.
  const child = spawn('/bin/sh', parameters, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' })
  child.on('error', () => {}) // without a shell there is no watchdog, and a mount works without one
  child.stdin.on('error', () => {})
  child.unref()
  return {
    pid: child.pid,
    stop: () => {
      child.stdin.end('done\n')
    },
  }
}
