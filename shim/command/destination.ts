/**
 * Where `mv` and `cp` put something: at the path that was named, or inside when that is a directory or was written with a slash at its end.
 */
import { codeOf, EdgemountError } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { baseName, childPath, isWithin, rootPath } from '../../shared/path.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'

export interface Destination {
  readonly path: string
  /** What is there now. */
  readonly existing: Entry | undefined
}

/** `text` is what the user wrote for `path`. */
export async function destinationOf(snapshot: Snapshot, path: string, text: string, from: string, signal: AbortSignal): Promise<Destination> {
  const there = await find(snapshot, path, signal)
  const isInside = text.endsWith('/') || there?.kind === 'directory'
  const target = isInside ? childPath(path, baseName(from)) : path
  return { path: target, existing: isInside ? await find(snapshot, target, signal) : there }
}

/** Refuses what cannot come out well: the volume itself, a directory into itself, a thing onto itself, and one kind over the other. */
export function checkMove(doing: 'move' | 'copy', from: string, entry: Entry, to: Destination, isSameVolume: boolean): void {
  const refuse = (why: string, code: 'invalid' | 'conflict' = 'invalid'): never => {
    throw new EdgemountError(code, `Cannot ${doing} "${from}" to "${to.path}": ${why}`)
  }
  if (doing === 'move' && from === rootPath) refuse('"/" is the volume itself; name what is in it')
  if (to.path === rootPath) refuse('"/" is the volume itself; name a place in it', 'conflict')
  if (isSameVolume && from === to.path) refuse('they are the same')
  if (isSameVolume && entry.kind === 'directory' && isWithin(to.path, from)) refuse('a directory cannot be put into itself')
  if (to.existing === undefined) return
  if (to.existing.kind === 'directory') refuse(entry.kind === 'directory' ? 'a directory is there already' : 'a directory is there', 'conflict')
  if (entry.kind === 'directory') refuse(`a ${to.existing.kind} is there`, 'conflict')
}

async function find(snapshot: Snapshot, path: string, signal: AbortSignal): Promise<Entry | undefined> {
  return await snapshot.resolve(path, { signal }).catch((error: unknown) => {
    if (codeOf(error) === 'not-found') return undefined
    throw error
  })
}
