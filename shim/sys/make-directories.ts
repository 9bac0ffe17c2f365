/**
 * `mkdir -p`. Node's own never ends where mkdir says ENOENT though the parent is there, as in /proc.
 */
import { mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { failureName } from './failure.ts'

/** Makes a directory and those above it, unless they are there. Throws what the system says. */
export function makeDirectories(directory: string, mode = 0o777): void {
  try {
    mkdirSync(directory, mode)
  } catch (error) {
    const name = failureName(error)
    if (name === 'ENOENT' && path.dirname(directory) !== directory && !isDirectory(path.dirname(directory))) {
      makeDirectories(path.dirname(directory), mode)
      mkdirSync(directory, mode)
    } else if (name !== 'EEXIST' || !isDirectory(directory)) throw error
  }
}

function isDirectory(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true
}
