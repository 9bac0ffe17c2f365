/**
 * Requests of somebody who wants an edge to fall, to err or to tell: addresses, headers and bodies out of what such edges have been broken with, mixed by a seed. It knows the
 * routes, so that much of it comes far, and it knows the names outside of its prefix, but not those that must never be told.
 */
import { printJson } from '../../shared/format/json-fields.ts'
import type { Random } from '../../shared/random.ts'
import { randomBelow, randomFraction } from '../../shared/random.ts'

export interface HostileRequest {
  readonly method: string
  /** As it would stand in the request line. */
  readonly target: string
  readonly headers: Record<string, string>
  readonly body: Uint8Array | undefined
}

export interface HostileWorld {
  readonly random: Random
  /** `METHOD template`, as the router has them. */
  readonly routes: readonly { readonly method: string; readonly pattern: string }[]
  readonly volumes: readonly string[]
  /** Paths worth asking for, within reach and outside. */
  readonly paths: readonly string[]
  readonly packs: readonly string[]
  readonly uploads: readonly string[]
  /** Genuine in some way or another, good for something else. */
  readonly tokens: readonly string[]
  /** The one that most requests bring. */
  readonly token: string
  /** Targets of uploads that its token has begun; there may be more of them each time. */
  readonly begun: readonly string[]
  /** The slot of the log that is free, in the volume of a publisher. */
  readonly freeSeq: () => number
  /** Bodies that would be right, for routes that take JSON. */
  readonly documents: readonly object[]
}

const names = [
  'in.txt', 'sub', 'x.txt', 'out', 'abs-out', 'up', 'dir-out', 'gone', 'chain', 'hard', 'secret.txt', 'top.txt', 'a', 'b', 'loop', 'new', '..', '.', '...', '%2e%2e', '%2E%2e', '.%2e', '..%2f', '%2f', '%5c', '..%5c..',
  '%00', 'in.txt%00', '%c0%ae%c0%ae', '%c0%af', '%ff', '%F0%9F', 'e%CC%81', '%C3%A9', 'é', '@1', '@2', '@', 't', '%', '%2', '%zz', '%u002e', '%252e%252e', '%25', ';', ';a=b', '+', '%20', ' ', '%0d%0aSet-Cookie:x', '%09',
  '*', '__proto__', 'constructor', 'toString', 'CON', 'in.txt.', 'IN.TXT', 'in.txt~', '-', 'uploads', 'files', 'v1', '%E2%80%AE', '%EF%BB%BF', 'null', 'undefined', 'NaN', '$&', '${x}', '<script>',
]
const numbers = ['0', '1', '2', '-1', '00', '1e3', '0x10', '9007199254740991', '9007199254740992', '18446744073709551616', '9'.repeat(400), '', ' 1', '1.5', 'NaN', 'Infinity', '+1', '١', '4294967296', '2147483648', '-0']
const ranges = ['bytes=', 'bytes=0-', 'bytes=-1', 'bytes=0-0', 'bytes=5-2', 'bytes=0-0,0-0', 'bytes=-0', 'bytes=a-b', 'bytes=0-1, 2-3,,', 'bytes 0-1', 'items=0-1', 'bytes=0-18446744073709551615', `bytes=${'0-1,'.repeat(300)}`, `bytes=0-${'9'.repeat(500)}`, 'bytes=--1', 'bytes=1-\t', 'BYTES=0-2']
const dates = ['Thu, 01 Jan 1970 00:00:00 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT', 'Fri, 31 Dec 9999 23:59:59 GMT', 'yesterday', '0', '', 'Thu, 32 Foo 2020 99:99:99 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT']
const tags = ['*', '""', '"x"', 'W/"x"', '"a", "b"', '"a" "b"', '"', '*, "a"', `"${'a'.repeat(64)}"`, '"absent"', '"s.%zz"', '"s.1"', ',,,', `${'"a",'.repeat(500)}"b"`]
const leases = ['writer;1', 'writer', ';', '__proto__;1', 'a;-1', `a;${'9'.repeat(30)}`, 'a;1;2']
const digests = ['sha-256=:AAAA:', 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'sha-256=x', 'x=:AA:', ':::', 'sha-512=:', 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:']
const fields: readonly (readonly [string, readonly string[]])[] = [
  ['range', ranges], ['if-range', [...tags, ...dates]], ['if-match', tags], ['if-none-match', tags], ['if-modified-since', dates], ['if-unmodified-since', dates], ['content-length', numbers], ['content-range', ['bytes 0-1/2', '']],
  ['content-encoding', ['gzip', 'identity', 'br, gzip', '']], ['content-type', ['application/json', 'application/offset+octet-stream', 'text/html; charset=utf-7', '', 'multipart/form-data']], ['content-md5', ['', 'x', '1B2M2Y8AsgTpgAmY7PhCfg==']],
  ['repr-digest', digests], ['content-digest', digests], ['edgemount-mtime', [...numbers, '1.5', '-1.25', '99999999999999.999999999']], ['edgemount-mode', ['777', '7777', '8', '-1', '0o777', '']], ['edgemount-lease', leases], ['edgemount-fresh', ['1', '']],
  ['tus-resumable', ['1.0.0', '1.0.0', '0.2', '']], ['upload-length', [...numbers, '10', '3']], ['upload-offset', [...numbers, '5']], ['upload-metadata', ['a', 'mtime MTIz', 'mode Nzc3', 'mode %%%', 'a b c', `x ${'A'.repeat(5000)}`, ',,', 'mtime']],
  ['upload-checksum', ['sha1 AAAA', 'md5 1B2M2Y8AsgTpgAmY7PhCfg==', 'crc32 x', 'sha256', '']], ['upload-defer-length', ['1']], ['x-http-method-override', ['PATCH', 'DELETE', 'PUT', 'GET']], ['accept', ['text/html', '*/*', 'application/json', 'text/event-stream', ',,;q=x', '']],
  ['origin', ['https://evil.example', 'null', 'http://localhost']], ['host', ['evil.example', 'localhost', 'a b', '']], ['last-event-id', numbers], ['access-control-request-headers', ['x\ty', 'authorization']], ['x-forwarded-for', ['127.0.0.1']], ['cookie', ['t=x']],
]
const queries = ['seq', 'after', 'limit', 'before', 'wait', 'prefix', 'start', 'end', 'follow', 'recursive', 'download', 'upload', 'pack', 't', 'deep', '__proto__', '', 'seq[]']
const methods = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'LOCK', 'get', 'M-SEARCH']

