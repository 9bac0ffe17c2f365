/**
 * By what right an Azure account is used, out of the environment: its key, a connection string, a SAS token, an identity of Azure, or none (a public container). Pure.
 *
 * An identity is looked for where something says that there is one: the search itself goes to the network and starts programs, and takes seconds where there is none.
 */
import { EdgemountError } from '../../../shared/error.ts'

export type AzureAccess =
  | { readonly kind: 'key'; readonly key: string; readonly endpoint?: string | undefined }
  /** Without a question mark before it. */
  | { readonly kind: 'sas'; readonly token: string; readonly endpoint?: string | undefined }
  /** What `DefaultAzureCredential` finds: the environment's, the workload's or the machine's, or who is signed in (`az login`). */
  | { readonly kind: 'identity'; readonly endpoint?: undefined }
  | { readonly kind: 'anonymous'; readonly endpoint?: undefined }

/** Each is there only where an identity is: of an app's registration, of a workload in Kubernetes, of a service of Azure. */
const identityNames = ['AZURE_CLIENT_ID', 'AZURE_FEDERATED_TOKEN_FILE', 'IDENTITY_ENDPOINT', 'MSI_ENDPOINT']

/** Throws `invalid` for what cannot belong to the account. No message holds what is secret. */
export function azureAccess(account: string, environment: Readonly<Record<string, string | undefined>>): AzureAccess {
  const { AZURE_STORAGE_KEY: key, AZURE_STORAGE_CONNECTION_STRING: connection, AZURE_STORAGE_SAS_TOKEN: token, AZURE_STORAGE_AUTH_MODE: mode } = environment
  if (mode !== undefined && !['', 'key', 'login'].includes(mode)) {
    throw new EdgemountError('invalid', `Cannot use AZURE_STORAGE_AUTH_MODE "${mode}": it must be "login" (an identity of Azure) or "key"`)
  }
  if (mode === 'login') return { kind: 'identity' }
  if (key) return { kind: 'key', key: checkAccountKey(key, 'AZURE_STORAGE_KEY') }
  if (connection) return ofConnectionString(account, connection)
  if (token) return { kind: 'sas', token: token.replace(/^\?/, '') }
  return mode !== 'key' && identityNames.some((name) => environment[name]) ? { kind: 'identity' } : { kind: 'anonymous' }
}

function ofConnectionString(account: string, text: string): AzureAccess {
  const parts = new Map(text.split(';').map((part) => {
    const index = part.indexOf('=')
    return [part.slice(0, index).trim().toLowerCase(), part.slice(index + 1).trim()] as const
  }))
  const named = parts.get('accountname')
  if (named !== undefined && named !== account) {
    throw new EdgemountError('invalid', `Cannot open the account "${account}": AZURE_STORAGE_CONNECTION_STRING is for the account "${named}"`)
  }
  const endpoint = parts.get('blobendpoint')?.replace(/\/+$/, '')
  const key = parts.get('accountkey')
  if (key) return { kind: 'key', key: checkAccountKey(key, 'AZURE_STORAGE_CONNECTION_STRING'), endpoint }
  const token = parts.get('sharedaccesssignature')
  if (token) return { kind: 'sas', token: token.replace(/^\?/, ''), endpoint }
  throw new EdgemountError('invalid', `Cannot open the account "${account}": AZURE_STORAGE_CONNECTION_STRING has no AccountKey and no SharedAccessSignature`)
}

function checkAccountKey(key: string, name: string): string {
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(key)) return key
  throw new EdgemountError('invalid', `Cannot use the key in ${name}: it is not base64`)
}
