/**
 * The bed a benchmark lies in: temporary folders, real `edgemount` processes, real mounts, and their removal.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const mainFile = resolve(import.meta.dirname, '../../shim/main.ts')

export interface Mounted {
  readonly directory: string
  readonly pid: number
  readonly secondsToReady: number
  unmount(): Promise<void>
}

export class Bed {
  readonly directory = mkdtempSync(join(process.env['EDGEMOUNT_BENCH_DIR'] ?? tmpdir(), 'edgemount-bench-'))
  readonly #mounts = new Set<Mounted>()
  #count = 0

  path(name: string): string {
    return join(this.directory, name)
  }

  /** Runs a command to its end and gives its standard output and the seconds it took. */
  run(...args: string[]): { output: string; seconds: number } {
    const start = performance.now()
    const output = execFileSync(process.execPath, [mainFile, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 })
    return { output, seconds: (performance.now() - start) / 1000 }
  }

  async mount(source: string, options: { cache?: string; args?: readonly string[] } = {}): Promise<Mounted> {
    this.#count += 1
    const directory = this.path(`mnt${this.#count}`)
    const cache = options.cache ?? this.path(`cache${this.#count}`)
    mkdirSync(directory, { recursive: true })
    const start = performance.now()
    const child = spawn(process.execPath, [mainFile, 'mount', source, directory, '--cache', cache, '--serve', 'off', ...(options.args ?? [])], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    await waitUntilMounted(directory, child)
    const mounted: Mounted = {
      directory,
      pid: child.pid!,
      secondsToReady: (performance.now() - start) / 1000,
      unmount: async () => {
        this.#mounts.delete(mounted)
        await stop(child)
      },
    }
    this.#mounts.add(mounted)
    return mounted
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const mounted of this.#mounts) await mounted.unmount()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export async function waitUntilMounted(directory: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`Cannot mount "${directory}": the process ended with code ${child.exitCode}`)
    if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${directory} `)) return
    await sleep(5)
  }
  child.kill('SIGKILL')
  throw new Error(`Cannot mount "${directory}": not mounted after 30 s`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await ended
  clearTimeout(timer)
}

/** Runs a command to its end while this process goes on, for example as its edge. */
export function run(args: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    execFile(process.execPath, [mainFile, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 }, (error, output) => {
      if (error === null) done(output)
      else fail(error)
    })
  })
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) * 1024
}

/** Empties the kernel's page cache (root only; elsewhere reads called cold may come from memory). */
export function dropKernelCaches(): void {
  execFileSync('sync')
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3')
  } catch {
    console.error('(not root: the kernel page cache stays warm, cold rows are too good)')
  }
}

/** One fio job over a file, whole or for some seconds: MB/s and requests per second. */
export function fio(file: string, mode: 'read' | 'randread', options: { blockBytes: number; seconds?: number; isDirect?: boolean }): { megabytes: number; requests: number } {
  const args = [`--name=job`, `--filename=${file}`, `--rw=${mode}`, `--bs=${options.blockBytes}`, '--ioengine=psync', '--readonly', '--output-format=json', '--invalidate=0', '--randrepeat=1']
  if (options.seconds !== undefined) args.push('--time_based', `--runtime=${options.seconds}`)
  if (options.isDirect === true) args.push('--direct=1')
  const report: unknown = JSON.parse(execFileSync('fio', args, { encoding: 'utf8', maxBuffer: 1 << 26 }))
  const read = (report as { jobs: { read: { bw_bytes: number; iops: number } }[] }).jobs[0]!.read
  return { megabytes: read.bw_bytes / 1e6, requests: read.iops }
}
