/**
 * Directories that are one user's: where caches lie unless somebody says otherwise, and whether a directory is closed to others.
 */
import { lstatSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

/** Root: /var/cache/edgemount. Others: $XDG_CACHE_HOME/edgemount or ~/.cache/edgemount. */
export function defaultCacheDirectory(environment: Environment, isRoot: boolean): string {
  if (isRoot) return '/var/cache/edgemount'
  const base = environment['XDG_CACHE_HOME']
  return path.join(base !== undefined && path.isAbsolute(base) ? base : path.join(homedir(), '.cache'), 'edgemount')
}

/** True for a user's own directory that is closed to others. Throws when there is none. */
export function isPrivate(directory: string, uid: number): boolean {
  const stat = lstatSync(directory)
  return stat.isDirectory() && stat.uid === uid && (stat.mode & 0o077) === 0
}
