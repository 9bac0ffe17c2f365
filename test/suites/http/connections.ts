/** What surrounds a request: pipelining, Expect, forms of the target, Host, and the forms that smuggle one request in another (RFC 9112). */
import { type Answer, type HttpRow, type RowMore, at, front, headOf, instead, part, refused, request, row, unmodified, whole } from './row.ts'

const letters = 'letters.txt'
const alike: RowMore = { nginx: 'same' }
const closed: RowMore = { connection: 'closed' }
const closedAlike: RowMore = { connection: 'closed', nginx: 'same' }
const ask = (lines: readonly string[] = [], name = letters): string => request(`GET ${at(name)}`, lines)

const several = (title: string, sent: string, answers: readonly Answer[], more: RowMore = alike): HttpRow => ({ title, steps: [sent, ...answers], connection: 'kept', ...more })

export const pipelineRows: readonly HttpRow[] = [
  several('two requests at once', ask() + ask(), [whole(letters), whole(letters)]),
  several('ten ranges at once, each in its place', Array.from({ length: 10 }, (_, index) => ask([`range: bytes=${index}-${index}`])).join(''), Array.from({ length: 10 }, (_, index) => part(letters, index, index))),
  several('HEAD between GETs', ask() + request(`HEAD ${at(letters)}`) + ask(), [whole(letters), headOf(whole(letters)), whole(letters)]),
  several('304 between GETs', ask() + ask([`if-none-match: {tag:${letters}}`]) + ask(), [whole(letters), unmodified(letters), whole(letters)]),
  several('204 between GETs', request('OPTIONS /healthz') + ask(), [{ status: 204, body: '', has: { 'content-length': undefined } }, whole(letters)], {}),
  several('404 between GETs', ask() + ask([], 'nothing') + ask(), [whole(letters), refused(404, 'not-found'), whole(letters)]),
  several('large before small', ask([], 'digits.bin') + ask([], 'one'), [whole('digits.bin'), whole('one')]),
  several('nothing after connection: close', ask(['connection: close']) + ask(), [whole(letters)], {
    ...closedAlike,
    on: { Node: instead('Node takes what a client sends after its own close, which section 9.6 forbids it, for a broken request', front(400), 'closed') },
  }),
  several('HTTP/1.0 with keep-alive, then HTTP/1.1', request(`GET ${at(letters)} HTTP/1.0`, ['host: localhost', 'connection: keep-alive']) + ask(), [whole(letters), whole(letters)]),
  several('an empty line before a request (RFC 9112 section 2.2)', `\r\n${ask()}`, [whole(letters)]),
  { title: 'a request in two pieces', steps: [ask().slice(0, 30), ask().slice(30), whole(letters)], connection: 'kept', nginx: 'same' },
  row('connection: close', ask(['connection: close']), whole(letters, { connection: 'close' }), closedAlike),
  row('connection: CLOSE', ask(['connection: CLOSE']), whole(letters), closedAlike),
  row('connection: keep-alive', ask(['connection: keep-alive']), whole(letters), alike),
  row('connection: keep-alive, close', ask(['connection: keep-alive, close']), whole(letters), closed),
  row('connection: upgrade to what is not spoken here', ask(['connection: upgrade', 'upgrade: h2c']), whole(letters), alike),
]

const put = (name: string, lines: readonly string[], body = ''): string => request(`PUT ${at(name)}`, lines, body)
const denoCloses = { Deno: { why: 'Deno ends the connection after an upload that expected a 100', connection: 'closed' } } as const
const made: Answer = { status: 201, body: '', has: { etag: /^"[0-9a-f]{64}"$/, 'cache-control': 'no-store' } }

