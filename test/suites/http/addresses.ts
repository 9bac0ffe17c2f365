/** Addresses: names of any bytes, what is refused, and what never leads elsewhere. Nothing is normalised: one file has one address. */
import { files } from './files.ts'
import { type Answer, type HttpRow, type RowMore, at, front, instead, refused, request, row, whole } from './row.ts'

const alike: RowMore = { nginx: 'same' }

const nodeBytes = instead('Node refuses bytes that no URI holds', front(400), 'closed')
const noUri: RowMore = { nginx: 'same', on: { workerd: instead('workerd refuses what no URI holds', front(400), 'closed') } }

/** How each name of `files.ts` stands in an address: with as little escaped as can be, and with more. */
const names: readonly (readonly [address: string, name: string, more?: RowMore])[] = [
  ['letters.txt', 'letters.txt'],
  ['%6cetters%2etxt', 'letters.txt'],
  ['%6C%65%74%74%65%72%73%2E%74%78%74', 'letters.txt'],
  ['dir/a.html', 'dir/a.html'],
  ['dir/b/c.txt', 'dir/b/c.txt'],
  ['names/a%20b.txt', 'names/a b.txt'],
  ['names/%C3%BC.txt', 'names/ü.txt'],
  ['names/%c3%bc.txt', 'names/ü.txt'],
  ['names/\u00c3\u00bc.txt', 'names/ü.txt', { nginx: 'same', on: { Node: nodeBytes } }], // the bytes of UTF-8 as they are, without escapes
  ['names/100%25.txt', 'names/100%.txt'],
  ['names/q%3Fx%23y.txt', 'names/q?x#y.txt'],
  ['names/plus+and&.txt', 'names/plus+and&.txt'],
  ['names/plus%2Band%26.txt', 'names/plus+and&.txt'],
  ["names/semi;colon=1,2!$'()*:@.txt", "names/semi;colon=1,2!$'()*:@.txt"],
  ['names/%252F', 'names/%2F'],
  ['names/new%0Aline', 'names/new\nline'],
  ['names/tab%09%22quote%22', 'names/tab\t"quote"'],
  ['names/back%5Cslash', 'names/back\\slash'],
  ['names/back\\slash', 'names/back\\slash'],
  ['names/..x', 'names/..x'],
  ['names/...', 'names/...'],
  ['names/%2e%2e%2e', 'names/...'],
  ['names/dot.', 'names/dot.'],
  ['names/%20lead', 'names/ lead'],
  ['names/trail%20', 'names/trail '],
  ['names/@1', 'names/@1'],
  ['names/%401', 'names/@1'],
  ['names/emoji%20%F0%9F%A6%94.txt', 'names/emoji 🦔.txt'],
  ['names/%E6%97%A5%E6%9C%AC%E8%AA%9E.txt', 'names/日本語.txt'],
  ['names/%C3%A9.txt', 'names/é.txt'],
  ['names/e%CC%81.txt', 'names/e\u0301.txt'],
  ['names/%E2%80%AEgnp.txt', 'names/\u202egnp.txt'],
  ['names/%FF', 'names/\udcff'],
  ['names/f%FF%80.txt', 'names/f\udcff\udc80.txt'],
  ['names/%C3(', 'names/\udcc3('],
  [`names/${'x'.repeat(255)}`, `names/${'x'.repeat(255)}`],
  [`names/${'%C3%BC'.repeat(127)}`, `names/${'ü'.repeat(127)}`],
  ['names/%3Cb%3E&', 'names/<b>&'],
  ['names/<b>&', 'names/<b>&', noUri],
]

/** Bytes above 0x7f and a few below are no characters of a URI (RFC 3986 section 2); a name they stand in is found all the same. */
export const nameRows: readonly HttpRow[] = names.map(([address, name, more = alike]) => row(`${address.slice(0, 60)} is ${JSON.stringify(name).slice(0, 40)}`, request(`GET ${at(address)}`), named(name), more))

function named(name: string): Answer {
  const { status, body, has } = whole(name)
  return { status, ...(body === undefined ? {} : { body }), has: { ...has, etag: /^"[0-9a-f]{64}"$/ } }
}

const invalid = refused(400, 'invalid')
const absent = refused(404, 'not-found')
const asked = (path: string, answer: Answer, more: RowMore = {}): HttpRow => row(path.length > 70 ? `${path.slice(0, 40)}… of ${path.length} bytes` : path, request(`GET ${path}`), answer, more)

const normalises = (why: string): RowMore => ({ nginx: { differs: why } })
const dots = normalises('nginx takes dot segments and double slashes out of a path; here they are refused, so that a checked path means the same everywhere')

