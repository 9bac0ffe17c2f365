/** The folder that an import reads, and what in it must never be read. */
import { access, constants, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { EdgemountError } from '../../shared/error.ts'
import { decodeName } from '../../shared/name.ts'
import { readMountTable } from '../fuse/mount-table.ts'
import { failure, failureName } from '../sys/failure.ts'
import { diskPath, localPathOf, type LocalPath } from '../upload/local-path.ts'

/** Absolute, without symbolic links. Throws when it is no folder that can be read. */
export async function findFolder(text: string): Promise<LocalPath> {
  try {
    const found = await realpath(diskPath(localPathOf(text)), { encoding: 'buffer' })
    if (!(await stat(found)).isDirectory()) throw new EdgemountError('invalid', `Cannot import "${text}": it is a file. Use: edgemount put ${text} <volume path>`)
    await access(found, constants.R_OK | constants.X_OK)
    return localPathOf(decodeName(found))
  } catch (error) {
    throw failure(`import "${text}"`, error, failureName(error) === 'ENOENT' ? 'Name a folder that exists' : '')
  }
}

/** The store itself, the places named, and all mounts of this command: reading one of those would import a volume into itself, without an end. */
export async function protectedPathsFor(source: string, others: readonly string[] = []): Promise<ReadonlySet<LocalPath>> {
  const store = /^dir:(.*)$/s.exec(source)?.[1]
  const named = store === undefined ? others : [...others, store]
  const real = await Promise.all(named.map((each) => realpath(each).catch(() => path.resolve(each))))
  const mounts = readMountTable().filter(({ type }) => type === 'fuse.edgemount').map(({ mountPoint }) => mountPoint)
  return new Set([...real, ...mounts].map(localPathOf))
}
