/**
 * `<source>/<volume>[@<seq>][/<path>]`, taken apart. A pure function; `open.ts` opens what it gives.
 *
 * In an edge's URL the first segment is the volume; an address copied from a browser (`…/v1/<volume>/files/…`) means the same file. Where the
 * volume stands in a store's text only the store can tell, so all places are given, from left to right.
 */
import { EdgemountError } from '../../shared/error.ts'
import { parsePath, percentDecodeName, rootPath } from '../../shared/path.ts'
import { checkVolumeName } from '../../shared/wire/routes.ts'

export interface Place {
  /** Base URL of the edge without a slash at its end, or a store's text such as `dir:./data`. */
  readonly source: string
  readonly volume: string
  /** The commit that is meant; undefined for the newest. */
  readonly seq: number | undefined
  /** Canonical path in the volume. */
  readonly path: string
  /** What is brought to an edge: from its URL, or as the settings say. Never printed. */
  readonly token?: string | undefined
}

export type Target =
  | { readonly kind: 'edge'; readonly text: string; readonly place: Place }
  | { readonly kind: 'store'; readonly text: string; readonly places: readonly [Place, ...Place[]] }

/** Throws `invalid` when the text is neither. */
export function parseTarget(text: string): Target {
  if (/^https?:\/\//i.test(text)) return { kind: 'edge', text, place: parseEdge(text) }
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/s.exec(text)
  if (match === null) throw invalid(text, `it has no source. For a folder on this disk write "dir:${text}", for an edge "http://…"`)
  return { kind: 'store', text, places: placesOf(text, match[1] ?? '', match[2] ?? '') }
}

function parseEdge(text: string): Place {
  const url = URL.parse(text)
  if (url === null) throw invalid(text, 'it is not a URL')
  const inQuery = /^\?t=([^&]+)$/.exec(url.search)?.[1]
  if ((url.search !== '' && inQuery === undefined) || url.hash !== '') throw invalid(text, 'write "?" as %3F and "#" as %23')
  const { segments, token = inQuery } = takeToken(url.pathname.split('/').filter((segment) => segment !== ''))
  const api = segments.indexOf('v1')
  const base = api < 0 ? [] : segments.slice(0, api)
  const [volume, ...rest] = segments.slice(api < 0 ? 0 : api + 1)
  if (volume === undefined) throw invalid(text, 'the volume is missing: <edge>/<volume>')
  const names = (api >= 0 && rest[0] === 'files' ? rest.slice(1) : rest).map(percentDecodeName)
  const found = place([url.origin, ...base].join('/'), percentDecodeName(volume), names)
  return token === undefined ? found : { ...found, token }
}

/** An address that a browser has may hold a path token: `/t/{token}/v1/…`. */
function takeToken(segments: readonly string[]): { readonly segments: readonly string[]; readonly token?: string } {
  const at = segments.findIndex((segment, index) => segment === 't' && segments[index + 1]?.startsWith('em1.') === true)
  const token = segments[at + 1]
  return at < 0 || token === undefined ? { segments } : { segments: [...segments.slice(0, at), ...segments.slice(at + 2)], token }
}

function placesOf(text: string, scheme: string, inner: string): readonly [Place, ...Place[]] {
  // `s3://bucket/…`: the bucket belongs to the store, whatever else does; of `az://account/container/…` two names do.
  const isHosted = scheme !== 'dir' && inner.startsWith('//')
  if (!isHosted && (scheme === 's3' || scheme === 'az')) throw invalid(shownText(text), `write "${scheme}://${inner.replace(/^\/+/, '')}"`)
  const ownCount = isHosted ? (scheme === 'az' ? 2 : 1) : 0
  const root = isHosted ? '//' : inner.startsWith('/') ? '/' : ''
  // Its parameters stand at the end of the whole text.
  const [, where = inner, query = ''] = (isHosted ? /^(.*)(\?[a-z][a-z-]*=.*)$/s.exec(inner) : null) ?? []
  const segments = where.split('/').filter((segment) => segment !== '')
  const places: Place[] = []
  for (let index = ownCount; index < segments.length; index += 1) {
    const [volume, ...rest] = segments.slice(index)
    const base = `${root}${segments.slice(0, index).join('/')}`
    // What stands before the volume may hold `..`, the path after it may not.
    if (volume === undefined || !isVolumeName(volume.replace(pinned, '$1')) || rest.some((name) => name === '.' || name === '..')) continue
    places.push(place(`${scheme}:${base === '' ? '.' : base}${query}`, volume, rest))
  }
  const [first, ...others] = places
  if (first !== undefined) return [first, ...others]
  const last = segments.at(-1)
  if (last !== undefined && !isHosted) checkVolumeName(last.replace(pinned, '$1'))
  throw invalid(shownText(text), `the volume is missing: ${scheme}:${isHosted ? `//${[...segments.slice(0, ownCount), ...hostedNames(scheme).slice(segments.length)].join('/')}` : '<store>'}/<volume>`)
}

/** Without a user and a password, which people write where they do not belong. */
function shownText(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1…@')
}

function hostedNames(scheme: string): readonly string[] {
  return scheme === 'az' ? ['<account>', '<container>'] : ['<bucket>']
}

/** What stands below a source, as people write it: the parameters of a store in a cloud come last. */
export function inSource(source: string, name: string): string {
  const [, base = source, query = ''] = /^([a-z0-9]+:\/\/[^?]*)(\?.*)$/s.exec(source) ?? []
  return `${base.replace(/\/$/, '')}/${name}${query}`
}

/** What stands below a source, as it is typed into a shell, which takes `?`, `&` and `<` for its own. */
export function typedInSource(source: string, name: string): string {
  const text = inSource(source, name)
  return /^[a-z0-9]+:\/\/[^'?]*\?[^']*$/.test(text) ? `'${text}'` : text
}

const pinned = /^(.+)@(\d+)$/

export function isVolumeName(text: string): boolean {
  try {
    checkVolumeName(text)
    return true
  } catch {
    return false
  }
}

/** Takes `@12` off the volume, or off the front of the path, where URLs have it. */
function place(source: string, segment: string, names: readonly string[]): Place {
  const match = pinned.exec(segment)
  const first = /^@(\d+)$/.exec(names[0] ?? '')
  const seqText = match?.[2] ?? first?.[1]
  const isSecond = match === null && first !== null
  return {
    source,
    volume: match?.[1] ?? segment,
    seq: seqText === undefined ? undefined : Number(seqText),
    path: names.length === 0 ? rootPath : parsePath((isSecond ? names.slice(1) : names).join('/')),
  }
}

function invalid(text: string, why: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot use "${text}" as a volume path: ${why}`)
}
