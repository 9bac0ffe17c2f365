/**
 * Starts `posix-agent.ts` and asks it. Several agents are several processes (locks, appending, mappings). Every batch has a deadline: an agent
 * that does not answer is killed, with all that it holds, and says so to everybody who asks it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { CallName, Calls, Credential, Outcome, Step } from './posix-calls.ts'

export interface AgentOptions {
  /** Where relative names begin. */
  readonly directory: string
  /** Of a batch. */
  readonly deadlineMs?: number
}

const program = fileURLToPath(new URL('./posix-agent.ts', import.meta.url))

export class PosixAgent {
  readonly #child: ChildProcess
  readonly #deadlineMs: number
  readonly #waiting: { resolve(outcomes: readonly Outcome[]): void; reject(error: Error): void }[] = []
  #complaint = ''
  #failure: Error | undefined
  /** When the process is gone. */
  readonly ended: Promise<void>

  private constructor({ deadlineMs = 20_000 }: AgentOptions) {
    this.#deadlineMs = deadlineMs
    this.#child = spawn(process.execPath, [program], { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr!.on('data', (bytes: Uint8Array) => (this.#complaint += Buffer.from(bytes).toString()))
    // What is written to an agent that has ended is told by its end.
    this.#child.stdin!.on('error', () => undefined)
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#waiting.shift()?.resolve(JSON.parse(line, reviveBigInt)))
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => {
        this.#fail(new Error(`The agent ended with ${code ?? signal}: ${this.#complaint.slice(0, 2000)}`))
        resolve()
      })
    })
  }

  static async start(options: AgentOptions): Promise<PosixAgent> {
    const agent = new PosixAgent(options)
    const [there] = await agent.run([{ call: ['chdir', options.directory] }])
    if (there?.error !== undefined) {
      await agent.stop()
      throw new Error(`Cannot work in "${options.directory}": ${there.error}`)
    }
    return agent
  }

  /** The steps' outcomes, in their order. `clears`: afterwards everything is closed and unmapped. */
  run(steps: readonly Step[], { clears = false, deadlineMs = this.#deadlineMs } = {}): Promise<readonly Outcome[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new Error(`No answer from the agent within ${deadlineMs} ms to ${JSON.stringify(steps.map(({ call }) => call)).slice(0, 500)}`))
        this.#child.kill('SIGKILL')
      }, deadlineMs)
      const settle = <T>(then: (value: T) => void) => (value: T) => {
        clearTimeout(timer)
        then(value)
      }
      this.#waiting.push({ resolve: settle(resolve), reject: settle(reject) })
      this.#child.stdin!.write(`${JSON.stringify({ steps, clears })}\n`)
    })
  }

  /** One call; fails when it fails. */
  async call<Name extends CallName>(name: Name, ...parameters: Calls[Name]): Promise<Outcome> {
    const outcome = await this.attempt(undefined, name, ...parameters)
    if (outcome.error !== undefined) throw new Error(`${name} ${JSON.stringify(parameters).slice(0, 200)}: ${outcome.error}`)
    return outcome
  }

  /** One call, whatever becomes of it. */
  async attempt<Name extends CallName>(as: Credential | undefined, name: Name, ...parameters: Calls[Name]): Promise<Outcome> {
    const [outcome] = await this.run([makeStep(as, name, ...parameters)])
    return outcome!
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Ends it; everything it holds is closed. */
  async stop(): Promise<void> {
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), this.#deadlineMs)
    await this.ended
    clearTimeout(timer)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}

export function makeStep<Name extends CallName>(as: Credential | undefined, name: Name, ...parameters: Calls[Name]): Step {
  // The tuple of this very name: what the parameters' type says, and TypeScript cannot follow.
  const call = [name, ...parameters] as unknown as Step['call']
  return as === undefined ? { call } : { call, as }
}

/** Inodes and times are beyond 2^53 and come as "123n". */
function reviveBigInt(key: string, value: unknown): unknown {
  const isBigInt = (key === 'ino' || key.endsWith('time')) && typeof value === 'string'
  return isBigInt ? BigInt(value.slice(0, -1)) : value
}
