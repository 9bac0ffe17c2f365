/** A proxy before an S3 server that answers for it, cuts, damages or swallows by a plan. It passes the host's name on, which is signed. */
import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http'

/** `hang` never answers; `stall` gives the head and half of the body, and then nothing; `cut` breaks off there. */
export type S3Fault = '503' | '429' | 'hang' | 'reset' | 'cut' | 'stall' | 'flip' | undefined

export interface FaultyS3 {
  readonly url: string
  readonly requestCount: number
  stop(): Promise<void>
}

export async function startFaultyS3(target: string, plan: (method: string, path: string) => S3Fault): Promise<FaultyS3> {
  const { hostname, port } = new URL(target)
  let requestCount = 0
  const server = createServer((incoming, outgoing) => {
    requestCount += 1
    const { method = '', url = '' } = incoming
    const fault = plan(method, url)
    if (fault === 'hang') return
    if (fault === 'reset') return void incoming.socket.resetAndDestroy()
    if (fault === '503' || fault === '429') return refuse(incoming, outgoing, fault)
    const onward = request({ hostname, port, method, path: url, headers: incoming.headers }, (answer) => void pass(answer, outgoing, fault))
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    get requestCount() {
      return requestCount
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse, status: '503' | '429'): void {
  incoming.resume()
  const name = status === '503' ? 'SlowDown' : 'TooManyRequests'
  incoming.on('end', () => outgoing.writeHead(Number(status), { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?><Error><Code>${name}</Code><Message>later</Message></Error>`))
}

async function pass(answer: IncomingMessage, outgoing: ServerResponse, fault: S3Fault): Promise<void> {
  const body = Buffer.concat(await answer.toArray())
  const isBody = answer.statusCode === 200 || answer.statusCode === 206
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
  if (isBody && body.length > 0 && fault === 'flip') body[body.length >>> 1]! ^= 0x10
  if ((fault !== 'cut' && fault !== 'stall') || body.length === 0) return void outgoing.end(body)
  outgoing.write(body.subarray(0, body.length >>> 1), () => {
    if (fault === 'cut') outgoing.destroy()
  })
}
