/**
 * What S3 servers answer when something fails, as the codes of `shared/error.ts` and a sentence that says what to do. Called by the S3 store alone.
 *
 * INVARIANT: nothing of a request is in a message but its key: headers hold signatures. A server's own words are shown, which hold no secret key.
 */
import { throwIfAborted } from '../../../shared/abort.ts'
import { EdgemountError, type ErrorCode, FullError, messageOf } from '../../../shared/error.ts'

export interface Answer {
  readonly name: string
  /** 0 when no answer came. */
  readonly status: number
  readonly message: string
}

export interface Doing {
  /** Completes "Cannot …", for example `read "head" from s3://bucket`. */
  readonly text: string
  readonly bucket: string
  /** The right that AWS asks for, for example `s3:GetObject`. */
  readonly right: string
  readonly signal: AbortSignal | undefined
}

export function answerOf(error: unknown): Answer {
  if (!(error instanceof Error)) return { name: '', status: 0, message: String(error) }
  const metadata: unknown = '$metadata' in error ? error.$metadata : undefined
  const status: unknown = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata ? metadata.httpStatusCode : undefined
  return { name: error.name, status: typeof status === 'number' ? status : 0, message: error.message }
}

/** Passes errors of ours; a fired signal says what ended the call, whatever the runtime made of it. */
export function s3Error(doing: Doing, error: unknown): EdgemountError {
  if (error instanceof EdgemountError) return error
  try {
    throwIfAborted(doing.signal)
  } catch (aborted) {
    if (aborted instanceof EdgemountError) return aborted
  }
  const [code, why] = reasonOf(doing, answerOf(error), error)
  const message = `Cannot ${doing.text}: ${why}`
  return code === 'exhausted' ? new FullError(message, { cause: error }) : new EdgemountError(code, message, { cause: error })
}

type Reason = readonly [code: ErrorCode, why: string]

const moment: ErrorCode = 'unavailable'

function reasonOf(doing: Doing, { name, status, message }: Answer, error: unknown): Reason {
  switch (name) {
    case 'NoSuchBucket':
      return ['invalid', `there is no bucket "${doing.bucket}" there. Make it, or check its name, the endpoint and the region`]
    case 'CredentialsProviderError':
    case 'CredentialsError':
    case 'TokenProviderError':
      return ['denied', `no credentials were found (${message}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE`]
    case 'InvalidAccessKeyId':
      return ['denied', 'the server does not know the access key. Check AWS_ACCESS_KEY_ID, or the profile, and the endpoint']
    case 'SignatureDoesNotMatch':
      return ['denied', 'the secret key does not belong to the access key. Check AWS_SECRET_ACCESS_KEY, or the profile']
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'TokenRefreshRequired':
    case 'InvalidToken':
      return ['denied', 'the session token has expired or is not valid. Sign in again, or set a new AWS_SESSION_TOKEN']
    // The client has learnt the difference from the answer: the next try is signed with the server's time.
    case 'RequestTimeTooSkewed':
      return [moment, "this machine's clock differs too much from the server's; set it, and try again"]
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
    case 'TemporaryRedirect':
      return ['invalid', `the bucket is in another region (${message}). Give the right one: ?region=<region>`]
    case 'QuotaExceeded':
    case 'XMinioStorageFull':
    case 'XMinioAdminBucketQuotaExceeded':
      return ['exhausted', `the server has no room left for it (${name}). Make room, or raise the quota`]
    case 'RequestTimeout':
    case 'SlowDown':
    case 'ServiceUnavailable':
    case 'InternalError':
    case 'OperationAborted':
    case 'ConditionalRequestConflict':
    case 'BadDigest':
    case 'IncompleteBody':
      return [moment, `${name} (${message}); try again`]
    default:
      return reasonOfStatus(doing, { name, status, message }, error)
  }
}

function reasonOfStatus(doing: Doing, { name, status, message }: Answer, error: unknown): Reason {
  const said = name === '' || name === 'Error' || name === 'Unknown' || name === 'UnknownError' ? message : `${name}: ${message}`
  if (status === 0) return [moment, `${reachText(error)}; check the endpoint and the network, and try again`]
  if (status >= 300 && status < 400) return ['invalid', `the server points to another place (${status}). Check the endpoint, and give the bucket's region: ?region=<region>`]
  if (status === 401 || status === 403) {
    // Whoever may not list a bucket is told 403 for what is not there.
    return ['denied', `access is denied (${said}). The credentials need ${doing.right}${doing.right === 's3:GetObject' ? ' and s3:ListBucket' : ''} on the bucket "${doing.bucket}"`]
  }
  if (status === 405 || status === 501) return ['unsupported', `the server does not do that (${said})`]
  if (status === 408 || status === 409 || status === 429 || status >= 500) return [moment, `the server answered ${status} (${said}); try again`]
  if (status === 412) return [moment, `the server refused a condition that was not asked for (${said}); try again`]
  return ['invalid', `the server answered ${status} (${said})`]
}

/** `fetch` says no more than that it failed; why stands behind it. */
function reachText(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof AggregateError) return messageOf(cause.errors[0])
  return cause === undefined ? messageOf(error) : messageOf(cause)
}
