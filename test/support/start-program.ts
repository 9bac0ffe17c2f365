/** A program that is talked to while it runs: what it says is waited for, what it is told goes to its standard input. */
import { spawn } from 'node:child_process'
import type { Output } from './run-program.ts'
import { until } from './run-program.ts'

export interface Started {
  readonly pid: number | undefined
  /** Waits until its output holds the word. */
  said(word: string): Promise<void>
  say(line: string): void
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<Output>
}

export function start(program: string, ...parameters: string[]): Started {
  const child = spawn(program, parameters, { cwd: '/', env: { ...process.env, LC_ALL: 'C' }, stdio: ['pipe', 'pipe', 'pipe'], timeout: 20_000 })
  let out = ''
  let complaint = ''
  child.stdout.on('data', (bytes: Uint8Array) => (out += Buffer.from(bytes).toString('latin1')))
  child.stderr.on('data', (bytes: Uint8Array) => (complaint += Buffer.from(bytes).toString('latin1')))
  const ended = new Promise<Output>((resolve) => child.on('close', (code) => resolve({ code: code ?? -1, out, complaint })))
  return {
    pid: child.pid,
    said: (word) => until(() => out.includes(word)),
    say: (line) => void child.stdin.write(`${line}\n`),
    kill: (signal) => void child.kill(signal),
    ended,
  }
}
