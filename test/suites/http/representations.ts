/** What a body is: its type, the name it is saved under, and that it is never coded or changed on the way. */
import { typedNames } from './files.ts'
import { type HttpRow, type RowMore, at, get, part, request, row, whole } from './row.ts'

const letters = 'letters.txt'

export const typeRows: readonly HttpRow[] = [
  ...Object.entries(typedNames).map(([name, type]) => row(name, request(`GET ${at(`types/${name}`)}`), { status: 200, body: 'data', has: { 'content-type': type, 'x-content-type-options': 'nosniff' } })),
  row('a part has the type of the whole', request(`GET ${at('types/a.css')}`, ['range: bytes=1-2']), { status: 206, body: 'at', has: { 'content-type': 'text/css; charset=utf-8' } }),
  get(letters, ['accept: image/png'], whole(letters, { 'content-type': 'text/plain; charset=utf-8' }), { nginx: 'same' }),
  get(letters, ['accept: text/html'], whole(letters, { 'content-type': 'text/plain; charset=utf-8' })),
]

const saved = (address: string, disposition: string | undefined): HttpRow => row(`${address} is saved as ${disposition}`, request(`GET ${at(address)}`), { status: 200, has: { 'content-disposition': disposition } })

export const dispositionRows: readonly HttpRow[] = [
  saved('letters.txt', undefined),
  saved('letters.txt?download', 'attachment; filename="letters.txt"'),
  saved('letters.txt?download=', 'attachment; filename="letters.txt"'),
  saved('letters.txt?download=other.txt', 'attachment; filename="letters.txt"'),
  saved('letters.txt?x=1&download', 'attachment; filename="letters.txt"'),
  saved('letters.txt?downloads', undefined),
  saved('dir/b/c.txt?download', 'attachment; filename="c.txt"'),
  saved('names/a%20b.txt?download', 'attachment; filename="a b.txt"'),
  saved('names/%C3%BC.txt?download', `attachment; filename="_.txt"; filename*=UTF-8''%C3%BC.txt`),
  saved('names/%E6%97%A5%E6%9C%AC%E8%AA%9E.txt?download', `attachment; filename="___.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%E8%AA%9E.txt`),
  saved('names/tab%09%22quote%22?download', `attachment; filename="tab__quote_"; filename*=UTF-8''tab%09%22quote%22`),
  saved('names/new%0Aline?download', `attachment; filename="new_line"; filename*=UTF-8''new%0Aline`),
  saved('names/back%5Cslash?download', `attachment; filename="back_slash"; filename*=UTF-8''back%5Cslash`),
  saved('names/100%25.txt?download', `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`),
  saved('names/%FF?download', `attachment; filename="_"; filename*=UTF-8''%FF`),
  saved('names/%3Cb%3E&?download', 'attachment; filename="<b>&"'),
  row('a part that is saved', request(`GET ${at('letters.txt?download')}`, ['range: bytes=0-1']), { status: 206, body: 'ab', has: { 'content-disposition': 'attachment; filename="letters.txt"' } }),
]

const still = /^sandbox allow-downloads; default-src 'none'; (?!.*(?:script|connect|frame|object)-src).*form-action 'none'; base-uri 'none'; frame-ancestors 'none'$/
const token = '/t/em1.example'

const document = (address: string, name: string, more: readonly string[] = [], status = 200): HttpRow => {
  const isText = name.endsWith('.txt')
  const has = { 'content-security-policy': isText ? undefined : still, 'content-disposition': isText ? undefined : `attachment; filename="${name}"`, 'referrer-policy': 'no-referrer' }
  return row(`${[address, ...more].join(', ')}: a document beside a token`, request(`GET ${address}`, more), { status, has })
}

const silent = (line: string, status: number, more: readonly string[] = []): HttpRow => row(`${line} tells nobody its address`, request(line, more), { status, has: { 'referrer-policy': 'no-referrer' } })

/** What a browser does at an address that holds a token: it shows no document, and says nowhere where it was. */
export const tokenRows: readonly HttpRow[] = [
  ...['a.html', 'a.svg'].map((name) => document(`${token}${at(`types/${name}`)}`, name)),
  document(`${token}${at('dir/a.html')}`, 'a.html', ['range: bytes=0-1'], 206),
  document(`${token}/v1/demo/@2/dir/a.html`, 'a.html'),
  document(`${at('dir/a.html')}?t=em1.example`, 'a.html'),
  document(`${token}${at(letters)}`, letters),
  row('the same without a token', request(`GET ${at('types/a.svg')}`), { status: 200, body: 'data', has: { 'content-disposition': undefined, 'referrer-policy': 'no-referrer' } }),
  silent(`GET ${token}/`, 200),
  silent(`GET ${token}${at('dir/')}`, 200, ['accept: text/html']),
  silent(`GET ${token}${at('dir')}`, 302, ['accept: text/html']),
  silent(`GET ${token}${at('nothing')}`, 404),
  silent(`GET ${token}/nowhere`, 404),
  silent(`GET ${token}${at(letters)}?x`, 416, ['range: bytes=99-']),
  silent(`PATCH ${token}${at(letters)}`, 405),
  silent(`GET ${token}/v1/demo/zip/dir`, 200),
]

const plain = { 'content-encoding': undefined, 'cache-control': 'no-cache, no-transform', vary: undefined }
const alike: RowMore = { nginx: 'same' }

export const codingRows: readonly HttpRow[] = [
  ...['gzip', 'br', 'zstd', 'gzip, deflate, br', 'gzip;q=1.0, identity;q=0.5', '*', '', 'identity', 'x-nothing'].map((value) => get(letters, [`accept-encoding: ${value}`], whole(letters, plain), alike)),
  ...['identity;q=0', '*;q=0', 'gzip, identity;q=0', 'gzip;q=1, *;q=0'].map((value) => get(letters, [`accept-encoding: ${value}`], whole(letters, plain), alike)),
  get('digits.bin', ['accept-encoding: gzip'], whole('digits.bin', plain), alike),
  get('digits.bin', ['accept-encoding: gzip, br', 'range: bytes=0-9'], part('digits.bin', 0, 9, plain), alike),
  row('a listing', request(`GET ${at('names/')}`, ['accept: */*', 'accept-encoding: gzip, br']), { status: 200, body: /^\{/, has: { 'content-encoding': undefined } }),
  row('HTML', request(`GET ${at('dir/a.html')}`, ['accept-encoding: gzip, br']), whole('dir/a.html', plain)),
  row('JSON', request(`GET ${at('types/a.json')}`, ['accept-encoding: gzip, br']), { status: 200, body: 'data', has: plain }),
  get(letters, ['te: trailers'], whole(letters), alike),
  get(letters, ['te: gzip, chunked;q=0'], whole(letters), alike),
  get(letters, ['te: trailers', 'connection: te'], whole(letters), alike),
]
