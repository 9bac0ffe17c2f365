/**
 * A directory as a page for people. The JSON form is `shared/wire/messages.ts`; which of the two a client gets is decided here, by its `Accept`.
 */
import type { Entry } from '../../shared/format/entry.ts'
import { percentEncodeName } from '../../shared/path.ts'
import { formatTime } from '../../shared/wire/messages.ts'

export interface ListedItems {
  readonly items: readonly { readonly name: string; readonly entry: Entry }[]
  readonly isLast: boolean
}

export interface ListedPage extends ListedItems {
  /** Canonical volume path. */
  readonly path: string
  /** What the page is about, for example `demo` or `demo at 12`. */
  readonly title: string
  /** True when this page does not begin the directory. */
  readonly isContinued: boolean
}

/** Scripts have no business in a listing; the page has none. */
const listingPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The headers of a page that the edge makes itself. */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': listingPolicy,
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
} as const

/**
 * True for a program that says nothing of what it likes: those walk the links of pages, as rclone's `http` remote does, and know a directory by the
 * redirect to its slash. They do not follow a link to a next page, so one page must hold the whole directory; who asks for a part of it knows this edge, and
 * gets JSON. An empty `Accept` is none: workerd does not tell them apart.
 */
export function walksLinks(accept: string | null, isPart: boolean): boolean {
  return (accept ?? '') === '' && !isPart
}

/** True when the client names HTML and does not like JSON better (RFC 9110 section 12.5.1). A bare wildcard is a program: JSON. */
export function prefersHtml(accept: string | null): boolean {
  let html = 0
  let json = 0
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = quality === undefined ? 1 : Number(quality.slice(2))
    if (type === 'text/html' || type === 'application/xhtml+xml') html = Math.max(html, weight)
    if (type === 'application/json') json = Math.max(json, weight)
  }
  return html > 0 && html >= json
}

export function renderListing(page: ListedPage): string {
  const last = page.items.at(-1)
  const more: string[] = []
  if (page.isContinued) more.push('<a href="?">from the beginning</a>')
  if (!page.isLast && last !== undefined) more.push(`<a href="?after=${percentEncodeName(last.name)}">more</a>`)
  return `${renderStart(page)}${renderRows(page.items)}${renderEnd(more)}`
}

/** The whole directory as one page, however many names it has: `first` and what `next` gives after a name, until it is the last. */
export async function* listingPieces(first: ListedPage, next: (after: string) => Promise<ListedItems>): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder()
  yield encoder.encode(renderStart(first))
  for (let part: ListedItems = first; ; ) {
    yield encoder.encode(renderRows(part.items))
    const last = part.items.at(-1)
    if (part.isLast || last === undefined) break
    part = await next(last.name)
  }
  yield encoder.encode(renderEnd([]))
}

function renderStart(page: ListedPage): string {
  const up = page.path === '/' ? '' : '<tr><td><a href="../">../</a></td><td></td><td></td></tr>\n'
  // GDAL's /vsicurl knows a listing by a title that ends with a colon, a space and the end of its path.
  const heading = escapeHtml(`${page.title}: ${displayName(page.path)}`)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${heading}</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { padding: .2rem .5rem; text-align: left; overflow-wrap: anywhere }
td:nth-child(2), th:nth-child(2) { text-align: right }
td + td { color: gray; white-space: nowrap }
</style>
<h1>${heading}</h1>
<table>
<tr><th>Name</th><th>Size</th><th>Modified</th></tr>
${up}`
}

const renderRows = (items: ListedItems['items']): string => items.map(({ name, entry }) => `${renderRow(name, entry)}\n`).join('')

const renderEnd = (links: readonly string[]): string => `</table>
<p>${links.join(' · ')}</p>
</html>
`

function renderRow(name: string, entry: Entry): string {
  const mark = entry.kind === 'directory' ? '/' : ''
  const target = entry.content.kind === 'target' ? ` → ${displayName(entry.content.target)}` : ''
  const size = entry.kind === 'file' ? String(entry.size) : ''
  const time = formatTime(entry.mtime)?.slice(0, 19).replace('T', ' ') ?? ''
  const link = `<a href="${percentEncodeName(name)}${mark}">${escapeHtml(displayName(name))}${mark}</a>`
  return `<tr><td>${link}${escapeHtml(target)}</td><td>${size}</td><td>${time}</td></tr>`
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}

/** A name that can be shown: controls become their pictures (U+2400…), bytes that are not UTF-8 the replacement character, text direction is not changed. */
export function displayName(name: string): string {
  return (
    name
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- controls are what is looked for
      .replaceAll(/[\u0000-\u001f]/g, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))
      .replaceAll('\u007f', '\u2421')
      .replaceAll(/[\u0080-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
  )
}
