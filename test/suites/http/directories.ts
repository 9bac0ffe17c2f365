/** Directories as JSON and HTML, symlinks, and snapshots that never change. */
import { type Answer, type HttpRow, type RowMore, at, refused, request, row, whole } from './row.ts'

const json: Answer['has'] = { 'content-type': 'application/json; charset=utf-8', vary: 'Accept', 'cache-control': 'no-cache, no-transform', etag: /^"[0-9a-z.]+\.json"$/, 'content-encoding': undefined }
const html: Answer['has'] = { ...json, 'content-type': 'text/html; charset=utf-8', etag: /^"[0-9a-z.]+\.html"$/, 'content-security-policy': /^default-src 'none'/ }

const list = (address: string, body: RegExp, lines: readonly string[] = ['accept: */*']): HttpRow => row(`${address} ${lines.join()}`, request(`GET ${at(address)}`, lines), { status: 200, body, has: json })
const page = (address: string, body: RegExp, lines: readonly string[] = ['accept: text/html']): HttpRow => row(`${address} ${lines.join()}`, request(`GET ${at(address)}`, lines), { status: 200, body, has: html })
/** Who says nothing of what it likes walks links. */
const walked = (address: string, body: RegExp, lines: readonly string[] = []): HttpRow => row(`links of ${address} ${lines.join()}`, request(`GET ${at(address)}`, lines), { status: 200, body, has: { ...html, etag: /^"[0-9a-z.]+\.whole"$/ } })
const moved = (address: string, location: string, lines: readonly string[] = ['accept: text/html']): HttpRow =>
  row(`${address} moves to ${location} ${lines.join()}`, request(`GET ${at(address)}`, lines), { status: 302, body: '', has: { location, 'cache-control': 'no-store', vary: 'Accept' } })
const invalid = (query: string): HttpRow => row(`dir/?${query}`, request(`GET ${at(`dir/?${query}`)}`), refused(400, 'invalid'))

