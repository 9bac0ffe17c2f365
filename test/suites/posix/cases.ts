/** What the cases of the POSIX suite share: who asks, kinds of files, and calls that take a path. */
import type { Credential, FileKind } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'

/** Notes its calls on the script; what is noted last is made for it. Works in an empty directory of its own, which root owns (mode 0755). */
export type Case = (script: Script) => void | Promise<void>

export type Cases = Readonly<Record<string, Case>>

/** Three who have no rights of their own, each alone in the group of the same number. */
export const alice: Credential = { uid: 65_534, gid: 65_534 }
export const bob: Credential = { uid: 65_533, gid: 65_533 }
export const carol: Credential = { uid: 65_532, gid: 65_532 }

export const kinds: readonly FileKind[] = ['regular', 'directory', 'fifo', 'block', 'char', 'socket', 'symlink']
export const kindsButSymlink = kinds.filter((kind) => kind !== 'symlink')
export const kindsButDirectory = kinds.filter((kind) => kind !== 'directory')
/** All that can have several names and attributes of their own. */
export const plainKinds = kindsButSymlink.filter((kind) => kind !== 'directory')

/** An address below the first page, and one that no user may have. */
export const badAddresses = [null, 8, 2 ** 48] as const

/** 255 bytes, the most that a name may have. */
export const longName = 'n'.repeat(255)
export const tooLongName = 'n'.repeat(256)

/** Directories with long names, one in the other, and a last name: `length` bytes in all. */
export function longPath(length: number): { readonly path: string; readonly directories: readonly string[] } {
  const step = 128
  const parts: string[] = []
  const directories: string[] = []
  let left = length
  while (left > step + 1) {
    parts.push('d'.repeat(step - 1))
    directories.push(parts.join('/'))
    left -= step
  }
  return { path: [...parts, 'f'.repeat(left)].join('/'), directories }
}

/** PATH_MAX with its NUL. */
export const pathBytesMax = 4095
