/** CORS as the Fetch standard has it: pages of every origin may read, and only their own may write. Methods an address does not take. */
import { type Answer, type HttpRow, at, failed, part, refused, request, row, unmodified, unsatisfiable, whole } from './row.ts'

const letters = 'letters.txt'
const page = 'origin: https://page.example'
const exposed = /^(?=.*\bContent-Range\b)(?=.*\bAccept-Ranges\b)(?=.*\bContent-Length\b)(?=.*\bContent-Disposition\b)(?=.*\bETag\b)(?=.*\bLast-Modified\b)(?=.*\bEdgemount-Seq\b)/
const readable = { 'access-control-allow-origin': '*', 'access-control-expose-headers': exposed, 'cross-origin-resource-policy': 'cross-origin', 'timing-allow-origin': '*' }
const withReadable = (answer: Answer): Answer => ({ ...answer, has: { ...answer.has, ...readable } })

const preflight = (address: string, lines: readonly string[], methods: string, headers: string | undefined): HttpRow =>
  row(`OPTIONS ${address}: ${lines.join(', ')}`, request(`OPTIONS ${address}`, [page, ...lines]), {
    status: 204,
    body: '',
    has: { ...readable, allow: methods, 'access-control-allow-methods': methods, 'access-control-allow-headers': headers, 'access-control-max-age': '86400', vary: 'Access-Control-Request-Headers', 'content-length': undefined },
  })

const ofFile = 'GET, HEAD, PUT, DELETE, OPTIONS'
const ofRead = 'GET, HEAD, OPTIONS'

export const corsRows: readonly HttpRow[] = [
  preflight(at(letters), ['access-control-request-method: GET'], ofFile, undefined),
  preflight(at(letters), ['access-control-request-method: GET', 'access-control-request-headers: range'], ofFile, 'range'),
  preflight(at(letters), ['access-control-request-method: GET', 'access-control-request-headers: range,if-match,if-none-match'], ofFile, 'range,if-match,if-none-match'),
  preflight(at(letters), ['access-control-request-method: GET', 'access-control-request-headers: authorization'], ofFile, 'authorization'),
  preflight(at(letters), ['access-control-request-method: PUT', 'access-control-request-headers: content-type'], ofFile, 'content-type'),
  preflight(at('nothing'), ['access-control-request-method: GET'], ofFile, undefined),
  preflight(at('dir/'), ['access-control-request-method: GET'], ofFile, undefined),
  preflight('/v1/demo/@2/letters.txt', ['access-control-request-method: GET'], ofRead, undefined),
  preflight('/v1/demo/list/', ['access-control-request-method: GET'], ofRead, undefined),
  preflight('/healthz', ['access-control-request-method: GET'], ofRead, undefined),
  row('no preflight: GET', request(`GET ${at(letters)}`, [page]), withReadable(whole(letters))),
  row('no preflight: a range', request(`GET ${at(letters)}`, [page, 'range: bytes=0-1']), withReadable(part(letters, 0, 1))),
  row('no preflight: 304', request(`GET ${at(letters)}`, [page, `if-none-match: {tag:${letters}}`]), withReadable(unmodified(letters))),
  row('no preflight: 404', request(`GET ${at('nothing')}`, [page]), withReadable(refused(404, 'not-found'))),
  row('no preflight: 412', request(`GET ${at(letters)}`, [page, 'if-match: "a"']), withReadable(failed)),
  row('no preflight: 416', request(`GET ${at(letters)}`, [page, 'range: bytes=99-']), withReadable(unsatisfiable(letters))),
  row('no preflight: 400', request(`GET ${at('%00')}`, [page]), withReadable(refused(400, 'invalid'))),
  row('no preflight: 405', request(`PATCH ${at(letters)}`, [page]), withReadable(refused(405, 'invalid'))),
  row('a page of another origin writes', request(`PUT ${at('foreign')}`, [page, 'content-length: 1'], 'x'), withReadable(refused(403, 'denied'))),
  row('a page of no origin writes', request(`PUT ${at('foreign')}`, ['origin: null', 'content-length: 1'], 'x'), withReadable(refused(403, 'denied'))),
  row('a page of another origin deletes', request(`DELETE ${at(letters)}`, [page]), withReadable(refused(403, 'denied'))),
  row('a page of this origin writes', request(`PUT ${at('own')}`, ['origin: http://localhost', 'content-length: 1'], 'x'), { status: 201, body: '' }),
]

const not = (method: string, address: string, allow: string): HttpRow =>
  row(`${method} ${address}`, request(`${method} ${address}`, ['content-length: 0']), refused(405, 'invalid', { allow }))

export const methodRows: readonly HttpRow[] = [
  not('POST', at(letters), ofFile),
  not('PATCH', at(letters), ofFile),
  not('POST', at(''), ofFile),
  not('PUT', '/v1/demo/@2/letters.txt', ofRead),
  not('DELETE', '/v1/demo/@2/letters.txt', ofRead),
  not('POST', '/v1/demo/@2/letters.txt', ofRead),
  not('PUT', '/v1/demo/stat/letters.txt', ofRead),
  not('DELETE', '/v1/demo/list/dir', ofRead),
  not('PUT', '/v1/demo/manifest/letters.txt', ofRead),
  not('PUT', '/healthz', ofRead),
  not('DELETE', '/', ofRead),
  not('PROPFIND', at(''), ofFile),
  not('MKCOL', at('new'), ofFile),
  not('LOCK', at(letters), ofFile),
  row('PUT onto a directory', request(`PUT ${at('dir')}`, ['content-length: 1'], 'x'), { ...refused(409, 'conflict') }),
  row('PUT with a slash at the end', request(`PUT ${at('new/')}`, ['content-length: 1'], 'x'), refused(400, 'invalid')),
  row('OPTIONS of a file', request(`OPTIONS ${at(letters)}`), { status: 204, body: '', has: { allow: ofFile, 'content-length': undefined } }),
  row('TRACE', request(`TRACE ${at(letters)}`), refused(405, 'invalid', { allow: ofFile })),
]