export const expectRows: readonly HttpRow[] = [
  { title: 'PUT waits for 100', steps: [put('expected', ['expect: 100-continue', 'content-length: 5']), { status: 100 }, 'hello', made], connection: 'kept', on: denoCloses },
  { title: 'PUT waits for 100, chunked', steps: [put('expected-chunks', ['expect: 100-continue', 'transfer-encoding: chunked']), { status: 100 }, '5\r\nhello\r\n0\r\n\r\n', made], connection: 'kept', on: denoCloses },
  ...([
    ['a precondition that fails', put(letters, ['expect: 100-continue', 'if-match: "a"', 'content-length: 5']), refused(412, 'stale')],
    ['an address that cannot be', put('%00', ['expect: 100-continue', 'content-length: 5']), refused(400, 'invalid')],
    ['no such volume', request('PUT /v1/nothing/files/x', ['expect: 100-continue', 'content-length: 5']), refused(404, 'not-found')],
    ['a page of another origin', put('foreign', ['origin: https://page.example', 'expect: 100-continue', 'content-length: 5']), refused(403, 'denied')],
    ['a method that is not taken', request(`PATCH ${at(letters)}`, ['expect: 100-continue', 'content-length: 5']), refused(405, 'invalid')],
  ] as const).map(([title, sent, answer]) => 
    row(`no 100 before ${title}`, sent, answer, { ...closed, on: { Deno: { why: 'Deno sends the 100 before it asks the edge', answers: [{ status: 100 }, answer] } } }),
  ),
  row('GET with Expect and no body', ask(['expect: 100-continue']), whole(letters), {
    on: { Node: { why: 'Node ends the connection of a client that was not told to go on', connection: 'closed' } },
  }),
  row('an expectation nobody knows', ask(['expect: the-spanish-inquisition']), whole(letters), { nginx: 'same', on: { Node: instead('section 10.1.1 allows 417', front(417)) } }),
  row('GET with a body', request(`GET ${at(letters)}`, ['content-length: 5'], 'hello'), whole(letters), alike),
  row('GET with a chunked body', request(`GET ${at(letters)}`, ['transfer-encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'), whole(letters), alike),
  row('GET with a body that looks like a request', request(`GET ${at(letters)}`, ['content-length: 33'], 'GET / HTTP/1.1\r\nhost: localhost\r\n'.slice(0, 33)), whole(letters), alike),
  row('PUT, chunked with extensions and a trailer', put('chunks', ['transfer-encoding: chunked'], '5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nx-trailer: y\r\n\r\n'), made),
]

const anyHost: RowMore = { on: { workerd: instead('Cloudflare routes by the name; a Worker is asked under no other, and listens on no loopback address', whole(letters)) } }

const long = 'x'.repeat(300_000)

/** The answer does not wait for the body; the body never becomes the next request. */
const unread = (title: string, sent: string, answer: Answer, on: HttpRow['on'] = {}): HttpRow => {
  const why = 'it ends the connection instead of reading a body that nobody wants (RFC 9112 section 9.3)'
  return row(title, sent, answer, { on: { Deno: { why, connection: 'closed' }, workerd: { why, connection: 'closed' }, ...on } })
}

export const unreadRows: readonly HttpRow[] = [
  unread('an upload whose precondition fails', put(letters, ['if-match: "a"', 'content-length: 300000'], long), refused(412, 'stale')),
  unread('an upload to where nothing can be', put('%00', ['content-length: 300000'], long), refused(400, 'invalid')),
  unread('an upload to no volume', request('PUT /v1/nothing/files/x', ['content-length: 300000'], long), refused(404, 'not-found')),
  unread('an upload by a page of another origin', put(letters, ['origin: https://page.example', 'content-length: 300000'], long), refused(403, 'denied')),
  unread('an upload to another host', put('elsewhere', ['host: evil.example', 'content-length: 300000'], long), refused(403, 'denied'), {
    workerd: instead('Cloudflare routes by the name; a Worker is asked under no other', { status: 201, body: '' }),
  }),
  unread('a body where none is read', request(`GET ${at(letters)}`, ['content-length: 300000'], long), whole(letters)),
  unread('a chunked body where none is read', request(`GET ${at(letters)}`, ['transfer-encoding: chunked'], `493E0\r\n${long}\r\n0\r\n\r\n`), whole(letters)),
  unread('a method that is not taken, with a body', request(`PATCH ${at(letters)}`, ['content-length: 300000'], long), refused(405, 'invalid')),
]

const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `x${index}:1`)