export const directoryRows: readonly HttpRow[] = [
  list('dir', /^\{"seq":\d+,"path":"\/dir","items":\[\{"name":"a\.html","kind":"file",.*\{"name":"b","kind":"directory",.*\{"name":"up","kind":"symlink",.*\],"isLast":true\}\n$/),
  list('dir/', /"path":"\/dir"/),
  list('', /"path":"\/","items":\[\{"name":"big\.bin"/),
  list('void/', /"path":"\/void","items":\[\],"isLast":true/),
  list('dir/', /"path":"\/dir"/, ['accept: */*']),
  list('dir/', /"path":"\/dir"/, ['accept: application/json']),
  list('dir/', /"path":"\/dir"/, ['accept: application/json, text/html;q=0.9']),
  list('dir/', /"path":"\/dir"/, ['accept: text/html;q=0']),
  list('dir/', /"path":"\/dir"/, ['accept: text/html;q=x']),
  list('dir/', /"path":"\/dir"/, ['accept: text/*']),
  page('dir/', /<title>/, ['accept: TEXT/HTML']),
  page('dir/', /<title>/, ['accept: application/json;q=0.5, text/html;q=0.5']),
  page('dir/', /<title>/, ['accept: application/json;q=0.5', 'accept: text/html;level=1;q=0.9']),
  list('dir/', /"path":"\/dir"/, ['accept: */*', 'range: bytes=0-9']),
  walked('', /<title>demo: \/<\/title>/),
  walked('dir/', /<a href="a\.html">a\.html<\/a>/),
  walked('dir/', /<a href="b\/">b\/<\/a>[^]*<\/html>\n$/, ['accept:']),
  walked('dir/', /<a href="a\.html">/, ['range: bytes=0-9']),
  list('dir/?limit=1', /"isLast":false/, []),
  list('dir/?after=', /"items":\[\{"name":"a\.html"/, []),
  list('dir/?limit=1', /"items":\[\{"name":"a\.html"[^\]]*\}\],"isLast":false/),
  list('dir/?limit=3', /"name":"up".*"isLast":true/),
  list('dir/?after=a.html&limit=1', /"items":\[\{"name":"b",[^\]]*\}\],"isLast":false/),
  list('dir/?after=%62', /"items":\[\{"name":"up",[^\]]*\}\],"isLast":true/),
  list('dir/?after=zzz', /"items":\[\],"isLast":true/),
  list('dir/?after=', /"items":\[\{"name":"a\.html"/),
  list('dir/?after=a.html&after=up', /"items":\[\{"name":"b"/),
  list('names/?after=%F0&limit=1', /"items":\[\{"name":"\\udcff"/),
  list('to-dir/', /"path":"\/to-dir","items":\[\{"name":"a\.html"/),
  page('dir/', /<a href="a\.html">a\.html<\/a>/),
  page('dir/', /<a href="\.\.\/">/, ['accept: text/html,application/xhtml+xml,*/*;q=0.8']),
  page('', /<title>demo: \/<\/title>/),
  page('names/', /<a href="%3Cb%3E%26">&lt;b&gt;&amp;<\/a>/),
  page('names/', /<a href="f%FF%80\.txt">/),
  page('dir/?limit=1', /<a href="\?after=a\.html">more<\/a>/),
  page('dir/?after=a.html', /<a href="\?">from the beginning<\/a>/),
  moved('dir', './dir/'),
  moved('dir?x=1', './dir/?x=1'),
  moved('to-dir', './to-dir/'),
  moved('dir', './dir/', []),
  row('HEAD of a directory, for who walks links', request(`HEAD ${at('dir')}`), { status: 302, body: '', has: { location: './dir/' } }),
  row('the root without a slash, for people', request('GET /v1/demo/files', ['accept: text/html']), { status: 302, body: '', has: { location: './files/' } }),
  row('the root without a slash', request('GET /v1/demo/files', ['accept: */*']), { status: 200, body: /"path":"\/"/ }),
  ...['limit=0', 'limit=1001', 'limit=-1', 'limit=x', 'limit=', 'limit=1e2', 'limit=18446744073709551616', 'after=%2F', 'after=%00', 'after=%', 'after=..'].map(invalid),
  row('If-Match of a directory: *', request(`GET ${at('dir/')}`, ['if-match: *']), { status: 200 }),
  row('If-Match of a directory: another', request(`GET ${at('dir/')}`, ['if-match: "a"']), refused(412, 'stale')),
  row('If-None-Match of a directory: *', request(`GET ${at('dir/')}`, ['accept: */*', 'if-none-match: *']), { status: 304, body: '', has: { etag: /json"$/, vary: 'Accept', 'content-length': undefined } }),
]

const looked = (address: string, answer: Answer): HttpRow => row(address, request(`GET /v1/demo/${address}`), answer)

/** Beside `files/`: what scripts page with. */
export const lookupRows: readonly HttpRow[] = [
  looked('list/dir?limit=1', { status: 200, body: /"items":\[\{"name":"a\.html"[^\]]*\}\],"isLast":false/, has: { 'cache-control': 'no-cache, no-transform' } }),
  looked('list/dir?after=a.html&limit=1&seq=2', { status: 200, body: /^\{"seq":2,.*"name":"b"[^\]]*\}\],"isLast":false/, has: { 'cache-control': 'public, max-age=31536000, immutable, no-transform' } }),
  looked('list/dir?after=up', { status: 200, body: /"items":\[\],"isLast":true/ }),
  looked('list/letters.txt', refused(400, 'invalid')),
  looked('list/nothing', refused(404, 'not-found')),
  looked('list/dir?limit=0', refused(400, 'invalid')),
  looked('list/dir?seq=0', refused(400, 'invalid')),
  looked('list/dir?seq=999', refused(404, 'not-found')),
  looked('stat/to-file', { status: 200, body: /"path":"\/letters\.txt"/ }),
  looked('stat/to-file?follow=0', { status: 200, body: /"kind":"symlink"/ }),
  looked('manifest/big.bin?start=0&end=10', { status: 200, body: /"runs":\[\{"kind":"chunk","start":0,/ }),
  looked('manifest/big.bin?start=10&end=9', refused(400, 'invalid')),
  looked('manifest/dir', refused(400, 'invalid')),
]

export const symlinkRows: readonly HttpRow[] = [
  row('to a file', request(`GET ${at('to-file')}`), { ...whole('letters.txt'), has: { etag: '{tag:letters.txt}', 'content-type': 'application/octet-stream' } }),
  row('to a directory, and on', request(`GET ${at('to-dir/a.html')}`), whole('dir/a.html')),
  row('up, beyond the root', request(`GET ${at('dir/up/dir/b/c.txt')}`), whole('dir/b/c.txt')),
  row('to nothing', request(`GET ${at('dangling')}`), refused(404, 'not-found')),
  row('to itself', request(`GET ${at('loop')}`), refused(400, 'invalid')),
  row('a file with a slash', request(`GET ${at('to-file/')}`), refused(404, 'not-found')),
  row('a fifo', request(`GET ${at('fifo')}`), refused(501, 'unsupported')),
]

const pinned = (address: string): string => `/v1/demo/@${address}`
const forEver = { 'cache-control': 'public, max-age=31536000, immutable, no-transform', 'edgemount-seq': '2', 'accept-ranges': 'bytes' }
const asked = (address: string, answer: Answer, lines: readonly string[] = [], more: RowMore = {}): HttpRow => row(`${address} ${lines.join()}`, request(`GET ${address}`, lines), answer, more)

export const snapshotRows: readonly HttpRow[] = [
  asked(pinned('2/changing.txt'), { status: 200, body: 'old', has: forEver }),
  asked(pinned('3/changing.txt'), { status: 200, body: 'new', has: { ...forEver, 'edgemount-seq': '3' } }),
  asked(at('changing.txt'), { status: 200, body: 'new', has: { 'cache-control': 'no-cache, no-transform', 'edgemount-seq': /^\d+$/ } }),
  asked(pinned('2/letters.txt'), { status: 200, has: { ...forEver, etag: '{tag:letters.txt}' } }),
  asked(pinned('2/letters.txt'), { status: 206, body: 'ab', has: { ...forEver, etag: '{tag:letters.txt}' } }, ['range: bytes=0-1']),
  asked(pinned('2/letters.txt'), { status: 304, body: '', has: { 'cache-control': forEver['cache-control'], etag: '{tag:letters.txt}' } }, ['if-none-match: {tag:letters.txt}']),
  asked(pinned('2/letters.txt'), refused(416, 'invalid', { 'content-range': 'bytes */26' }), ['range: bytes=26-']),
  asked(pinned('2/letters.txt'), refused(412, 'stale'), ['if-match: "a"']),
  asked(pinned('2/dir/'), { status: 200, body: /^\{"seq":2,"path":"\/dir"/, has: { 'cache-control': forEver['cache-control'] } }, ['accept: */*']),
  asked(pinned('2/dir/'), { status: 200, body: /<title>demo at 2: /, has: { 'cache-control': forEver['cache-control'], 'content-type': 'text/html; charset=utf-8' } }, ['accept: text/html']),
  asked(pinned('2/dir'), { status: 302, body: '', has: { location: './dir/', 'cache-control': 'no-store' } }, ['accept: text/html']),
  asked(pinned('2'), { status: 200, body: /"path":"\/"/ }, ['accept: */*']),
  asked(pinned('2/to-file'), { status: 200, body: /^abc/, has: { 'cache-control': forEver['cache-control'] } }),
  asked(pinned('2/../files/letters.txt'), refused(400, 'invalid')),
  asked(pinned('2//letters.txt'), refused(400, 'invalid')),
  asked(pinned('2/nothing'), refused(404, 'not-found')),
  asked(pinned('1/letters.txt'), refused(404, 'not-found')),
  asked(pinned('0002/changing.txt'), { status: 200, body: 'old' }),
  asked(pinned('999/letters.txt'), refused(404, 'not-found')),
  asked(pinned('0/letters.txt'), refused(400, 'invalid')),
  asked(pinned('99999999999999999999/letters.txt'), refused(400, 'invalid')),
  asked(pinned('x/letters.txt'), refused(404, 'not-found')),
  asked(pinned('-1/letters.txt'), refused(404, 'not-found')),
  asked(pinned('2.0/letters.txt'), refused(404, 'not-found')),
  ...['/v1/demo@2/files/letters.txt', '/v1/demo@2/letters.txt', '/v1/demo@2', '/v1/demo@2/', '/v1/demo@2/@3/x'].map((address) =>
    asked(address, { ...refused(404, 'not-found'), body: /what commit 2 left is below \/v1\/demo\/@2\// }),
  ),
  asked('/v1/demo@x/files/letters.txt', refused(400, 'invalid')),
]
