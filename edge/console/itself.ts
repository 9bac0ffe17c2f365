/**
 * What has a name, symlinks themselves included: what renaming, deleting and replacing are about, and the version that they may be done to. Pages otherwise show what links lead to.
 */
import type { BrowserVolume, FileInfo } from '../browser/volume.ts'
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { baseName, childPath, parentPath } from '../../shared/path.ts'
import { readEntry } from './history-api.ts'
import type { Session } from './session.ts'

export type Itself = Pick<FileInfo, 'kind' | 'size' | 'version'>

export interface Seen {
  readonly session: Session
  readonly volumeName: string
  readonly volume: BrowserVolume
  readonly signal: AbortSignal
}

/** As of the commit that `volume` is at; undefined where nothing is. The edge is asked only where a symlink may be. */
export async function itselfAt({ session, volumeName, volume, signal }: Seen, path: string): Promise<Itself | undefined> {
  const now = await volume.at(volume.seq, { signal })
  const parent = path === session.prefix ? undefined : parentPath(path)
  let at = path
  try {
    if (parent !== undefined) at = childPath((await now.stat(parent, { signal })).path, baseName(path))
  } catch (error) {
    if (codeOf(error) === 'not-found') return undefined
    throw error
  }
  try {
    const info = await now.stat(at, { signal })
    if (info.path === at) return info
  } catch (error) {
    // It may be a symlink that leads nowhere, or out of what may be seen.
    if (codeOf(error) !== 'not-found' && codeOf(error) !== 'denied') throw error
  }
  return await readEntry(session, volumeName, { path: at, seq: now.seq }, signal)
}

/** The edge's word that something else is there now, as a sentence for who wanted to do something with what was shown. Other errors stay as they are. */
export async function unlessChanged<T>(name: string, done: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) !== 'stale') throw error
    throw new EdgemountError('stale', `${name} was changed by somebody else since it was shown here, so it was not ${done}. Look again at what is there now, and decide then.`, { cause: error })
  }
}
