/**
 * What Node's file and network calls throw, as our errors: a code, and words instead of "ENOENT: no such file or directory, open '…'".
 */
import { EdgemountError, type ErrorCode } from '../../shared/error.ts'

const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['not-found', 'it does not exist'],
  ENOTDIR: ['invalid', 'it is not a folder'],
  EISDIR: ['invalid', 'it is a folder'],
  EACCES: ['denied', 'permission denied'],
  EPERM: ['denied', 'not permitted'],
  EROFS: ['denied', 'the file system is read-only'],
  EEXIST: ['conflict', 'it exists already'],
  ENOTEMPTY: ['conflict', 'it is not empty'],
  EBUSY: ['conflict', 'it is in use'],
  ETXTBSY: ['conflict', 'it is being executed'],
  ENOSPC: ['exhausted', 'no space is left on the disk'],
  EDQUOT: ['exhausted', 'the disk quota is used up'],
  EMFILE: ['exhausted', 'too many files are open (raise `ulimit -n`)'],
  ENFILE: ['exhausted', 'too many files are open on this machine'],
  EFBIG: ['exhausted', 'it would be too large'],
  ELOOP: ['invalid', 'its symbolic links go in circles'],
  ENAMETOOLONG: ['invalid', 'the name is too long'],
  EADDRINUSE: ['conflict', 'the port is in use'],
  EADDRNOTAVAIL: ['invalid', 'this machine does not have that address'],
  ECONNREFUSED: ['unavailable', 'nobody listens there'],
  ECONNRESET: ['unavailable', 'the connection was cut'],
  EPIPE: ['unavailable', 'the other side is gone'],
  ETIMEDOUT: ['unavailable', 'no answer came in time'],
  EHOSTUNREACH: ['unavailable', 'the host cannot be reached'],
  ENETUNREACH: ['unavailable', 'the network cannot be reached'],
  ENOTFOUND: ['unavailable', 'no host has that name'],
  EAI_AGAIN: ['unavailable', 'host names cannot be looked up now'],
  ENOTCONN: ['unavailable', 'it is a mount whose process is gone'],
  ESTALE: ['unavailable', 'its file handle is stale'],
  EIO: ['unavailable', 'an input/output error'],
  ENXIO: ['unavailable', 'there is no such device'],
}

/** The platform's own name of a failure, for example `ENOENT`; undefined when it has none. */
export function failureName(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** `Cannot <what>: <why>` with the fitting code. An `EdgemountError` stays as it is. */
export function failure(what: string, error: unknown, hint = ''): EdgemountError {
  if (error instanceof EdgemountError) return error
  const [code, why] = meaningOf(error)
  return new EdgemountError(code, `Cannot ${what}: ${why}${hint === '' ? '' : `. ${hint}`}`, { cause: error })
}

/** Why a call failed, in words. */
export function reasonOf(error: unknown): string {
  return error instanceof EdgemountError ? error.message : meaningOf(error)[1]
}

function meaningOf(error: unknown): readonly [ErrorCode, string] {
  const name = failureName(error)
  const known = name === undefined ? undefined : meanings[name]
  if (known !== undefined) return known
  return ['internal', error instanceof Error ? error.message : String(error)]
}
