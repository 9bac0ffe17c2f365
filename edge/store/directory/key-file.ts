/**
 * Keys as files: the key `data/d01J…` is the file `data/d01J…`, so that a store can be looked at, and copied to a bucket, with ordinary tools.
 *
 * Every part is one file name, in which a byte outside `A-Z a-z 0-9 - _ ~ = @ + , :` and inner dots stands as `%XX`. A leading dot is
 * escaped too: names with a leading dot are the store's own (`.tmp`, `.locks`), and no key can reach them or the parent directory.
 * A part too long for one file name is cut into slices, each but the last a directory whose name ends in `%`, which no escape does.
 */

/** NAME_MAX is 255; a part whose escaped form is at most this long is one file name. */
const fileNameMax = 250
/** Escaping makes three bytes of one, so a slice of 60 is at most 180 and its mark. */
const sliceLength = 60

/** The path of a key below the store's root, as file names. The key has passed `checkKey`. */
export function fileNamesOf(key: string): readonly string[] {
  return key.split('/').flatMap(fileNamesOfPart)
}

/** The part, or slice of a part, that a file name stands for. Foreign names (not made by `fileNamesOf`) give undefined. */
export function partOf(fileName: string): string | undefined {
  const isSlice = fileName.endsWith('%')
  const escaped = isSlice ? fileName.slice(0, -1) : fileName
  const part = escaped.includes('%') ? unescapePart(escaped) : escaped
  return part !== undefined && escapePart(part) === escaped ? part : undefined
}

/** True for a directory that holds the rest of a long part, not keys below a part. */
export function isSliceName(fileName: string): boolean {
  return fileName.endsWith('%')
}

function fileNamesOfPart(part: string): readonly string[] {
  const whole = escapePart(part)
  if (whole.length <= fileNameMax) return [whole]
  const names: string[] = []
  for (let start = 0; start < part.length; start += sliceLength) {
    const isLast = start + sliceLength >= part.length
    names.push(escapePart(part.slice(start, start + sliceLength)) + (isLast ? '' : '%'))
  }
  return names
}

function escapePart(part: string): string {
  return part.replaceAll(/[^A-Za-z0-9_~=@+,:.-]|^\./g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

function unescapePart(escaped: string): string | undefined {
  if (/%(?![0-9A-F]{2})/.test(escaped)) return undefined
  return escaped.replaceAll(/%([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}
