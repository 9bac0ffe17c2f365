/**
 * The control socket of one mount, in the mount's own process. Who may open it is decided by the directory it lies in.
 */
import { chmodSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { systemClock } from '../../shared/clock.ts'
import { codeOf, EdgemountError, messageOf } from '../../shared/error.ts'
import { failure } from '../sys/failure.ts'
import { type ControlRequest, decodeRequest, encodeAnswer, requestBytesMax } from './messages.ts'

const connectionsMax = 16
/** Who connects and says nothing is let go. */
const idleMs = 10_000
/** Answers under way get so long when the server closes. */
const closeMs = 1000

export class ControlServer {
  readonly #path: string
  readonly #answer: (request: ControlRequest) => Promise<unknown>
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Answers on their way; `close` lets them finish. */
  readonly #answering = new Set<Promise<void>>()
  /** Of the socket, once it is there. */
  #inode: number | undefined

  /** Listens when it resolves. A socket that is there is taken away: the caller knows that nobody serves it. */
  static async start(path: string, answer: (request: ControlRequest) => Promise<unknown>): Promise<ControlServer> {
    const server = new ControlServer(path, answer)
    await server.#listen()
    return server
  }

  private constructor(path: string, answer: (request: ControlRequest) => Promise<unknown>) {
    this.#path = path
    this.#answer = answer
    this.#server = createServer((socket) => this.#accept(socket))
    this.#server.maxConnections = connectionsMax
  }

  /** Nobody finds the mount any more; who has connected already is answered. */
  withdraw(): void {
    if (this.#isOurs()) rmSync(this.#path, { force: true })
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.withdraw()
    const over = new AbortController()
    await Promise.race([Promise.all(this.#answering), systemClock.sleep(closeMs, over.signal).catch(() => undefined)])
    over.abort()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #listen(): Promise<void> {
    // A server that closes takes away the path that it listened on, whosever that is by then: so it is one that nobody else has.
    const first = `${this.#path}.${process.pid}`
    rmSync(first, { force: true })
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        this.#server.listen(first, resolve)
      })
      chmodSync(first, 0o600)
      renameSync(first, this.#path)
      this.#inode = statSync(this.#path).ino
    } catch (error) {
      throw failure(`open the control socket "${this.#path}"`, error)
    }
  }

  /** While this mount publishes its rest, the next one may be there already. */
  #isOurs(): boolean {
    const found = statSync(this.#path, { throwIfNoEntry: false })
    return found === undefined || found.ino === this.#inode
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.setTimeout(idleMs)
    socket.on('timeout', () => socket.destroy())
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => {
      text += part
      const end = text.indexOf('\n')
      if (end < 0 && text.length > requestBytesMax) socket.destroy()
      if (end < 0) return
      socket.removeAllListeners('data')
      socket.setTimeout(0)
      this.#reply(socket, text.slice(0, end))
    })
  }

  #reply(socket: Socket, line: string): void {
    const answering: Promise<void> = this.#answerTo(line)
      .then((text) => new Promise<void>((resolve) => {
        socket.once('close', resolve)
        // Who does not take the answer, or does not hang up after it, is let go as well.
        socket.setTimeout(idleMs)
        if (socket.destroyed) resolve()
        else socket.end(text, resolve)
      }))
      .finally(() => this.#answering.delete(answering))
    this.#answering.add(answering)
  }

  async #answerTo(line: string): Promise<string> {
    try {
      return encodeAnswer({ ok: (await this.#answer(decodeRequest(line))) ?? null })
    } catch (error) {
      const code = error instanceof EdgemountError ? error.code : codeOf(error)
      return encodeAnswer({ error: { code, message: messageOf(error) } })
    }
  }
}
