/**
 * Where the control sockets of one user's mounts lie: one socket for each mount, named by the mount point, in a directory that nobody else may enter.
 */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EdgemountError } from '../../shared/error.ts'
import { failure } from '../sys/failure.ts'
import { makeDirectories } from '../sys/make-directories.ts'
import { type Environment, isPrivate } from '../sys/user-directory.ts'

/** $XDG_RUNTIME_DIR/edgemount; without one /run/edgemount for root, /tmp/edgemount-<uid> for others. */
export function socketDirectory(environment: Environment, uid: number): string {
  const runtime = environment['XDG_RUNTIME_DIR']
  if (runtime !== undefined && path.isAbsolute(runtime)) return path.join(runtime, 'edgemount')
  return uid === 0 ? '/run/edgemount' : path.join(tmpdir(), `edgemount-${uid}`)
}

/** Makes the directory. Throws `denied` when it is somebody else's, or open to somebody else: in /tmp anybody can be first. */
export function prepareSocketDirectory(directory: string, uid: number): void {
  try {
    makeDirectories(directory, 0o700)
    if (isPrivate(directory, uid)) return
  } catch (error) {
    throw failure(`make the control directory "${directory}"`, error, 'Set XDG_RUNTIME_DIR to a directory of your own')
  }
  throw new EdgemountError('denied', `Cannot use the control directory "${directory}": it must be yours and closed to others (chmod 700). Or set XDG_RUNTIME_DIR`)
}

/** Mount points are longer than the 107 bytes that a socket's path may have, so their hash names them. */
export function socketPath(directory: string, mountPoint: string): string {
  return path.join(directory, `${createHash('sha256').update(mountPoint).digest('hex').slice(0, 24)}.sock`)
}
