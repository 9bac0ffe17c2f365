/** HTTP/1.0: no chunks, no interim answers, and the connection ends unless the client asks otherwise (RFC 9112 appendix C.2). */
import { type Answer, front, instead, type HttpRow, type RowMore, at, failed, headOf, part, parts, refused, request, row, unmodified, unsatisfiable, whole } from './row.ts'

const letters = 'letters.txt'
const alike: RowMore = { connection: 'closed', nginx: 'same' }

const old = (lines: readonly string[], answer: Answer, more: RowMore = alike, line = `GET ${at(letters)}`): HttpRow =>
  row(`${line} ${lines.join(', ')}`, request(`${line} HTTP/1.0`, ['host: localhost', ...lines]), answer, more)

const bare = (lines: readonly string[], answer: Answer): HttpRow =>
  row(`no Host ${lines.join(', ')}`, request(`GET ${at(letters)} HTTP/1.0`, lines), answer, {
    ...alike,
    on: { workerd: instead("workerd wants a Host in HTTP/1.0, too; on Cloudflare its front end gives one", front(400), 'closed') },
  })

const keepAlive = 'connection: keep-alive'
const kept: RowMore = { connection: 'kept', nginx: 'same' }

export const oldRows: readonly HttpRow[] = [
  old([], whole(letters)),
  bare([], whole(letters)),
  bare(['range: bytes=0-4'], part(letters, 0, 4)),
  bare(['range: bytes=99-'], unsatisfiable(letters)),
  bare([`if-none-match: {tag:${letters}}`], unmodified(letters)),
  old(['connection: close'], whole(letters)),
  old([keepAlive], whole(letters, { connection: 'keep-alive' }), kept),
  old(['connection: Keep-Alive'], whole(letters), kept),
  old(['range: bytes=0-4'], part(letters, 0, 4)),
  old(['range: bytes=0-4', keepAlive], part(letters, 0, 4), kept),
  old(['range: bytes=-4'], part(letters, 22, 25)),
  old(['range: bytes=99-'], unsatisfiable(letters)),
  old([`if-none-match: {tag:${letters}}`], unmodified(letters)),
  old([`if-none-match: {tag:${letters}}`, keepAlive], unmodified(letters), { ...kept, on: { Node: { why: 'Node ends an HTTP/1.0 connection after an answer without a length', connection: 'closed' } } }),
  old(['if-match: "a"'], failed),
  old(['if-match: "a"', keepAlive], failed, kept),
  old(['range: bytes=0-0,500-500'], parts('digits.bin', [0, 0], [500, 500]), alike, `GET ${at('digits.bin')}`),
  old(['range: bytes=0-0,500-500', keepAlive], parts('digits.bin', [0, 0], [500, 500]), { ...kept, on: { Deno: { why: 'Deno ends an HTTP/1.0 connection after a body that comes as a stream', connection: 'closed' } } }, `GET ${at('digits.bin')}`),
  old([], headOf(whole(letters)), alike, `HEAD ${at(letters)}`),
  old([keepAlive], headOf(whole(letters)), kept, `HEAD ${at(letters)}`),
  old([], whole('empty'), alike, `GET ${at('empty')}`),
  old([keepAlive], whole('empty'), kept, `GET ${at('empty')}`),
  old([], refused(404, 'not-found'), alike, `GET ${at('nothing')}`),
  old(['te: chunked', 'range: bytes=0-0,500-500'], parts('digits.bin', [0, 0], [500, 500]), alike, `GET ${at('digits.bin')}`),
  old([keepAlive, 'accept: */*'], { status: 200, body: /"path":"\/dir"/, has: { 'transfer-encoding': undefined } }, { connection: 'kept' }, `GET ${at('dir/')}`),
]
