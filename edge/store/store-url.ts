/**
 * What people write for a store, taken apart: `dir:./data`, `memory:`, `s3://bucket/prefix?endpoint=…`, `az://account/container/prefix`. Pure; `open.ts` opens
 * what this gives.
 *
 * INVARIANT: no message repeats what may be a secret: of an address in the cloud only its host and path are shown.
 */
import { EdgemountError } from '../../shared/error.ts'
import { checkKey } from './key.ts'

export interface S3Url {
  readonly kind: 's3'
  readonly bucket: string
  /** Empty, or a key that everything lies below. */
  readonly prefix: string
  /** Base URL of the server; undefined for AWS, or what the environment says. */
  readonly endpoint: string | undefined
  readonly region: string | undefined
  /** `endpoint/bucket/key` and not `bucket.endpoint/key`; undefined for what the endpoint makes likely. */
  readonly isPathStyle: boolean | undefined
}

export interface AzureUrl {
  readonly kind: 'azure'
  readonly account: string
  readonly container: string
  readonly prefix: string
  /** Base URL with the account in it; undefined for `https://<account>.blob.core.windows.net`. */
  readonly endpoint: string | undefined
}

export type StoreUrl = { readonly kind: 'directory'; readonly path: string } | { readonly kind: 'memory' } | S3Url | AzureUrl

/** A store in a cloud leaves so much of the 1024 bytes of a key to what is in it: a volume's name and its keys. */
const prefixBytesMax = 512

/** Throws `invalid` for what is no store URL, `unsupported` for a kind of store that this build does not have. */
export function parseStoreUrl(text: string): StoreUrl {
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(text)
  if (match === null) throw invalid(text, `it names no kind of store; for a directory write "dir:${text}"`)
  const scheme = match[1]!.toLowerCase()
  const rest = match[2]!
  if (scheme === 'memory') {
    if (rest === '') return { kind: 'memory' }
    throw invalid(text, 'nothing may follow "memory:"')
  }
  if (scheme === 'dir') {
    if (rest !== '' && !rest.includes('\0')) return { kind: 'directory', path: rest }
    throw invalid(text, '"dir:" needs a path, for example dir:./data')
  }
  if (scheme === 's3') return parseS3(rest)
  if (scheme === 'az') return parseAzure(rest)
  throw new EdgemountError('unsupported', `Cannot open the store "${shownUrl(text)}": "${scheme}:" is not supported; use dir:<path>, s3://<bucket>, az://<account>/<container> or memory:`)
}

/** The text without what people should not write there, and sometimes do: a user, a password, the values of parameters. */
export function shownUrl(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1…@').replace(/\?.*$/s, '?…')
}

function parseS3(rest: string): S3Url {
  const { names, parameters, shown } = takeApart('s3', rest, ['endpoint', 'region', 'path-style'])
  const [bucket = '', ...folders] = names
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$/.test(bucket)) throw invalid(shown, 'it needs the name of a bucket, for example s3://my-bucket/prefix')
  const style = parameters.get('path-style')
  if (style !== undefined && style !== 'true' && style !== 'false') throw invalid(shown, 'path-style is true or false')
  const region = parameters.get('region')
  if (region !== undefined && !/^[a-zA-Z0-9-]+$/.test(region)) throw invalid(shown, 'a region is letters, digits and "-", for example region=eu-central-1')
  const endpoint = parameters.get('endpoint')
  return {
    kind: 's3',
    bucket,
    prefix: prefixOf(folders, shown),
    endpoint: endpoint === undefined ? undefined : checkEndpoint(endpoint, shown),
    region,
    isPathStyle: style === undefined ? undefined : style === 'true',
  }
}

function parseAzure(rest: string): AzureUrl {
  const { names, parameters, shown } = takeApart('az', rest, ['endpoint'])
  const [account = '', container = '', ...folders] = names
  if (!/^[a-z0-9]{3,24}$/.test(account)) throw invalid(shown, 'it needs a storage account (3 to 24 letters and digits), for example az://account/container/prefix')
  if (!/^[a-z0-9$](?:[a-z0-9-]{1,61}[a-z0-9])$/.test(container)) throw invalid(shown, 'it needs a container (3 to 63 letters, digits and "-"), for example az://account/container/prefix')
  const endpoint = parameters.get('endpoint')
  return { kind: 'azure', account, container, prefix: prefixOf(folders, shown), endpoint: endpoint === undefined ? undefined : checkEndpoint(endpoint, shown) }
}

function takeApart(scheme: string, rest: string, known: readonly string[]): { names: string[]; parameters: ReadonlyMap<string, string>; shown: string } {
  const shown = shownUrl(`${scheme}:${rest}`)
  if (!rest.startsWith('//')) throw invalid(shown, `write ${scheme}://…`)
  const [where, query] = split(rest.slice(2), '?')
  if (where.includes('@')) throw invalid(shown, 'keys and passwords do not belong into an address; give them in the environment')
  if (rest.includes('#')) throw invalid(shown, 'nothing may follow "#"')
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) throw invalid(shown, `it has no parameter "${name}"; there are: ${known.join(', ')}`)
    if (value !== '') parameters.set(name, value)
  }
  return { names: where.replace(/\/+$/, '').split('/'), parameters, shown }
}

function prefixOf(folders: readonly string[], shown: string): string {
  const prefix = folders.join('/')
  if (prefix === '') return ''
  try {
    checkKey(prefix)
  } catch (error) {
    throw new EdgemountError('invalid', `Cannot open the store "${shown}": its prefix must be printable ASCII parts joined by "/"`, { cause: error })
  }
  if (prefix.length > prefixBytesMax) throw invalid(shown, `its prefix is longer than ${prefixBytesMax} bytes`)
  return prefix
}

/** Without a slash at its end. */
function checkEndpoint(text: string, shown: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid(shown, 'its endpoint is no URL, such as https://storage.example')
  if (url.username !== '' || url.password !== '') throw invalid(shown, 'keys and passwords do not belong into an address; give them in the environment')
  if (url.search !== '' || url.hash !== '') throw invalid(shown, 'its endpoint may have no "?" and no "#"')
  return url.href.replace(/\/+$/, '')
}

function split(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator)
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + separator.length)]
}

function invalid(text: string, why: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot open the store "${text}": ${why}`)
}
