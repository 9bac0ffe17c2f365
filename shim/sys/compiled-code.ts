/**
 * Node keeps compiled what it has loaded once, so that a command starts in half the time and a mount, with its threads, too (`module.enableCompileCache`).
 */
import { enableCompileCache } from 'node:module'
import path from 'node:path'
import { makeDirectories } from './make-directories.ts'
import { defaultCacheDirectory, isPrivate } from './user-directory.ts'

/**
 * Whoever can write there can have their code run as this user: so not Node's own place in /tmp, and nothing at all where the directory is not the user's alone.
 * What Node's own variables say goes before. Never throws: without it everything works, only later.
 */
export function keepCompiledCode(environment: Record<string, string | undefined>, uid: number | undefined): void {
  if (uid === undefined || environment['NODE_COMPILE_CACHE'] !== undefined) return
  const directory = path.join(defaultCacheDirectory(environment, uid === 0), 'code')
  try {
    makeDirectories(directory, 0o700)
    if (!isPrivate(directory, uid)) return
    enableCompileCache(directory)
    // Threads look here.
    environment['NODE_COMPILE_CACHE'] = directory
  } catch {
    // No home, a full or read-only disk.
  }
}
