/**
 * By what right an Azure account is used, out of the environment: its key, a connection string, a SAS token, or none (a public container). Pure.
 *
 * Identities of Azure (`DefaultAzureCredential`) are not among them: they need a package of their own. `az storage container generate-sas --as-user` makes a SAS
 * token of one.
 */
import { EdgemountError } from '../../../shared/error.ts'

export type AzureAccess =
  | { readonly kind: 'key'; readonly key: string; readonly endpoint?: string | undefined }
  /** Without a question mark before it. */
  | { readonly kind: 'sas'; readonly token: string; readonly endpoint?: string | undefined }
  | { readonly kind: 'anonymous'; readonly endpoint?: undefined }

/** Throws `invalid` for what cannot belong to the account. No message holds what is secret. */
export function azureAccess(account: string, environment: Readonly<Record<string, string | undefined>>): AzureAccess {
  const { AZURE_STORAGE_KEY: key, AZURE_STORAGE_CONNECTION_STRING: connection, AZURE_STORAGE_SAS_TOKEN: token } = environment
  if (key) return { kind: 'key', key: checkAccountKey(key, 'AZURE_STORAGE_KEY') }
  if (connection) return ofConnectionString(account, connection)
  return token ? { kind: 'sas', token: token.replace(/^\?/, '') } : { kind: 'anonymous' }
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
