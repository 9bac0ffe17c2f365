/**
 * One connection to an HTTP server, spoken to byte by byte, with a parser that takes nothing that RFC 9112 does not allow a server to send. Called by the
 * suites of test/suites/http.
 */
import { type Socket, connect } from 'node:net'

const patienceMs = 10_000

export interface HttpAnswer {
  readonly version: '1.0' | '1.1'
  readonly status: number
  /** Lower-case names, each with all its values, in order. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly body: Buffer
  readonly isChunked: boolean
}

export class HttpConnection {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #isEnded = false
  #wake: () => void = () => undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data])
      this.#wake()
    })
    const end = (): void => {
      this.#isEnded = true
      this.#wake()
    }
    socket.on('end', end)
    socket.on('error', end)
    socket.on('close', end)
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
        socket.off('error', reject)
        resolve(new HttpConnection(socket))
      })
      socket.once('error', reject)
    })
  }

  /** Characters are bytes (Latin-1). */
  send(text: string): void {
    this.#socket.write(Buffer.from(text, 'latin1'))
  }

  /** The next answer; undefined when the connection ends instead. */
  async answer(method: string): Promise<HttpAnswer | undefined> {
    const head = await this.#headOf()
    if (head === undefined) return undefined
    const { version, status, headers } = head
    const isBodyless = method === 'HEAD' || status < 200 || status === 204 || status === 304
    const coding = headers.get('transfer-encoding')
    const lengths = headers.get('content-length')
    if (coding !== undefined && lengths !== undefined) throw new Error('An answer has both Transfer-Encoding and Content-Length (RFC 9112 section 6.2)')
    if (status < 200 || status === 204) {
      if (coding !== undefined || lengths !== undefined) throw new Error(`An answer ${status} has a length (RFC 9110 section 8.6)`)
    }
    if (isBodyless) return { version, status, headers, body: Buffer.alloc(0), isChunked: coding !== undefined }
    if (coding !== undefined) {
      if (coding.join() !== 'chunked') throw new Error(`An answer is coded as ${coding.join()}`)
      return { version, status, headers, body: await this.#chunks(), isChunked: true }
    }
    if (lengths !== undefined) {
      if (lengths.length !== 1 || !/^\d+$/.test(lengths[0]!)) throw new Error(`An answer has the length ${lengths.join()}`)
      return { version, status, headers, body: await this.#bytes(Number(lengths[0])), isChunked: false }
    }
    await this.#until(() => this.#isEnded)
    const body = this.#received
    this.#received = Buffer.alloc(0)
    return { version, status, headers, body, isChunked: false }
  }

  /** Waits for the end of the connection; gives what came before it. */
  async rest(): Promise<string> {
    await this.#until(() => this.#isEnded)
    return this.#received.toString('latin1')
  }

  close(): void {
    this.#socket.destroy()
  }

  async #headOf(): Promise<Omit<HttpAnswer, 'body' | 'isChunked'> | undefined> {
    await this.#until(() => this.#isEnded || this.#received.includes('\r\n\r\n'))
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0 && this.#received.length === 0) return undefined
    if (end < 0) throw new Error(`The connection ended within the head ${JSON.stringify(this.#received.toString('latin1'))}`)
    const [line = '', ...lines] = this.#received.subarray(0, end).toString('latin1').split('\r\n')
    this.#received = this.#received.subarray(end + 4)
    const status = /^HTTP\/1\.([01]) (\d{3}) [\t\x20-\x7e\x80-\xff]*$/.exec(line)
    if (status === null) throw new Error(`The status line is ${JSON.stringify(line)}`)
    const headers = new Map<string, string[]>()
    for (const text of lines) {
      const field = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(text)
      if (field === null) throw new Error(`A header line is ${JSON.stringify(text)}`)
      const name = field[1]!.toLowerCase()
      headers.set(name, [...(headers.get(name) ?? []), field[2]!])
    }
    return { version: status[1] === '0' ? '1.0' : '1.1', status: Number(status[2]), headers }
  }

  async #chunks(): Promise<Buffer> {
    const chunks: Buffer[] = []
    for (;;) {
      const line = await this.#line()
      if (!/^[0-9A-Fa-f]+$/.test(line)) throw new Error(`A chunk begins with ${JSON.stringify(line)}`)
      const length = Number.parseInt(line, 16)
      if (length > 0) chunks.push(await this.#bytes(length))
      if ((await this.#line()) !== '') throw new Error('A chunk does not end where it should')
      if (length === 0) return Buffer.concat(chunks)
    }
  }

  async #line(): Promise<string> {
    await this.#until(() => this.#isEnded || this.#received.includes('\r\n'))
    const end = this.#received.indexOf('\r\n')
    if (end < 0) throw new Error('The connection ended within a body')
    return (await this.#bytes(end + 2)).subarray(0, end).toString('latin1')
  }

  async #bytes(length: number): Promise<Buffer> {
    await this.#until(() => this.#isEnded || this.#received.length >= length)
    if (this.#received.length < length) throw new Error(`The connection ended ${length - this.#received.length} bytes early`)
    const bytes = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return bytes
  }

  async #until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      await new Promise<void>((resolve, reject) => {
        const limit = setTimeout(() => reject(new Error(`Nothing came for ${patienceMs} ms after ${JSON.stringify(this.#received.toString('latin1').slice(0, 200))}`)), patienceMs)
        this.#wake = () => {
          clearTimeout(limit)
          resolve()
        }
      })
    }
  }
}
