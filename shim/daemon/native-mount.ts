/**
 * A mount by the portable driver (fuse-native): the file system runs on this thread, beside the network, and the kernel is told of no changes.
 */
import type { Clock } from '../../shared/clock.ts'
import { mountNative } from '../fuse/native-driver.ts'
import { type FileSystem, type FileSystemStatus, createFileSystem } from './file-system.ts'
import { closeLocalState, openLocalState } from './local-state.ts'
import type { ServeParts, ServedFileSystem } from './served.ts'

/** Resolves when the mount answers. Throws 'unsupported' when fuse-native cannot be loaded. */
export async function serveByNative(parts: ServeParts): Promise<ServedFileSystem> {
  const { clock, settings, directory, label, allowOther } = parts
  const fileSystem = await open(parts)
  const ending = new AbortController()
  const ticking = tickUntil(ending.signal, fileSystem, clock)
  const close = async (discards: boolean): Promise<void> => {
    ending.abort()
    await ticking
    fileSystem.close(discards)
  }
  try {
    const mount = await mountNative({ directory, source: label, isReadOnly: settings.writing === undefined, allowOther, clock }, fileSystem.handler)
    const ended = mount.ended.then(async () => {
      await close(await parts.drain())
      return undefined
    })
    return {
      directory: mount.mountPoint,
      ended,
      applyChange: (change) => fileSystem.handler.applyChange(change),
      setFollowing: (isFollowing) => fileSystem.handler.setFollowing(isFollowing),
      tellChanges: (message) => fileSystem.receive(message),
      status: (): Promise<FileSystemStatus> => Promise.resolve(fileSystem.status()),
      requestCounts: () => ({}),
      unmount: (options) => mount.unmount(options),
      terminate: async () => {
        await mount.unmount({ isLazy: true })
      },
    }
  } catch (error) {
    await close(false)
    throw error
  }
}

async function open({ settings, backend, log, findBase, onPublishing }: ServeParts): Promise<FileSystem> {
  const local = openLocalState(settings, backend, log)
  try {
    const baseSeq = local.writing?.baseSeq ?? settings.seq
    const base = baseSeq === settings.seq ? settings : await findBase(baseSeq)
    return createFileSystem(settings, { backend, local, base, log, onPublishing, onStart: () => undefined })
  } catch (error) {
    closeLocalState(local, false)
    throw error
  }
}

async function tickUntil(signal: AbortSignal, fileSystem: FileSystem, clock: Clock): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(fileSystem.tick(), signal).catch(() => undefined)
  }
}
