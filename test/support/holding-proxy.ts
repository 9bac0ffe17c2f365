/** An HTTP proxy that passes everything on, but keeps the requests it is told to hold waiting for as long as it lives. */
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export class HoldingProxy {
  /** True for the paths whose requests are never answered. */
  holds: (path: string) => boolean = () => false
  heldCount = 0
  readonly #target: URL
  readonly #server: Server

  static async start(target: string): Promise<HoldingProxy> {
    const proxy = new HoldingProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((asked, answer) => this.#pass(asked, answer))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    if (this.holds(asked.url ?? '')) {
      this.heldCount += 1
      return
    }
    const { hostname, port } = this.#target
    const forward = request({ hostname, port, path: asked.url, method: asked.method, headers: asked.headers }, (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers)
      given.pipe(answer)
    })
    forward.on('error', () => answer.destroy())
    answer.on('close', () => forward.destroy())
    asked.pipe(forward)
  }
}
