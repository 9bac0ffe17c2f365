/**
 * Where a volume is, from the address that a page has: `https://host/v1/name`, the same below `/t/{token}/`, `https://host/name`, and `@{seq}` after any of them.
 */
import { EdgemountError } from '../../shared/error.ts'
import { checkVolumeName } from '../../shared/wire/routes.ts'

export interface VolumeAddress {
  /** What stands before `/v1`, without a token. */
  readonly edge: string
  readonly volume: string
  readonly token: string | undefined
  /** The commit to stay at. */
  readonly seq: number | undefined
}

/** Throws `invalid` for what is no address of a volume. `base` is the page's own, for relative ones. */
export function readVolumeAddress(address: string, base: string | undefined): VolumeAddress {
  const url = parse(address, base)
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw unfit(address, 'it begins with http:// or https://')
  const names = url.pathname.split('/').filter((name) => name !== '')
  const pin = /^@(\d{1,15})$/.exec(names.at(-1) ?? '')
  if (pin !== null) names.pop()
  const volume = names.pop()
  if (volume === undefined) throw unfit(address, 'it ends with the name of a volume, for example https://files.example/v1/photos')
  checkVolumeName(volume)
  if (names.at(-1) === 'v1') names.pop()
  const isTokenPath = names.at(-2) === 't'
  const inPath = isTokenPath ? names.pop() : undefined
  if (isTokenPath) names.pop()
  const edge = [url.origin, ...names].join('/')
  return { edge, volume, token: inPath ?? url.searchParams.get('t') ?? undefined, seq: pin === null ? undefined : Number(pin[1]) }
}

function parse(address: string, base: string | undefined): URL | undefined {
  try {
    return new URL(address, base)
  } catch {
    return undefined
  }
}

function unfit(address: string, why: string): EdgemountError {
  const shown = address.replace(/\/t\/[^/]+/, '/t/…').replace(/\?.*/, '')
  return new EdgemountError('invalid', `Cannot open the volume at "${shown}": give its address; ${why}`)
}
