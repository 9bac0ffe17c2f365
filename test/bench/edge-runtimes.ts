/** An edge on each runtime, as a process of its own, with no volume yet: for benchmarks. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startWorkerdEdge } from '../edge/workerd-under-test.ts'
import type { Bed } from './bed.ts'

const root = resolve(import.meta.dirname, '../..')

export interface BenchedEdge {
  readonly name: 'Node' | 'Deno' | 'workerd'
  readonly url: string
  stop(): Promise<void>
}

export function edgesOf(bed: Bed): readonly (() => Promise<BenchedEdge>)[] {
  const store = (name: string): string => {
    mkdirSync(bed.path(name), { recursive: true })
    return `dir:${bed.path(name)}`
  }
  return [
    () => startProcess('Node', process.execPath, ['shim/main.ts', 'serve', store('store-node'), '--port', '0']),
    () => startProcess('Deno', resolve(root, 'node_modules/.bin/deno'), ['run', '-A', 'edge/deno.ts', store('store-deno'), '--port', '0']),
    async () => {
      const { url, close } = await startWorkerdEdge()
      return { name: 'workerd', url, stop: close }
    },
  ]
}

async function startProcess(name: BenchedEdge['name'], program: string, args: readonly string[]): Promise<BenchedEdge> {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (bytes: Uint8Array) => (output += Buffer.from(bytes).toString()))
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((done) => child.once('exit', done))
    child.kill('SIGKILL')
    await ended
  }
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0]
    if (url !== undefined) return { name, url, stop }
    if (child.exitCode !== null) break
    await sleep(10)
  }
  await stop()
  throw new Error(`Cannot start the edge on ${name}: ${output}`)
}
