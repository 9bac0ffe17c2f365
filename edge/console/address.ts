/**
 * What the console shows, as the fragment of its address, and back. Pure. The fragment never reaches a server or a `Referer`, works wherever the page is served from, and is
 * all the state there is: what has the same address looks the same.
 *
 *     #/                              the volumes
 *     #/photos/2026/                  a directory
 *     #/photos@12/2026/a.jpg?panel=details
 *     #/photos/2026/a.jpg?panel=history&from=11&to=12
 */
import { percentDecodePath, percentEncodePath, rootPath } from '../../shared/path.ts'
import { checkVolumeName } from '../../shared/wire/routes.ts'

export const sortKeys = ['name', 'size', 'time'] as const
export type SortKey = (typeof sortKeys)[number]

export interface Sort {
  readonly key: SortKey
  readonly isDescending: boolean
}

/** What the history shows the differences of. */
export interface Comparison {
  readonly from: number
  /** The newest unless given. */
  readonly to: number | undefined
  /** Where it was in `to`, and in `from`, where that is not where it is. */
  readonly path: string | undefined
  readonly oldPath: string | undefined
}

export interface Address {
  /** Undefined for the list of volumes. */
  readonly volume: string | undefined
  /** The commit that is looked at; the newest unless given. */
  readonly seq: number | undefined
  readonly path: string
  /** What is shown of it; what a directory or a file shows first unless given. */
  readonly panel: string | undefined
  readonly sort: Sort
  readonly filter: string
  /** In the history alone. */
  readonly comparison: Comparison | undefined
}

/** Of the panel that has comparisons. */
export const historyId = 'history'
export const byName: Sort = { key: 'name', isDescending: false }
export const volumesAddress: Address = { volume: undefined, seq: undefined, path: rootPath, panel: undefined, sort: byName, filter: '', comparison: undefined }

/** Throws `invalid` for what cannot be an address. */
export function parseAddress(fragment: string): Address {
  const text = fragment.replace(/^#/, '')
  const mark = text.indexOf('?')
  const place = mark < 0 ? text : text.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1))
  const names = place.replace(/^\//, '')
  if (names === '') return volumesAddress
  const slash = names.indexOf('/')
  const first = slash < 0 ? names : names.slice(0, slash)
  const [, volume = first, seq] = /^(.*)@(\d{1,15})$/.exec(first) ?? []
  checkVolumeName(volume)
  return {
    volume,
    seq: seq === undefined ? undefined : Number(seq),
    path: percentDecodePath(slash < 0 ? '' : names.slice(slash)),
    panel: query.get('panel') ?? undefined,
    sort: parseSort(query.get('sort')),
    filter: query.get('filter') ?? '',
    comparison: query.get('panel') === historyId ? parseComparison(query) : undefined,
  }
}

/** The fragment, with its `#`. `isFolder` puts a slash at the end, as a reminder for people. */
export function formatAddress({ volume, seq, path, panel, sort, filter, comparison }: Address, isFolder = false): string {
  if (volume === undefined) return '#/'
  const query = new URLSearchParams()
  if (panel !== undefined) query.set('panel', panel)
  if (panel === historyId && comparison !== undefined) for (const [name, text] of comparisonQuery(comparison)) query.set(name, text)
  if (sort.key !== 'name' || sort.isDescending) query.set('sort', `${sort.isDescending ? '-' : ''}${sort.key}`)
  if (filter !== '') query.set('filter', filter)
  const encoded = path === rootPath ? '/' : `${percentEncodePath(path)}${isFolder ? '/' : ''}`
  return `#/${volume}${seq === undefined ? '' : `@${seq}`}${encoded}${query.size === 0 ? '' : `?${query}`}`
}

function comparisonQuery({ from, to, path, oldPath }: Comparison): (readonly [string, string])[] {
  // Names that are not UTF-8 would be lost in a query that is not encoded before.
  const parts = [['from', String(from)], ['to', to?.toString()], ['then', path && percentEncodePath(path)], ['was', oldPath && percentEncodePath(oldPath)]] as const
  return parts.flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]))
}

function parseComparison(query: URLSearchParams): Comparison | undefined {
  const number = (name: string): number | undefined => (/^[1-9]\d{0,14}$/.test(query.get(name) ?? '') ? Number(query.get(name)) : undefined)
  const path = (name: string): string | undefined => (query.has(name) ? percentDecodePath(query.get(name) ?? '') : undefined)
  const from = number('from')
  return from === undefined ? undefined : { from, to: number('to'), path: path('then'), oldPath: path('was') }
}

function parseSort(text: string | null): Sort {
  const isDescending = text?.startsWith('-') === true
  const key = sortKeys.find((each) => each === (isDescending ? text?.slice(1) : text))
  return key === undefined ? byName : { key, isDescending }
}
