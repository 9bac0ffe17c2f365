/**
 * A mount by the portable driver (fuse-native): the file system runs on this thread, beside the network, and the kernel is told of no changes.
 */
import { mountNative } from '../fuse/native-driver.ts'
import { type FileSystemStatus, createFileSystem } from './file-system.ts'
import type { ServeParts, ServedFileSystem } from './served.ts'

const tickMs = 250

/** Resolves when the mount answers. Throws 'unsupported' when fuse-native cannot be loaded. */
export async function serveByNative(parts: ServeParts): Promise<ServedFileSystem> {
  const { backend, log, settings, directory, label, allowOther } = parts
  const fileSystem = createFileSystem(settings, { backend, log, onStart: () => undefined })
  try {
    const mount = await mountNative({ directory, source: label, isReadOnly: true, allowOther }, fileSystem.handler)
    const timer = setInterval(() => fileSystem.tick(), tickMs)
    const ended = mount.ended.then(() => {
      clearInterval(timer)
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
