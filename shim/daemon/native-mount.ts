/**
 * A mount by the portable driver (fuse-native): the file system runs on this thread, beside the network, and the kernel is told of no changes.
 */
import type { Clock } from '../../shared/clock.ts'
import { mountNative } from '../fuse/native-driver.ts'
import { type FileSystem, type FileSystemStatus, createFileSystem } from './file-system.ts'
import type { ServeParts, ServedFileSystem } from './served.ts'

const tickMs = 250

/** Resolves when the mount answers. Throws 'unsupported' when fuse-native cannot be loaded. */
export async function serveByNative(parts: ServeParts): Promise<ServedFileSystem> {
  const { backend, clock, log, settings, directory, label, allowOther } = parts
  const fileSystem = createFileSystem(settings, { backend, log, onStart: () => undefined })
  try {
    const mount = await mountNative({ directory, source: label, isReadOnly: true, allowOther, clock }, fileSystem.handler)
    const ending = new AbortController()
    const ticking = tickUntil(ending.signal, fileSystem, clock)
    const ended = mount.ended.then(async () => {
      ending.abort()
      await ticking
      fileSystem.close()
      return undefined
    })
    return {
      directory: mount.mountPoint,
      ended,
      applyChange: (change) => fileSystem.handler.applyChange(change),
      setFollowing: (isFollowing) => fileSystem.handler.setFollowing(isFollowing),
      status: (): Promise<FileSystemStatus> => Promise.resolve(fileSystem.status()),
      requestCounts: () => ({}),
      unmount: (options) => mount.unmount(options),
      terminate: async () => {
        await mount.unmount({ isLazy: true })
      },
    }
  } catch (error) {
    fileSystem.close()
    throw error
  }
}

async function tickUntil(signal: AbortSignal, fileSystem: FileSystem, clock: Clock): Promise<void> {
  while (!signal.aborted) {
    fileSystem.tick()
    await clock.sleep(tickMs, signal).catch(() => undefined)
  }
}
