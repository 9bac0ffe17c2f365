/** A proxy before an HTTP server that counts what it sends, and sends no more in a second than it is told to, on all connections together. */
import { type Socket, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface SlowProxy {
  readonly url: string
  /** Bytes that the server sent so far, heads included. */
  readonly sent: () => number
  bytesPerSecond: number
  stop(): Promise<void>
}

export async function startSlowProxy(target: string): Promise<SlowProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let bytes = 0
  let freeMs = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    const send = async (): Promise<void> => {
      for await (const chunk of upstream as AsyncIterable<Uint8Array>) {
        freeMs = Math.max(freeMs, performance.now()) + (chunk.length / proxy.bytesPerSecond) * 1000
        const waitMs = freeMs - performance.now()
        if (waitMs > 2) await sleep(waitMs)
        bytes += chunk.length
        if (!client.write(chunk)) await new Promise((resolve) => client.once('drain', resolve))
      }
      client.end()
    }
    send().catch(() => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const proxy: SlowProxy = {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    sent: () => bytes,
    bytesPerSecond: Infinity,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
