/**
 * A mount by our own Linux driver: the kernel's mount, the file-system thread, and the watchdog that outlives this process.
 */
import { untilAborted } from '../../shared/abort.ts'
import { type FuseMount, mountFuse } from '../fuse/mount.ts'
import { endMountNow, unmount } from '../fuse/unmount.ts'
import { startWatchdog } from '../fuse/watchdog.ts'
import { closeFd } from '../sys/pipe.ts'
import { FsWorker } from './fs-worker.ts'
import type { FileSystemEnd, ServeParts, ServedFileSystem } from './served.ts'

/** Resolves when the mount answers. Throws what made that impossible, with nothing left mounted. */
export async function serveByLinux(parts: ServeParts): Promise<ServedFileSystem> {
  const mount = await mountFuse({ directory: parts.directory, source: parts.label, isReadOnly: parts.settings.writing === undefined, allowOther: parts.allowOther })
  const watchdog = startWatchdog(mount)
  let worker: FsWorker | undefined
  try {
    worker = new FsWorker({ ...parts, mount })
    const ended = worker.ended.finally(() => watchdog.stop())
    await untilAborted(worker.ready, parts.signal)
    return served(mount, worker, ended)
  } catch (error) {
    if (worker === undefined) {
      endMountNow(mount)
      closeFd(mount.fd)
    } else await worker.terminate()
    watchdog.stop()
    throw error
  }
}

function served(mount: FuseMount, worker: FsWorker, ended: Promise<FileSystemEnd>): ServedFileSystem {
  return {
    directory: mount.mountPoint,
    ended,
    applyChange: (change) => worker.send({ kind: 'change', change }),
    setFollowing: (isFollowing) => worker.send({ kind: 'following', isFollowing }),
    tellChanges: (message) => worker.send({ kind: 'to-changes', message }),
    status: () => worker.status(),
    requestCounts: () => worker.requestCounts(),
    unmount: (options) => unmount(mount.mountPoint, options),
    terminate: () => worker.terminate(),
  }
}
