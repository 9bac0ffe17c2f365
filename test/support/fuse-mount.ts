/**
 * Starts `fuse-daemon.ts` and takes it down again, whatever happened in between: its mount is found by its device number, and cleared.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { readMountTable } from '../../shim/fuse/mount-table.ts'
import { unmount } from '../../shim/fuse/unmount.ts'
import type { DaemonOptions } from './fuse-daemon.ts'
import { bigBytes, patternBytes } from './fuse-tree.ts'

export type Line = Readonly<Record<string, unknown>>

const daemonPath = fileURLToPath(new URL('./fuse-daemon.ts', import.meta.url))
const nativeDaemonPath = fileURLToPath(new URL('./native-daemon.ts', import.meta.url))

/** A directory with the backing file and an empty mount point; `remove` clears every mount below it first. */
export class Workplace {
  readonly path = mkdtempSync(join(tmpdir(), 'edgemount-driver-'))
  readonly mountPoint = join(this.path, 'mnt')
  readonly backingPath = join(this.path, 'backing')
  readonly #daemons: Daemon[] = []

  constructor() {
    mkdirSync(this.mountPoint)
    writeFileSync(this.backingPath, patternBytes(bigBytes))
  }

  async start(options: Partial<DaemonOptions> = {}, wrapper: readonly string[] = []): Promise<Daemon> {
    const daemon = new Daemon({ directory: this.mountPoint, backingPath: this.backingPath, ...options }, wrapper)
    this.#daemons.push(daemon)
    await daemon.next('event')
    return daemon
  }

  async remove(): Promise<void> {
    for (const daemon of this.#daemons) daemon.child.kill('SIGKILL')
    for (;;) {
      const left = readMountTable().findLast((entry) => entry.mountPoint.startsWith(this.path))
      if (left === undefined) break
      await unmount(left.mountPoint, { isLazy: true })
    }
    await Promise.all(this.#daemons.map((daemon) => daemon.ended))
    rmSync(this.path, { recursive: true, force: true })
  }
}

export class Daemon {
  readonly child: ChildProcess
  readonly lines: Line[] = []
  readonly ended: Promise<number | null>
  complaint = ''
  #onLine: (() => void) | undefined

  constructor(options: DaemonOptions, wrapper: readonly string[]) {
    const script = options.isNative === true ? nativeDaemonPath : daemonPath
    const [program, ...parameters] = [...wrapper, process.execPath, script, JSON.stringify(options)]
    this.child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' })
    this.child.stderr!.on('data', (data: Uint8Array) => (this.complaint += new TextDecoder().decode(data)))
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        this.#onLine?.()
        resolve(code)
      })
    })
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line))
      this.#onLine?.()
    })
  }

  /** The first line with that field, and that value of it; waits for it. Lines that were given are not given again. */
  async next(field: string, value?: string): Promise<Line> {
    for (;;) {
      const index = this.lines.findIndex((line) => field in line && (value === undefined || line[field] === value))
      if (index >= 0) return this.lines.splice(index, 1)[0]!
      if (this.child.exitCode !== null) throw new Error(`The daemon ended with ${this.child.exitCode}: ${this.complaint}`)
      await new Promise<void>((resolve) => (this.#onLine = resolve))
    }
  }

  /** Sends a command to the serving thread and gives its answer. */
  ask(command: string, fields: object = {}): Promise<Line> {
    this.child.stdin!.write(`${JSON.stringify({ do: command, ...fields })}\n`)
    return this.next('answer', command)
  }

  /** Unmounts in good order. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.ended
  }
}