export const headerRows: readonly HttpRow[] = [
  row('a precondition behind 90 headers', request(`GET ${at(letters)}`, [...many(90), 'if-match: "a"']), refused(412, 'stale'), { nginx: 'same' }),
  row('a precondition behind 2500 headers', request(`GET ${at(letters)}`, [...many(2500), 'if-match: "a"']), refused(412, 'stale'), {
    on: {
      Node: instead('Node takes 2000; none is dropped unseen', front(431), 'closed'),
      Deno: instead('Deno takes 100; none is dropped unseen', front(400), 'closed'),
    },
  }),
  row('a header of 16 KiB', request(`GET ${at(letters)}`, [`x-long: ${'x'.repeat(16_000)}`]), whole(letters)),
  row('an address of 24 KiB', request(`GET ${at('x'.repeat(24_000))}`), refused(400, 'invalid')),
  row('bytes beyond ASCII in a header nobody reads', request(`GET ${at(letters)}`, ['x-latin: \xe9\xff']), whole(letters), alike),
  row('bytes beyond ASCII in a tag', request(`GET ${at(letters)}`, ['if-none-match: "\xe9\xff"']), whole(letters), alike),
  row('bytes beyond ASCII in a range', request(`GET ${at(letters)}`, ['range: bytes=\xb9-2']), whole(letters)),
  row('a tab in a value', request(`GET ${at(letters)}`, ['x-tab: a\tb']), whole(letters), alike),
  row('a control in a value', request(`GET ${at(letters)}`, ['x-control: a\x01b']), front(400), {
    ...closed,
    on: { workerd: instead('workerd takes controls that end no line', whole(letters), 'kept') },
  }),
  row('a name with a space', request(`GET ${at(letters)}`, ['x y: a']), front(400), closed),
  row('a name with a byte beyond ASCII', request(`GET ${at(letters)}`, ['x\xe9: a']), front(400), closed),
  row('an empty value', request(`GET ${at(letters)}`, ['x-empty:']), whole(letters), alike),
]

export const targetRows: readonly HttpRow[] = [
  row('absolute form', request(`GET http://localhost${at(letters)}`), whole(letters), alike),
  row('absolute form with a range', request(`GET http://localhost${at(letters)}`, ['range: bytes=1-2']), part(letters, 1, 2), alike),
  row('absolute form, another Host', request(`GET http://localhost${at(letters)}`, ['host: 127.0.0.1']), whole(letters), alike),
  row('absolute form with a name that is not ours', request(`GET http://evil.example${at(letters)}`, ['host: localhost']), refused(403, 'denied'), anyHost),
  row('absolute form with https', request(`GET https://localhost${at(letters)}`), whole(letters)),
  row('OPTIONS *', request('OPTIONS *'), { status: 204, body: '', has: { allow: /GET, HEAD/ } }, {
    on: { Deno: instead('Deno gives the edge the address /*', refused(404, 'not-found')) },
  }),
  row('GET *', request('GET *'), front(400), { ...closed, on: { workerd: instead('workerd gives the Worker the address /', { status: 200 }, 'kept') } }),
  row('authority form', request('CONNECT localhost:443'), front(0), {
    ...closed,
    on: {
      Deno: instead('Deno gives it to the edge, which knows no such method', refused(405, 'invalid'), 'kept'),
      workerd: instead('workerd asks the Worker for a handler of CONNECT that it has not', front(500), 'closed'),
    },
  }),
  row('a target without a slash', request('GET v1'), front(400), { ...closed, on: { workerd: instead('workerd gives the Worker the address /', { status: 200 }, 'kept') } }),
  row('an empty target', 'GET  HTTP/1.1\r\nhost: localhost\r\n\r\n', front(400), closed),
  row('two slashes first', request(`GET /${at(letters)}`), refused(404, 'not-found')),
  row('a fragment', request(`GET ${at(letters)}#part`), whole(letters)),
]

const twice = { Deno: { why: 'Deno refuses two itself', connection: 'closed' } } as const

