/** A proxy before an HTTP server that counts its requests by method. It passes the host's name on, which is signed. */
import { createServer, request } from 'node:http'

export interface CountingProxy {
  readonly url: string
  /** How many requests came of a method since the last call. */
  taken(): Readonly<Record<string, number>>
  stop(): Promise<void>
}

export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target)
  let counts: Record<string, number> = {}
  const server = createServer((incoming, outgoing) => {
    const method = incoming.method ?? ''
    counts[method] = (counts[method] ?? 0) + 1
    const onward = request({ hostname, port, method, path: incoming.url, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    taken: () => {
      const taken = counts
      counts = {}
      return taken
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
