/**
 * A row of the HTTP tables: what is sent, byte for byte, what must come back, and whether the connection can be used again. Each runs on every runtime; where
 * one of them cannot answer the same, the row says what it answers and why. Rows marked for nginx are compared with what nginx answers to the same bytes.
 */
import type { RuntimeName } from '../../edge/runtimes.ts'
import { dateOf, files, modifiedSeconds } from './files.ts'

export interface Answer {
  /** 0: the connection ends without an answer. */
  readonly status: number
  /** The exact body. */
  readonly body?: string | RegExp
  /** Instead of a body: the parts of multipart/byteranges, first and last byte of `file`. */
  readonly parts?: { readonly file: string; readonly ranges: readonly (readonly [first: number, last: number])[] }
  /** Exact values; undefined for what must not be there. `{tag:name}` is the ETag of that file. */
  readonly has?: Readonly<Record<string, string | RegExp | undefined>>
  /** The code in the body of an error that the edge itself answers; absent where the server before it does. */
  readonly error?: string
}

/** What is sent (Latin-1, `{tag:name}` replaced), or what comes back. */
export type Step = string | Answer

export interface Difference {
  readonly why: string
  /** In the place of the row's own, in their order; when they are more or fewer, everything is sent before the first. */
  readonly answers?: readonly Answer[]
  readonly connection?: 'kept' | 'closed'
}

export interface HttpRow {
  readonly title: string
  readonly steps: readonly Step[]
  /** Whether the next request on the same connection is answered. */
  readonly connection: 'kept' | 'closed'
  readonly on?: Partial<Record<RuntimeName, Difference>>
  /** nginx answers the same, or differently for this reason. Absent where nginx does not define the answer. */
  readonly nginx?: 'same' | { readonly differs: string }
}

/** The answer is another, and the connection, too, when it is told. */
export function instead(why: string, answer: Answer, connection?: 'kept' | 'closed'): Difference {
  return { why, answers: [answer], ...(connection === undefined ? {} : { connection }) }
}

export type RowMore = Partial<Pick<HttpRow, 'connection' | 'on' | 'nginx'>>

/** The address of a file of `files.ts`; the name is percent-encoded already. */
export const at = (name: string): string => `/v1/demo/files/${name}`

/** A request with these lines; `Host` is among them unless a line names it. */
export function request(line: string, lines: readonly string[] = [], body = ''): string {
  const host = lines.some((text) => /^host/i.test(text)) || line.endsWith(' HTTP/1.0') ? [] : ['host: localhost']
  return `${[/ HTTP\/\d/.test(line) ? line : `${line} HTTP/1.1`, ...host, ...lines].join('\r\n')}\r\n\r\n${body}`
}

/** One request, one answer. */
export function row(title: string, sent: string, answer: Answer, more: RowMore = {}): HttpRow {
  return { title, steps: [sent, answer], connection: 'kept', ...more }
}

/** GET of a file with these header lines; the title is the lines. */
export function get(name: string, lines: readonly string[], answer: Answer, more: RowMore = {}): HttpRow {
  return row(`${name}: ${lines.join(', ')}`, request(`GET ${at(name)}`, lines), answer, more)
}

const fileHeaders = (name: string): NonNullable<Answer['has']> => ({
  'accept-ranges': 'bytes',
  etag: `{tag:${name}}`,
  'last-modified': dateOf(modifiedSeconds),
  'cache-control': 'no-cache, no-transform',
  'content-encoding': undefined,
  'transfer-encoding': undefined,
  'x-content-type-options': 'nosniff',
  'access-control-allow-origin': '*',
})

/** 200 with all of the file. */
export function whole(name: string, has: Answer['has'] = {}): Answer {
  const body = files[name]!
  return { status: 200, body, has: { ...fileHeaders(name), 'content-length': String(Buffer.byteLength(body)), 'content-range': undefined, ...has } }
}

/** 206 with the bytes `first` to `last`, both included. */
export function part(name: string, first: number, last: number, has: Answer['has'] = {}): Answer {
  const body = files[name]!
  const range = { 'content-range': `bytes ${first}-${last}/${body.length}`, 'content-length': String(last - first + 1) }
  return { status: 206, body: body.slice(first, last + 1), has: { ...fileHeaders(name), ...range, ...has } }
}

/** 206 with multipart/byteranges. */
export function parts(name: string, ...ranges: readonly (readonly [first: number, last: number])[]): Answer {
  return { status: 206, parts: { file: name, ranges }, has: { ...fileHeaders(name), 'content-range': undefined } }
}

/** The headers of another answer, without its body. */
export function headOf(answer: Answer): Answer {
  const { parts: _, ...rest } = answer
  return { ...rest, body: '' }
}

export const unmodified = (name: string): Answer => ({
  status: 304,
  body: '',
  has: { etag: `{tag:${name}}`, 'last-modified': dateOf(modifiedSeconds), 'cache-control': 'no-cache, no-transform', 'content-length': undefined, 'content-type': undefined },
})

/** An error of the edge itself. */
export function refused(status: number, error: string, has: Answer['has'] = {}): Answer {
  const always = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff' }
  return { status, error, has: { ...always, ...has } }
}

export const failed = refused(412, 'stale')

export const unsatisfiable = (name: string): Answer =>
  refused(416, 'invalid', { 'content-range': `bytes */${files[name]!.length}`, 'accept-ranges': 'bytes', etag: `{tag:${name}}` })

/** An error of the server before the edge, which says what it likes and ends the connection. */
export const front = (status: number): Answer => ({ status })
