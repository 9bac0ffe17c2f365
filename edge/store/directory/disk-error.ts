/**
 * What an errno of the disk means to somebody who uses a store, as a code and a sentence that says what to do.
 */
import { EdgemountError, FullError, messageOf } from '../../../shared/error.ts'

/** True when `error` is a system error with this name, for example `isErrno(error, 'ENOENT')`. */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  return names.includes(errnoName(error) ?? '')
}

/** `doing` completes "Cannot …", for example `write "head" to dir:/srv`. */
export function diskError(doing: string, error: unknown): EdgemountError {
  if (error instanceof EdgemountError) return error
  const failure = (code: EdgemountError['code'], why: string): EdgemountError =>
    new EdgemountError(code, `Cannot ${doing}: ${why}`, { cause: error })
  const full = (why: string): EdgemountError => new FullError(`Cannot ${doing}: ${why}`, { cause: error })
  switch (errnoName(error)) {
    case 'ENOSPC':
      return full('the disk is full; make room on it')
    case 'EDQUOT':
      return full('the disk quota is used up; make room or raise it')
    case 'EFBIG':
      return full('the file system takes no file of this size')
    case 'EMFILE':
    case 'ENFILE':
      return failure('exhausted', 'too many files are open; raise the limit (ulimit -n)')
    case 'EACCES':
    case 'EPERM':
      return failure('denied', 'no permission; check the owner and mode of the directory')
    case 'EROFS':
      return failure('denied', 'the file system is mounted read-only')
    case 'ENOTDIR':
    case 'EISDIR':
    case 'EEXIST':
    case 'ENOTEMPTY':
      return failure('invalid', 'a key cannot be both an object and a folder of other keys')
    case 'ENAMETOOLONG':
      return failure('invalid', 'the path is longer than the file system takes')
    default:
      return failure('unavailable', `the disk failed (${messageOf(error)})`)
  }
}

function errnoName(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
