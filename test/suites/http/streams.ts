/** Bodies of many chunks, which come from the store while they are sent: every length and every byte is as for small ones. */
import { type Answer, type HttpRow, type RowMore, at, headOf, part, parts, request, row, unmodified, unsatisfiable, whole } from './row.ts'

const name = 'big.bin'
const size = 3_000_000
const alike: RowMore = { nginx: 'same' }
const range = (value: string): string[] => [`range: bytes=${value}`]
const ask = (lines: readonly string[] = []): string => request(`GET ${at(name)}`, lines)
const large = (title: string, lines: readonly string[], answer: Answer, more: RowMore = alike): HttpRow => row(title, ask(lines), answer, more)
const old = (title: string, lines: readonly string[], answer: Answer, connection: 'kept' | 'closed'): HttpRow =>
  row(title, request(`GET ${at(name)} HTTP/1.0`, ['host: localhost', ...lines]), answer, {
    ...alike,
    connection,
    on: { Deno: { why: 'Deno ends an HTTP/1.0 connection after a body that comes as a stream', connection: 'closed' } },
  })

export const streamRows: readonly HttpRow[] = [
  large('all of it', [], whole(name)),
  large('all of it as a range', range('0-'), part(name, 0, size - 1)),
  large('one byte at the end of the first 64 KiB', range('65535-65535'), part(name, 65_535, 65_535)),
  large('across 64 KiB', range('65530-65541'), part(name, 65_530, 65_541)),
  large('across 1 MiB', range('1048570-1048580'), part(name, 1_048_570, 1_048_580)),
  large('a megabyte in the middle', range('1000000-1999999'), part(name, 1_000_000, 1_999_999)),
  large('the last megabyte', range('-1000000'), part(name, 2_000_000, size - 1)),
  large('the last byte', range('2999999-'), part(name, size - 1, size - 1)),
  large('behind the end', range('3000000-'), unsatisfiable(name)),
  large('large parts', range('0-99999,1000000-1199999,-50000'), parts(name, [0, 99_999], [1_000_000, 1_199_999], [2_950_000, size - 1])),
  large('large parts out of order', range('2000000-2099999,0-99999'), parts(name, [2_000_000, 2_099_999], [0, 99_999])),
  large('200 parts', [`range: bytes=${Array.from({ length: 200 }, (_, index) => `${index * 10_000}-${index * 10_000 + 9}`).join()}`], parts(name, ...Array.from({ length: 200 }, (_, index) => [index * 10_000, index * 10_000 + 9] as const))),
  large('never compressed', ['accept-encoding: gzip, br, zstd'], whole(name, { 'content-encoding': undefined })),
  large('If-Range', [...range('500000-'), `if-range: {tag:${name}}`], part(name, 500_000, size - 1)),
  large('If-Range of another version', [...range('500000-'), 'if-range: "a"'], whole(name)),
  large('304', [`if-none-match: {tag:${name}}`], unmodified(name)),
  row('HEAD', request(`HEAD ${at(name)}`), headOf(whole(name)), alike),
  row('HEAD of a range', request(`HEAD ${at(name)}`, range('1000000-1999999')), headOf(part(name, 1_000_000, 1_999_999)), alike),
  { title: 'whole files and parts, pipelined', steps: [ask() + ask(range('10-19')) + ask(), whole(name), part(name, 10, 19), whole(name)], connection: 'kept', nginx: 'same' },
  old('HTTP/1.0', [], whole(name), 'closed'),
  old('HTTP/1.0, a range', range('1000000-1999999'), part(name, 1_000_000, 1_999_999), 'closed'),
  old('HTTP/1.0 with keep-alive', ['connection: keep-alive', ...range('1000000-1999999')], part(name, 1_000_000, 1_999_999), 'kept'),
]
