/**
 * Real `edgemount` processes for end-to-end tests: run one to its end, or keep one running until the test is over.
 *
 * Whatever is started here is stopped by id, and whatever it mounted is unmounted, also when the test fails.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inject } from 'vitest'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of `bundled-command.ts`. */
    readonly commandFile?: string
  }
}

export const sourceFile = resolve(import.meta.dirname, '../../shim/main.ts')
/** The soak run takes the sources. */
export const mainFile = inject('commandFile') ?? sourceFile

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `edgemount ...args` to its end. Never throws for an exit code. */
export async function edgemount(args: readonly string[], options: { cwd?: string; env?: Record<string, string>; input?: Uint8Array } = {}): Promise<Finished> {
  const child = spawn(process.execPath, [mainFile, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.end(options.input ?? new Uint8Array())
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes))
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail)
    child.once('close', done)
  })
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/** As `edgemount`, but throws when it does not end with 0. Gives standard output. */
export async function edgemountOk(args: readonly string[], options: Parameters<typeof edgemount>[1] = {}): Promise<string> {
  const finished = await edgemount(args, options)
  if (finished.code !== 0) throw new Error(`edgemount ${args.join(' ')} ended with ${finished.code}:\n${finished.stdout}\n${finished.stderr}`)
  return finished.stdout
}

/** A process that runs until it is stopped. */
export class Running {
  readonly child: ChildProcess
  #output = ''

  constructor(args: readonly string[], options: { cwd?: string; env?: Record<string, string>; file?: string } = {}) {
    this.child = spawn(process.execPath, [options.file ?? mainFile, ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', (bytes: Buffer) => (this.#output += bytes.toString()))
    this.child.stderr?.on('data', (bytes: Buffer) => (this.#output += bytes.toString()))
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Everything it printed so far, both streams. */
  get output(): string {
    return this.#output
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Waits until `find` gives something, or throws with the output when the process ends or time is over. */
  async until<T>(what: string, find: () => T | undefined | false | Promise<T | undefined | false>, timeoutMs = 20_000): Promise<T> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = await find()
      if (found !== undefined && found !== false) return found
      if (this.hasEnded) throw new Error(`The process ended (${this.child.exitCode ?? this.child.signalCode}) before ${what}:\n${this.#output}`)
      if (performance.now() > deadline) throw new Error(`Not ${what} within ${timeoutMs} ms:\n${this.#output}`)
      await sleep(20)
    }
  }

  /** Waits for output that matches, and gives the match. */
  async printed(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
    return await this.until(`printing ${pattern}`, () => pattern.exec(this.#output) ?? undefined, timeoutMs)
  }

  async mounted(directory: string, timeoutMs?: number): Promise<void> {
    await this.until(`mounting ${directory}`, () => isMounted(directory), timeoutMs)
  }

  /** Sends a signal and waits for the end; SIGKILL after 15 s. Gives the exit code (null after a signal). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.hasEnded) return this.child.exitCode
    const ended = new Promise<number | null>((done) => this.child.once('exit', done))
    this.child.kill(signal)
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 15_000)
    const code = await ended
    clearTimeout(timer)
    return code
  }
}

/** True when something is mounted at `directory`. Never touches the mount itself: a dead one would hang. */
export function isMounted(directory: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${directory} `)
}

/** Removes whatever is mounted at `directory`, for the end of a test. */
export function forceUnmount(directory: string): void {
  for (let tries = 0; tries < 5 && isMounted(directory); tries += 1) spawnSync('umount', ['-l', directory])
}