export const hostRows: readonly HttpRow[] = [
  row('no Host', `GET ${at(letters)} HTTP/1.1\r\n\r\n`, front(400), {
    ...closedAlike,
    on: {
      Deno: instead('Deno does not tell the edge whether it was HTTP/1.0, which has none', whole(letters), 'kept'),
      workerd: { why: 'workerd goes on after this refusal', connection: 'kept' },
    },
  }),
  row('Host twice', `GET ${at(letters)} HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n`, front(400), { on: twice }),
  row('Host twice, different', `GET ${at(letters)} HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n`, front(400), { on: twice }),
  row('an empty Host', request(`GET ${at(letters)}`, ['host:']), front(400)),
  row('Host with a port', request(`GET ${at(letters)}`, ['host: localhost:1']), whole(letters), alike),
  row('HOST: LOCALHOST', request(`GET ${at(letters)}`, ['HOST: LOCALHOST']), whole(letters), alike),
  row('an address', request(`GET ${at(letters)}`, ['host: 127.0.0.1:80']), whole(letters), alike),
  row('an address of version 6', request(`GET ${at(letters)}`, ['host: [::1]:80']), whole(letters), alike),
  row('a name that is not ours', request(`GET ${at(letters)}`, ['host: evil.example']), refused(403, 'denied'), anyHost),
  row('a name that begins like ours', request(`GET ${at(letters)}`, ['host: localhost.evil.example']), refused(403, 'denied'), anyHost),
  row('a user before it', request(`GET ${at(letters)}`, ['host: localhost@evil.example']), front(400)),
  row('a path behind it', request(`GET ${at(letters)}`, ['host: localhost/x']), front(400)),
  row('a space in the name', request(`GET ${at(letters)}`, ['host: local host']), front(400)),
  row('an address that cannot be', request(`GET ${at(letters)}`, ['host: [::zz]']), front(400)),
  row('a port that cannot be', request(`GET ${at(letters)}`, ['host: localhost:99999999']), front(400)),
  row('a percent sign', request(`GET ${at(letters)}`, ['host: local%zzhost']), front(400)),
]

const smuggled = request(`DELETE ${at(letters)}`)
const smuggle = (title: string, lines: readonly string[], body: string, more: RowMore = closedAlike): HttpRow =>
  row(title, request(`GET ${at(letters)}`, lines, body), front(400), more)

const onWorkerd: RowMore = {
  ...closedAlike,
  on: { workerd: instead('workerd takes the chunks, answers, and ends the connection, as section 6.1 has it', whole(letters), 'closed') },
}
const unknownCoding: RowMore = { connection: 'closed', nginx: { differs: 'nginx answers 501, as section 6.1 has it; the runtimes have one status for what they cannot read' } }
const refusesLine = { Deno: instead('Deno has one status for all that it cannot read', front(400)), workerd: instead('workerd has one status for all that it cannot read', front(400)) } as const
const strangeMethod = {
  Deno: instead('Deno gives every method to the edge', refused(405, 'invalid'), 'kept'),
  workerd: instead('workerd knows which methods there are', front(501)),
} as const
const brokenChunk = {
  ...closedAlike,
  on: {
    Deno: instead('Deno ends the connection without a word', front(0), 'closed'),
    workerd: instead('workerd reads the body after the Worker has answered', whole(letters), 'closed'),
  },
} as const

