/**
 * Paths of the local disk while a folder is imported. A path is bytes, held as a string of one character a byte ("binary" or latin1): such strings
 * sort as their bytes do, cost little, and lose nothing where a name is not UTF-8.
 */
import { EdgemountError } from '../../shared/error.ts'
import { decodeName, encodeName } from '../../shared/name.ts'

/** One character a byte. Not for people, and not for a volume: see `nameOf`. */
export type LocalPath = string & { readonly __brand: 'LocalPath' }

/** As node:fs wants it. */
export function diskPath(path: LocalPath): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, 'latin1')
}

/** With the NUL that C wants. */
export function pathBytes(path: LocalPath): Uint8Array {
  return Buffer.from(`${path}\0`, 'latin1')
}

/** A path or name as the volume and messages have it. */
export function nameOf(path: LocalPath | string): string {
  return isAscii(path) ? path : decodeName(Buffer.from(path, 'latin1'))
}

/** A path as people and volumes have it. */
export function localPathOf(text: string): LocalPath {
  return checked(isAscii(text) ? text : Buffer.from(encodeName(text)).toString('latin1'))
}

/** `name` as `readdir` gave it, one character a byte. */
export function joinLocal(directory: LocalPath, name: string): LocalPath {
  return checked(directory === '/' ? `/${name}` : `${directory}/${name}`)
}

function checked(path: string): LocalPath {
  if (isLocalPath(path)) return path
  throw new EdgemountError('internal', `Cannot use ${JSON.stringify(path)} as a local path: it has characters that are no bytes`)
}

function isLocalPath(path: string): path is LocalPath {
  return !/[\u0100-\uffff]/.test(path)
}

function isAscii(text: string): boolean {
  return !/[\u0080-\uffff]/.test(text)
}