export class HostileRequests {
  readonly #world: HostileWorld

  constructor(world: HostileWorld) {
    this.#world = world
  }

  next(): HostileRequest {
    const { routes } = this.#world
    const route = this.#one(routes)
    // Much of what is wrong is only reached by a request of which most is right.
    if (this.#is(0.4)) return this.#nearlyRight(route)
    const method = this.#is(0.9) ? route.method : this.#is(0.5) ? 'HEAD' : this.#one(methods)
    const headers: Record<string, string> = {}
    for (let count = this.#below(4); count > 0; count -= 1) {
      const [name, values] = this.#one(fields)
      headers[name] = this.#one(values)
    }
    this.#complete(route, headers)
    const query = this.#query(route.pattern)
    const path = this.#is(0.97) ? this.#path(route.pattern) : `/${Array.from({ length: this.#below(6) }, () => this.#one(names)).join('/')}`
    const isBegun = route.pattern.includes('uploads') && route.method !== 'POST' && this.#world.begun.length > 0 && this.#is(0.5)
    const [own = '', ownQuery = ''] = isBegun ? this.#one(this.#world.begun).split('?') : []
    const target = isBegun ? this.#authorize(own, ownQuery, headers) : this.#authorize(this.#is(0.93) ? path : this.#mutate(path), query, headers)
    return { method, target, headers, body: method === 'GET' || method === 'HEAD' ? undefined : this.#body() }
  }

  #nearlyRight(route: HostileWorld['routes'][number]): HostileRequest {
    const { token, paths, volumes, begun } = this.#world
    const headers: Record<string, string> = { authorization: `Bearer ${token}` }
    this.#complete(route, headers)
    const isBegun = route.pattern.includes('uploads') && route.method !== 'POST' && begun.length > 0
    const pattern = route.pattern.replace('{volume}', volumes[0]!).replace('{path}', () => this.#one(paths).slice(1))
    const query = this.#query(route.pattern)
    const target = isBegun ? this.#one(begun) : `${this.#path(pattern)}${query === '' ? '' : `?${query}`}`
    return { method: route.method, target, headers, body: route.method === 'GET' ? undefined : this.#body() }
  }

  /** What a route wants before it looks at anything else, most times. */
  #complete({ method, pattern }: HostileWorld['routes'][number], headers: Record<string, string>): void {
    const often = (name: string, values: readonly string[]): void => {
      if (this.#is(0.7)) headers[name] = this.#one(values)
    }
    if (method === 'GET' && (pattern.includes('/files') || pattern.includes('@{seq}'))) {
      if (this.#is(0.4)) headers['range'] = this.#one([...ranges, 'bytes=0-2', 'bytes=-3', 'bytes=0-0,2-2,-1', 'bytes=0-9999999'])
      if (this.#is(0.1)) headers['if-none-match'] = '*'
    }
    if (method === 'PUT' && pattern.endsWith('/access')) often('if-match', ['"absent"', '"s.1"', '*'])
    if (!pattern.includes('uploads')) return
    if (this.#is(0.9)) headers['tus-resumable'] = '1.0.0'
    if (method === 'POST') often('upload-length', ['10', '3', '0', '200'])
    if (method === 'PATCH') {
      often('upload-offset', ['0', '0', '5', '3'])
      often('content-type', ['application/offset+octet-stream'])
    }
  }

  #path(pattern: string): string {
    return pattern
      .replace('{volume}', this.#is(0.85) ? this.#one(this.#world.volumes) : this.#one(names))
      .replace('{path}', () => this.#filePath())
      .replace('{seq}', () => (this.#is(0.4) ? String(this.#world.freeSeq()) : this.#one([...numbers, '2', '3'])))
      .replace('{pack}', () => this.#one([...this.#world.packs, this.#one(names)]))
      .replace('{start}', () => this.#one(numbers))
      .replace('{end}', () => this.#one(numbers))
      .replaceAll(/\{\w+\}/g, () => this.#one(['one', 'writer', ...names]))
  }

  #filePath(): string {
    const known = this.#one(this.#world.paths).slice(1)
    if (this.#is(0.5)) return known
    const more = Array.from({ length: this.#below(4) }, () => this.#one(names))
    const path = [...(this.#is(0.7) ? ['a', 'b'] : []), ...more].join('/')
    if (this.#is(0.1)) return `${path}/${known}`
    if (this.#is(0.02)) return `a/b/${'x'.repeat(this.#one([255, 256, 5000]))}`
    if (this.#is(0.02)) return `a/b${'/d'.repeat(this.#one([50, 2000]))}`
    return this.#is(0.1) ? `${path}/` : path
  }

  #query(pattern: string): string {
    const parts: string[] = []
    // What waits for a minute would keep the test waiting.
    if (pattern.includes('events')) parts.push(`wait=${this.#one(['0', '1', '-1', 'x', ''])}`)
    if (pattern.includes('uploads') && this.#is(0.6)) parts.push(`upload=${this.#one([...this.#world.uploads, ...numbers, '..%2f..%2fvolume.json', 'a'])}`)
    if (pattern.includes('packs') && this.#is(0.6)) parts.push(`pack=${this.#one([...this.#world.packs, this.#newPack(), 'd', '..%2f'])}`)
    for (let count = this.#below(3); count > 0; count -= 1) {
      const name = this.#one(queries)
      if (name !== 'wait') parts.push(`${name}=${this.#is(0.5) ? this.#one(numbers) : this.#is(0.5) ? this.#one(names) : this.#filePath()}`)
    }
    return parts.join('&')
  }

  #newPack(): string {
    return `${this.#one(['d', 'm'])}01${Array.from({ length: 24 }, () => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[this.#below(32)]).join('')}`
  }

  /** The token in one of its places, or another one, or several. */
  #authorize(path: string, query: string, headers: Record<string, string>): string {
    const token = this.#is(0.9) ? this.#world.token : this.#is(0.5) ? this.#one(this.#world.tokens) : this.#mutate(this.#one([this.#world.token, ...this.#world.tokens]))
    const withQuery = (address: string, more = ''): string => [address, [query, more].filter((part) => part !== '').join('&')].filter((part) => part !== '').join('?')
    const place = this.#below(16)
    if (place === 0) return withQuery(path)
    if (place === 1) return withQuery(`/t/${token}${path}`)
    if (place === 2) return withQuery(path, `t=${token}`)
    if (place === 3) return withQuery(`/t/${token}/t/${this.#one(this.#world.tokens)}${path}`)
    if (place === 4) headers['x-api-key'] = token.replaceAll(/[^\x21-\x7e]/g, '')
    else headers['authorization'] = this.#one([...Array<string>(12).fill('Bearer '), 'bearer  ', 'Basic ', '']) + token.replaceAll(/[^\x21-\x7e]/g, '')
    if (place === 5) headers['x-api-key'] = this.#one(this.#world.tokens)
    return withQuery(path)
  }

  #body(): Uint8Array | undefined {
    const { random, documents } = this.#world
    if (this.#is(0.2)) return undefined
    if (this.#is(0.2)) return random.bytes(this.#below(200))
    if (this.#is(0.02)) return random.bytes(this.#one([65_537, 300_000]))
    if (this.#is(0.6) && documents.length > 0) return printJson(this.#changed(this.#one(documents)))
    if (this.#is(0.05)) return text(this.#one(['[', '{"a":']).repeat(this.#one([100, 50_000])))
    if (this.#is(0.2)) return text(this.#one(['{"__proto__":{"isAdmin":true}}', '{"a":1,"a":2}', '{}', '[]', 'null', '"x"', '1e999', '{"format":1}', '{"format":99}', '\uFEFF{}', '{"a":"\\ud800"}', '{"action":"acquire"}', '', ' ', 'true']))
    return text(JSON.stringify(this.#value(4)))
  }

  /** A document with one field that is another, is missing, or should not be there. */
  #changed(document: object): object {
    const entries = Object.entries(document)
    const at = this.#below(entries.length + 1)
    if (this.#is(0.2)) return document
    if (at === entries.length) return { ...document, [this.#one(['__proto__x', 'extra', 'constructor'])]: this.#value(2) }
    const [name, value] = entries[at]!
    if (this.#is(0.2)) return Object.fromEntries(entries.filter(([key]) => key !== name))
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value) && this.#is(0.6) ? this.#changed(value as object) : undefined
    return { ...document, [name]: nested ?? (typeof value === 'string' && this.#is(0.6) ? this.#mutate(value) : this.#value(2)) }
  }

  #value(depth: number): unknown {
    const kind = this.#below(depth > 0 ? 8 : 5)
    if (kind === 0) return this.#one([null, true, false])
    if (kind === 1) return this.#one([0, -1, 1.5, 2 ** 53, 1e308, -0, 4, 5000])
    if (kind < 5) return this.#one([...names, ...numbers, ...this.#world.paths, ...this.#world.packs])
    if (kind === 5) return Array.from({ length: this.#below(5) }, () => this.#value(depth - 1))
    return Object.fromEntries(Array.from({ length: this.#below(5) }, () => [this.#one(['format', 'seq', 'parent', 'root', 'operations', 'op', 'path', 'action', 'holder', 'epoch', 'urls', 'revoked', 'publicRead', 'chunking', 'kind', 'constructor']), this.#value(depth - 1)]))
  }

  /** Some characters are others, gone, or there twice. */
  #mutate(value: string): string {
    let changed = value
    for (let count = 1 + this.#below(3); count > 0; count -= 1) {
      const at = this.#below(changed.length + 1)
      const insert = this.#one(['', '', '/', '.', '%', 'A', '0', '-', '_', '//', '%2f', '?', '\u00e9', changed.slice(0, 5)])
      changed = changed.slice(0, at) + insert + changed.slice(at + this.#below(3))
    }
    return changed
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!
  }

  #is(chance: number): boolean {
    return randomFraction(this.#world.random) < chance
  }

  #below(limit: number): number {
    return randomBelow(this.#world.random, limit)
  }
}

/** Bytes that some servers take for a request: lines, lengths and chunks that cannot be. The connection ends after them. */
export function hostileBytes({ method, target, headers, body = new Uint8Array() }: HostileRequest, random: Random): Uint8Array {
  const one = <T>(values: readonly T[]): T => values[randomBelow(random, values.length)]!
  const end = one(['\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n '])
  const lines = [`${method} ${target.startsWith('/') ? target : `/${target}`} ${one(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/9.9', 'HTTP', ''])}`, ...Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}${one([':', ': ', ': ', ' : ', ''])}${value}`)]
  lines.push(...one([[], [`content-length: ${body.length}`], ['content-length: 5', 'content-length: 6'], ['transfer-encoding: chunked'], ['transfer-encoding: chunked', 'content-length: 4'], ['transfer-encoding: gzip, chunked'], ['content-length: 99999999999'], ['expect: 100-continue'], ['upgrade: h2c', 'connection: upgrade'], ['host: other'], [`x: ${'y'.repeat(20_000)}`]]))
  const chunks = one(['', '5\r\nhello\r\n0\r\n\r\n', 'zz\r\n', '-1\r\n', 'ffffffffffffffff\r\nx', '0\r\nGET / HTTP/1.1\r\n\r\n'])
  return Buffer.concat([Buffer.from(`${lines.join(end)}${end}${end}`, 'latin1'), body, Buffer.from(chunks, 'latin1')])
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
