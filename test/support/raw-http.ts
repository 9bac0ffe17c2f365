/**
 * HTTP as bytes on a socket, for tests of what really goes over the wire: no client that normalises paths, joins headers or hides a cut.
 */
import { connect } from 'node:net'

export interface RawResponse {
  readonly status: number
  /** Lower-case names; of several values the last. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** True when the connection ended before the body that the headers promised was there. */
  readonly isCut: boolean
}

export interface RawRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

/** One request on a connection of its own. */
export async function rawRequest(port: number, { method = 'GET', path, headers = {}, body }: RawRequest): Promise<RawResponse> {
  const bytes = Buffer.from(body ?? '')
  const length = body === undefined ? [] : [`content-length: ${bytes.length}`]
  const lines = [`${method} ${path} HTTP/1.1`, ...('host' in headers ? [] : ['host: localhost']), 'connection: close', ...length, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)]
  return parseResponse(await exchange(port, Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes])), method)
}

/** Everything that comes back for these bytes until the other side closes. */
export function exchange(port: number, request: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(request))
    const received: Buffer[] = []
    socket.on('data', (data) => received.push(data))
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? resolve(Buffer.concat(received)) : reject(error)))
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(Buffer.concat(received)))
    socket.setTimeout(10_000, () => socket.destroy(new Error('The server neither answered nor closed within 10 s')))
  })
}

export function parseResponse(received: Buffer, method: string): RawResponse {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return { status: 0, headers: {}, body: received, isCut: true }
  const [statusLine = '', ...lines] = received.subarray(0, end).toString('latin1').split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 1).trim()
  const status = Number(statusLine.split(' ')[1])
  const rest = received.subarray(end + 4)
  if (method === 'HEAD' || status === 204 || status === 304) return { status, headers, body: rest, isCut: false }
  if (headers['transfer-encoding'] === 'chunked') return { status, headers, ...dechunk(rest) }
  const length = headers['content-length'] === undefined ? rest.length : Number(headers['content-length'])
  return { status, headers, body: rest, isCut: rest.length !== length }
}

function dechunk(rest: Buffer): { body: Buffer; isCut: boolean } {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd < 0) return { body: Buffer.concat(parts), isCut: true }
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString('latin1'), 16)
    const part = rest.subarray(lineEnd + 2, lineEnd + 2 + size)
    if (size === 0) return { body: Buffer.concat(parts), isCut: false }
    parts.push(part)
    if (part.length < size) return { body: Buffer.concat(parts), isCut: true }
    at = lineEnd + 2 + size + 2
  }
}
