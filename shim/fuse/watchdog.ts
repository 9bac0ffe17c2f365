/**
 * A tiny child process that takes the mount away when the daemon dies without doing so, so that nobody is left with "Transport endpoint is
 * not connected".
 *
 * It sleeps on a pipe whose other end only the daemon has. Before it unmounts it makes sure that the mount is still the one it was started
 * for, that no other lies on top of it, and that it is dead: a newer daemon's mount at the same place answers, and is left alone.
 *
 * The pipe alone does not tell of every death. A thread that waits in the kernel with a notification survives SIGKILL, and keeps the pipe and
 * the connection open that would end its wait. So the process is also looked at: when its main thread is gone and others are not, the
 * connection is aborted; it cannot be another's by then, for that thread holds it. All the rest then goes its ordinary way.
 */
import { spawn } from 'node:child_process'
import type { FuseMount } from './mount.ts'

export interface Watchdog {
  readonly pid: number | undefined
  /** The mount has ended in good order: the child ends too. */
  stop(): void
}

// $1 mount point, $2 mount id, $3 device minor, $4 process. A line on the pipe means a clean end. `stat -f` always asks the file system, which
// fails at once when it is dead.
const script = `trap '' HUP INT TERM
point=$1 id=$2 minor=$3 pid=$4 connections=/sys/fs/fuse/connections
# Ours is what the path leads to: of several mounts there the last one is on top.
is_on_top() {
  place= top=
  while read -r mount _ device _ where _; do [ "$mount $device" = "$id 0:$minor" ] && place=$where; done </proc/self/mountinfo
  while read -r mount _ _ _ where _; do [ "$where" = "$place" ] && top=$mount; done </proc/self/mountinfo
  [ "$top" = "$id" ]
}
is_undead() {
  read -r stat 2>/dev/null </proc/$pid/stat || return 1
  case \${stat##*) } in Z*) ;; *) return 1 ;; esac
  set -- /proc/$pid/task/*
  [ $# -gt 1 ]
}
abort_connection() {
  borrowed=
  [ -e $connections/$minor ] || { mount -t fusectl fusectl $connections && borrowed=1; }
  echo 1 >$connections/$minor/abort
  is_aborted=$?
  [ -z "$borrowed" ] || umount -l $connections
  [ $is_aborted -eq 0 ] || { is_on_top && umount -f -l -c -- "$point"; }
}
(
  while sleep 2 && kill -0 $$; do
    is_undead && sleep 1 && is_undead && abort_connection
  done
) </dev/null >/dev/null 2>&1 &
looker=$!
read -r line
is_clean=$?
kill -9 $looker
[ $is_clean -eq 0 ] && exit 0
is_on_top || exit 0
stat -f -- "$point" >/dev/null 2>&1 && exit 0
umount -l -- "$point" 2>/dev/null || fusermount3 -u -z -- "$point"`

export function startWatchdog(mount: FuseMount): Watchdog {
  const parameters = ['-c', script, 'edgemount-watchdog', mount.mountPoint, String(mount.mountId), String(mount.deviceMinor), String(process.pid)]
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
