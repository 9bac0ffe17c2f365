/**
 * A server that answers what a test says, byte by byte, on a raw socket: statuses, bodies that are cut, too long, or never come. One answer a connection.
 */
import { createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface HeardRequest {
  readonly method: string
  readonly path: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface FaultServer {
  readonly url: string
  readonly requests: readonly HeardRequest[]
}

/** The bytes of an answer with its head, and whether the connection ends after them; or none. */
export type FaultAnswer = { readonly text: string; readonly after?: 'close' | 'hang' } | 'hang' | 'reset'

/** For use inside a test: it is closed when that ends. */
export async function startFaultServer(answer: (request: HeardRequest, index: number) => FaultAnswer | Promise<FaultAnswer>): Promise<FaultServer> {
  const requests: HeardRequest[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let heard = ''
    let isAnswered = false
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => {
      heard += data.toString('latin1')
      const request = isAnswered ? undefined : wholeRequest(heard)
      if (request === undefined) return
      isAnswered = true
      requests.push(request)
      void Promise.resolve(answer(request, requests.length - 1)).then((given) => give(socket, given))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`, requests }
}

/** An answer with a true length and `Connection: close`. */
export function answerText(status: number, body = '', headers: Readonly<Record<string, string>> = {}): { readonly text: string } {
  const lines = Object.entries({ 'Content-Length': String(body.length), ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return { text: `HTTP/1.1 ${status} Some Reason\r\nConnection: close\r\n${lines.join('')}\r\n${body}` }
}

function give(socket: Socket, answer: FaultAnswer): void {
  if (answer === 'hang') return
  if (answer === 'reset') return void socket.resetAndDestroy()
  if (answer.after === 'hang') socket.write(answer.text, 'latin1')
  else socket.end(answer.text, 'latin1')
}

function wholeRequest(heard: string): HeardRequest | undefined {
  const end = heard.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = heard.slice(0, end).split('\r\n')
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
  const body = heard.slice(end + 4)
  if (body.length < Number(headers.get('content-length') ?? 0)) return undefined
  const [method = '', path = ''] = first.split(' ')
  return { method, path, headers, body }
}