export const smuggleRows: readonly HttpRow[] = [
  smuggle('Content-Length and Transfer-Encoding', ['content-length: 5', 'transfer-encoding: chunked'], `0\r\n\r\n${smuggled}`, onWorkerd),
  smuggle('Transfer-Encoding and Content-Length', ['transfer-encoding: chunked', 'content-length: 5'], `0\r\n\r\n${smuggled}`, onWorkerd),
  smuggle('two lengths', ['content-length: 0', 'content-length: 5'], 'hello'),
  smuggle('a list of lengths', ['content-length: 5, 6'], 'hello'),
  smuggle('a signed length', ['content-length: +5'], 'hello'),
  smuggle('a negative length', ['content-length: -5'], 'hello'),
  smuggle('a length in hex', ['content-length: 0x5'], 'hello'),
  smuggle('an empty length', ['content-length:'], ''),
  smuggle('a length beyond 2^64', ['content-length: 18446744073709551617'], 'x'),
  smuggle('a coding nobody knows', ['transfer-encoding: cow'], '', unknownCoding),
  smuggle('chunked is not last', ['transfer-encoding: chunked, gzip'], '0\r\n\r\n', unknownCoding),
  smuggle('chunked twice', ['transfer-encoding: chunked, chunked'], '0\r\n\r\n', { ...unknownCoding, on: { workerd: instead('workerd takes it for one', whole(letters), 'kept') } }),
  smuggle('Transfer-Encoding twice', ['transfer-encoding: chunked', 'transfer-encoding: cow'], '0\r\n\r\n'),
  smuggle('a coding with a tab inside', ['transfer-encoding: \x0bchunked'], '0\r\n\r\n', unknownCoding),
  smuggle('a chunk of no length', ['transfer-encoding: chunked'], `z\r\n${smuggled}`, brokenChunk),
  smuggle('a chunk of a negative length', ['transfer-encoding: chunked'], `-1\r\n${smuggled}`, brokenChunk),
  smuggle('a chunk longer than 2^64', ['transfer-encoding: chunked'], `10000000000000001\r\n${smuggled}`, brokenChunk),
  smuggle('a chunk that is longer than it says', ['transfer-encoding: chunked'], '2\r\nhello\r\n0\r\n\r\n', {
    ...brokenChunk,
    on: { ...brokenChunk.on, Node: { why: 'Node reads the body after the edge has answered', answers: [whole(letters), front(400)] } },
  }),
  smuggle('a folded header (RFC 9112 section 5.2)', ['x-folded: a', '  b'], ''),
  smuggle('a folded Transfer-Encoding', ['transfer-encoding:', ' chunked'], `0\r\n\r\n${smuggled}`),
  smuggle('a space before the colon', ['x-spaced : a'], ''),
  smuggle('a space before the colon of Transfer-Encoding', ['transfer-encoding : chunked'], `0\r\n\r\n${smuggled}`),
  smuggle('a space before the first header', [' x-first: a'], ''),
  smuggle('a header without a colon', ['x-nothing'], '', { ...closed, nginx: { differs: 'nginx skips what is no header' } }),
  smuggle('a header without a name', [': a'], ''),
  smuggle('NUL in a header', ['x-nul: a\0b'], ''),
  smuggle('a bare CR in a header', ['x-bare: a\rb'], ''),
  row('NUL in the target', `GET ${at('a\0b')} HTTP/1.1\r\nhost: localhost\r\n\r\n`, front(400), closedAlike),
  row('a version of the future', `GET ${at(letters)} HTTP/2.0\r\nhost: localhost\r\n\r\n`, front(505), { ...closed, on: refusesLine }),
  row('a version with a word', `GET ${at(letters)} HTTP/x.y\r\nhost: localhost\r\n\r\n`, front(400), closed),
  row('no version', `GET ${at(letters)}\r\n\r\n`, front(505), { ...closed, on: refusesLine }),
  row('a tab in the request line', `GET\t${at(letters)}\tHTTP/1.1\r\nhost: localhost\r\n\r\n`, front(400), closed),
  row('a method in lower case', request(`get ${at(letters)}`), front(400), { ...closed, on: strangeMethod }),
  row('a method with a space', request(`G ET ${at(letters)}`), front(400), closed),
  row('a method nobody knows', request(`FROB ${at(letters)}`), front(400), { ...closed, on: strangeMethod }),
  row('headers of 64 KiB', request(`GET ${at(letters)}`, [`x-long: ${'x'.repeat(65_536)}`]), front(431), {
    ...closed,
    on: { Deno: instead('Deno has one status for all that it cannot read', front(400)), workerd: instead('workerd takes more; Cloudflare takes 128 KiB', whole(letters), 'kept') },
  }),
]
