/** HEAD: the headers of GET and no byte of content (RFC 9110 section 9.3.2). */
import { dateOf, modifiedSeconds } from './files.ts'
import { type Answer, type HttpRow, type RowMore, at, failed, headOf, part, refused, request, row, unmodified, whole } from './row.ts'

const alike: RowMore = { nginx: 'same' }
const ignored: RowMore = { nginx: { differs: 'nginx ranges HEAD as it does GET; here only one satisfiable range is answered, everything else ignored (section 14.2)' } }

const head = (name: string, lines: readonly string[], answer: Answer, more: RowMore = alike): HttpRow =>
  row(`${name}: ${lines.join(', ')}`, request(`HEAD ${at(name)}`, lines), headOf(answer), more)

const letters = 'letters.txt'

export const headRows: readonly HttpRow[] = [
  head(letters, [], whole(letters, { 'content-type': 'text/plain; charset=utf-8' }), {}),
  head('digits.bin', [], whole('digits.bin')),
  head('empty', [], whole('empty')),
  head(letters, ['range: bytes=0-4'], part(letters, 0, 4)),
  head(letters, ['range: bytes=-4'], part(letters, 22, 25)),
  head(letters, ['range: bytes=5-'], part(letters, 5, 25)),
  head(letters, ['range: bytes=0-9,5-14'], part(letters, 0, 14), ignored),
  head('digits.bin', ['range: bytes=0-0,500-500'], whole('digits.bin'), ignored),
  head(letters, ['range: bytes=99-'], whole(letters), ignored),
  head(letters, ['range: bytes=x'], whole(letters), ignored),
  head('empty', ['range: bytes=0-0'], whole('empty'), { nginx: 'same' }),
  head(letters, ['range: bytes=0-4', `if-range: {tag:${letters}}`], part(letters, 0, 4)),
  head(letters, ['range: bytes=0-4', 'if-range: "a"'], whole(letters)),
  head(letters, [`if-none-match: {tag:${letters}}`], unmodified(letters)),
  head(letters, [`if-modified-since: ${dateOf(modifiedSeconds)}`], unmodified(letters)),
  head(letters, ['if-match: "a"'], failed),
  head(letters, [`if-unmodified-since: ${dateOf(modifiedSeconds - 1)}`], failed),
  head('nothing', [], refused(404, 'not-found')),
  head('%00', [], refused(400, 'invalid')),
  row('HEAD of a directory', request(`HEAD ${at('dir/')}`, ['accept: */*']), { status: 200, body: '', has: { 'content-type': 'application/json; charset=utf-8', 'content-length': undefined, vary: 'Accept' } }),
  ...['stat/letters.txt', 'list/dir', 'manifest/letters.txt'].map((address) =>
    row(`HEAD of ${address}`, request(`HEAD /v1/demo/${address}`), { status: 200, body: '', has: { 'content-type': 'application/json; charset=utf-8', 'content-length': undefined } }),
  ),
  row('HEAD of a volume that is none', request('HEAD /v1/nothing/files/x'), headOf(refused(404, 'not-found'))),
  row('HEAD of /healthz', request('HEAD /healthz'), { status: 200, body: '', has: { 'content-type': 'application/json; charset=utf-8' } }),
  row('HEAD of an address that is none', request('HEAD /v9'), headOf(refused(404, 'not-found'))),
]
