/**
 * What Azure Blob Storage answers when something fails, as the codes of `shared/error.ts` and a sentence that says what to do. Called by the Azure store alone.
 *
 * INVARIANT: no message holds the address of a request, which has the signature in it where access is by SAS.
 */
import { throwIfAborted } from '../../../shared/abort.ts'
import { EdgemountError, type ErrorCode, messageOf } from '../../../shared/error.ts'

export interface AzureAnswer {
  /** Azure's own word, for example `BlobNotFound`; empty where an answer has no body. */
  readonly name: string
  /** 0 when no answer came. */
  readonly status: number
  readonly message: string
}

export interface AzureDoing {
  /** Completes "Cannot …". */
  readonly text: string
  readonly container: string
  readonly signal: AbortSignal | undefined
}

export function azureAnswerOf(error: unknown): AzureAnswer {
  if (!(error instanceof Error)) return { name: '', status: 0, message: String(error) }
  const status: unknown = 'statusCode' in error ? error.statusCode : undefined
  const name: unknown = 'code' in error ? error.code : undefined
  // What follows are the request's id and time.
  const message = error.message.split('\n', 1)[0] ?? ''
  return { name: typeof name === 'string' ? name : '', status: typeof status === 'number' ? status : 0, message }
}

/** Passes errors of ours; a fired signal says what ended the call. */
export function azureError({ text, container, signal }: AzureDoing, error: unknown): EdgemountError {
  if (error instanceof EdgemountError) return error
  try {
    throwIfAborted(signal)
  } catch (aborted) {
    if (aborted instanceof EdgemountError) return aborted
  }
  const [code, why] = reasonOf(container, azureAnswerOf(error), error)
  return new EdgemountError(code, `Cannot ${text}: ${why}`, { cause: error })
}

type Reason = readonly [code: ErrorCode, why: string]

const keysHint = 'Check AZURE_STORAGE_KEY, AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_SAS_TOKEN'

/** Of `@azure/identity`, by their names. */
const identityErrors: ReadonlySet<string> = new Set(['CredentialUnavailableError', 'AuthenticationError', 'AggregateAuthenticationError', 'AuthenticationRequiredError'])

function reasonOf(container: string, { name, status, message }: AzureAnswer, error: unknown): Reason {
  if (error instanceof Error && identityErrors.has(error.name)) {
    return ['denied', `no identity of Azure gives a token here (${message}). Sign in with az login, or set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN`]
  }
  switch (name) {
    case 'ContainerNotFound':
      return ['invalid', `there is no container "${container}" there. Make it, or check its name and the account`]
    case 'AuthenticationFailed':
      return ['denied', `the key or the SAS token is not right, has expired, or this machine's clock is wrong. ${keysHint}`]
    case 'NoAuthenticationInformation':
    case 'PublicAccessNotPermitted':
    case 'ResourceNotFound':
      return ['denied', 'the account asks for credentials. Set AZURE_STORAGE_KEY, AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_SAS_TOKEN, or AZURE_STORAGE_AUTH_MODE=login for an identity']
    case 'AuthorizationPermissionMismatch':
    case 'AuthorizationServiceMismatch':
    case 'AuthorizationResourceTypeMismatch':
      return ['denied', 'the SAS token or the identity does not allow it; a volume needs read, add, create, write, delete and list (racwdl) on the container, or the role Storage Blob Data Contributor']
    case 'ContainerBeingDeleted':
    case 'ServerBusy':
    case 'OperationTimedOut':
    case 'InternalError':
      return ['unavailable', `${name} (${message}); try again`]
    case 'LeaseIdMissing':
      return ['conflict', 'somebody holds a lease on the blob. Break it']
  }
  if (status === 0) return ['unavailable', `${reachText(error)}; check the account, the endpoint and the network, and try again`]
  if (status === 401 || status === 403) return ['denied', `access is denied (${name === '' ? message : name}). ${keysHint}`]
  if (status === 405 || status === 501) return ['unsupported', `the server does not do that (${message})`]
  if (status === 408 || status === 409 || status === 412 || status === 429 || status >= 500) return ['unavailable', `the server answered ${status} (${name === '' ? message : name}); try again`]
  return ['invalid', `the server answered ${status} (${name === '' ? message : `${name}: ${message}`})`]
}

function reachText(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return (cause === undefined ? messageOf(error) : messageOf(cause)).replace(/https?:\/\/\S+/g, 'the server')
}
