/**
 * Volume paths: `/` is the root, `/a/b` an entry two names deep. A path is canonical or it is refused; nothing is
 * normalised silently, because a path that is checked against a prefix in one place must mean the same in all others.
 *
 * In a URL each name stands as its percent-encoded BYTES, so names that are not UTF-8 have addresses too. (`encodeURIComponent`
 * throws on the lone surrogates that `name.ts` uses for such bytes.)
 */
import { EdgemountError } from './error.ts'
import { decodeName, encodeName, nameBytesMax } from './name.ts'

export const rootPath = '/'

/** The names of a path, none for `/`. Throws `invalid` unless the path is canonical. */
export function splitPath(path: string): readonly string[] {
  if (path === rootPath) return []
  if (!path.startsWith('/')) throw invalidPath(path, 'a path begins with "/"')
  const names = path.slice(1).split('/')
  for (const name of names) {
    const fault = faultOfName(name)
    if (fault !== undefined) throw invalidPath(path, fault)
  }
  return names
}

/** The path of these names; the inverse of `splitPath`. */
export function joinPath(names: readonly string[]): string {
  const path = `/${names.join('/')}`
  for (const name of names) {
    const fault = faultOfName(name)
    if (fault !== undefined) throw invalidPath(path, fault)
  }
  return path
}

/** The path of `name` in the directory `parent`. */
export function childPath(parent: string, name: string): string {
  checkName(name)
  return parent === rootPath ? `/${name}` : `${parent}/${name}`
}

/** The directory a path lies in. The root has none: undefined. */
export function parentPath(path: string): string | undefined {
  const names = splitPath(path)
  return names.length === 0 ? undefined : `/${names.slice(0, -1).join('/')}`
}

/** The last name of a path. The root has none: ''. */
export function baseName(path: string): string {
  return splitPath(path).at(-1) ?? ''
}

/** True for `ancestor` itself and everything below it. Both are canonical. */
export function isWithin(path: string, ancestor: string): boolean {
  return ancestor === rootPath || path === ancestor || path.startsWith(`${ancestor}/`)
}

/** Throws `invalid` unless `name` can stand in a directory. */
export function checkName(name: string): void {
  const fault = faultOfName(name)
  if (fault !== undefined) throw new EdgemountError('invalid', `Cannot use the name ${JSON.stringify(shortened(name))}: ${fault}`)
}

/** What was sent may be far longer than a name, and a message is read by people. */
function shortened(name: string): string {
  return name.length > nameBytesMax ? `${name.slice(0, 60)}…` : name
}

/** A path as people type it: the leading slash may be missing, one may follow at the end. */
export function parsePath(text: string): string {
  return joinPath(typedNames(text))
}

/** A name for a URL: all bytes but RFC 3986's unreserved ones (section 2.3) stand as `%XX`. */
export function percentEncodeName(name: string): string {
  let text = ''
  for (const byte of encodeName(name)) {
    text += isUnreserved(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

/** The inverse of `percentEncodeName`; takes any valid URL segment. Throws `invalid` on broken escapes and impossible names. */
export function percentDecodeName(text: string): string {
  const raw = encodeName(text)
  const bytes = new Uint8Array(raw.length)
  let length = 0
  for (let index = 0; index < raw.length; index += 1) {
    let byte = raw[index]!
    if (byte === 0x25) {
      byte = hexValue(raw[index + 1]) * 16 + hexValue(raw[index + 2])
      if (Number.isNaN(byte)) throw new EdgemountError('invalid', `Cannot decode "${text}": "%" is not followed by two hex digits`)
      index += 2
    }
    bytes[length] = byte
    length += 1
  }
  const name = decodeName(bytes.subarray(0, length))
  checkName(name)
  return name
}

/** `/a b/ü` → `/a%20b/%C3%BC`. */
export function percentEncodePath(path: string): string {
  return `/${splitPath(path).map(percentEncodeName).join('/')}`
}

/** The inverse of `percentEncodePath`; the leading slash may be missing, one trailing slash is taken off. */
export function percentDecodePath(text: string): string {
  return `/${typedNames(text).map(percentDecodeName).join('/')}`
}

/** What stands between the slashes, one at each end aside. */
function typedNames(text: string): string[] {
  if (text === '' || text === '/') return []
  const inner = text.startsWith('/') ? text.slice(1) : text
  return (inner.endsWith('/') ? inner.slice(0, -1) : inner).split('/')
}

/** Why a name cannot be, or undefined. */
function faultOfName(name: string): string | undefined {
  if (name === '') return 'a name is empty'
  if (name === '.' || name === '..') return `"${name}" is not a name`
  if (name.includes('\0')) return 'a name contains a NUL'
  if (name.includes('/')) return 'a name contains a slash'
  // No name of at most 85 UTF-16 units is longer than 255 bytes, so most are never encoded here.
  if (name.length * 3 > nameBytesMax && encodeName(name).length > nameBytesMax) return `a name is longer than ${nameBytesMax} bytes`
  return undefined
}

function invalidPath(path: string, fault: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot use the path ${JSON.stringify(path)}: ${fault}`)
}

function isUnreserved(byte: number): boolean {
  const isLetter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
  const isDigit = byte >= 0x30 && byte <= 0x39
  return isLetter || isDigit || byte === 0x2d || byte === 0x2e || byte === 0x5f || byte === 0x7e
}

function hexValue(byte: number | undefined): number {
  if (byte === undefined) return Number.NaN
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const upper = byte & 0xdf
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x37 : Number.NaN
}