export const refusedRows: readonly HttpRow[] = [
  asked(at('nothing'), absent, alike),
  asked(at('letters.TXT'), absent, alike),
  asked(at('letters.txt.'), absent, alike),
  asked(at('letters.txt%20'), absent, alike),
  asked(at('letters.txt/'), absent),
  asked(at('letters.txt/x'), absent),
  asked(at('dir/nothing/x'), absent, alike),
  asked(at('%6cetters%2Etx'), absent, alike),
  asked(at('names/e%CC%80.txt'), absent, alike),
  asked(at('.'), invalid),
  asked(at('..'), invalid),
  asked(at('./letters.txt'), invalid, dots),
  asked(at('dir/./a.html'), invalid, dots),
  asked(at('dir/../letters.txt'), invalid, dots),
  asked(at('../files/letters.txt'), invalid, dots),
  asked(at('../../../../etc/passwd'), invalid),
  asked(at('%2e/letters.txt'), invalid, dots),
  asked(at('%2e%2e/files/letters.txt'), invalid, dots),
  asked(at('.%2e/files/letters.txt'), invalid, dots),
  asked(at('%2E%2E%2Fletters.txt'), invalid),
  asked(at('dir/%2e%2e/letters.txt'), invalid, dots),
  asked(at('%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd'), invalid),
  asked(at('..%2f..%2f..%2fetc%2fpasswd'), invalid),
  asked(at('..%5c..%5cetc'), absent),
  asked(at('..\\..\\etc'), absent),
  asked(at('%252e%252e/letters.txt'), absent),
  asked(at('dir%2Fa.html'), invalid, normalises('nginx takes an escaped slash for a slash; here no name holds one')),
  asked(at('%2Fletters.txt'), invalid, normalises('nginx takes an escaped slash for a slash; here no name holds one')),
  asked(at('/letters.txt'), invalid, dots),
  asked(at('dir//a.html'), invalid, dots),
  asked(at('dir///'), invalid),
  asked(at('%00'), invalid, alike),
  asked(at('letters.txt%00'), invalid, alike),
  asked(at('letters.txt%00.html'), invalid, alike),
  asked(at('%'), invalid, alike),
  asked(at('%2'), invalid, alike),
  asked(at('%zz'), invalid, alike),
  asked(at('%u0041'), invalid, alike),
  asked(at('100%'), invalid, alike),
  asked(at('%C0%AE%C0%AE/letters.txt'), absent),
  asked(at('x'.repeat(256)), invalid),
  asked(at('%C3%BC'.repeat(128)), invalid),
  asked(at(Array.from({ length: 500 }, () => 'deep').join('/')), absent),
  asked(at(`${'%C3%BC'.repeat(127)}/`.repeat(16)), absent),
  asked(`/v1/demo/files${'/'.repeat(3000)}`, invalid),
  ...['stat', 'list', 'manifest'].map((route) => asked(`/v1/demo/${route}//dir`, invalid)),
  row('PUT with a double slash', request(`PUT ${at('/new')}`, ['content-length: 1'], 'x'), invalid),
  row('PUT with a double slash inside', request(`PUT ${at('dir//new')}`, ['content-length: 1'], 'x'), invalid),
  row('PUT above the root', request(`PUT ${at('../new')}`, ['content-length: 1'], 'x'), invalid),
  row('PUT above the root, escaped', request(`PUT ${at('%2e%2e%2fnew')}`, ['content-length: 1'], 'x'), invalid),
  row('PUT of a name that is too long', request(`PUT ${at('x'.repeat(256))}`, ['content-length: 1'], 'x'), invalid),
  row('DELETE with a double slash', request(`DELETE ${at('/letters.txt')}`), invalid),
  row('DELETE above the root', request(`DELETE ${at('dir/../letters.txt')}`), invalid),
  row('DELETE of the root', request(`DELETE ${at('')}?recursive=1`), invalid),
  asked('/v1/nothing/files/letters.txt', absent),
  asked('/v1/DEMO/files/letters.txt', absent),
  asked('/v1/.hidden/files/letters.txt', invalid),
  asked('/v1/%2e%2e/files/letters.txt', invalid),
  asked('/v1/demo%2Ffiles/files/letters.txt', invalid),
  asked('/v1/de%6do/files/letters.txt', { status: 200, body: files['letters.txt']! }),
  asked('/v1//files/letters.txt', absent),
  asked('/V1/demo/files/letters.txt', absent),
  asked('/v1/demo/Files/letters.txt', absent),
  asked('/v1/demo/nothing/letters.txt', absent),
  asked('/v1/demo/../demo/files/letters.txt', absent),
  asked('/v2/demo/files/letters.txt', absent),
  asked('/healthz/', absent),
  asked('/%68ealthz', absent),
  asked('/favicon.ico', absent),
]

function moreOf(query: string): RowMore {
  if (query.includes('<')) return noUri
  if (query.length > 4000) return {}
  if (!query.includes('\xff')) return alike
  return { nginx: 'same', on: { Node: nodeBytes, Deno: instead('Deno refuses what is not UTF-8', front(400), 'closed'), workerd: instead('workerd refuses what no URI holds', front(400), 'closed') } }
}

export const queryRows: readonly HttpRow[] = [
  ...['', 'x', 'x=1', '=', '&&&', '%', '%zz=%', '%FF=%00', 'x=/../..', "x=<script>'\"", 'x=\x80\xff', 'after=x', 'limit=0', '?', '#', 'x'.repeat(8000), 'seq=99'].map((query) =>
    row(`?${query.slice(0, 40)}`, request(`GET ${at('letters.txt')}?${query}`), whole('letters.txt'), moreOf(query)),
  ),
  row('a ? in the name is the query', request(`GET ${at('names/q?x#y.txt')}`), absent, alike),
  row('an escaped ? is not', request(`GET ${at('letters.txt%3Fx')}`), absent, alike),
]
