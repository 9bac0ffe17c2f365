/**
 * A process that works on a directory store beside others: `store-racer.ts <root> <job> <rounds>`. Prints one JSON line.
 * Runs under Node and Deno.
 */
import fs from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { DirectoryStore } from '../../edge/store/directory.ts'
import { nodeDisk } from '../../edge/store/directory/disk.ts'
import { FileLocks } from '../../edge/store/directory/lock.ts'
import { currentProcess } from '../../edge/store/directory/process-identity.ts'
import { systemClock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import { randomBelow, systemRandom } from '../../shared/random.ts'
import { Leases } from '../../shared/volume/leases.ts'

const [root = '', job = '', rounds = '0'] = process.argv.slice(2)
const settings = { clock: systemClock, random: systemRandom }
const store = new DirectoryStore(root, settings)
const roundCount = Number(rounds)

/** Which of the keys this process created. */
async function create(): Promise<unknown> {
  const won: number[] = []
  for (let round = 0; round < roundCount; round += 1) {
    const body = new TextEncoder().encode(String(process.pid))
    if (await store.create(`log/${String(round).padStart(20, '0')}`, body)) won.push(round)
  }
  return { pid: process.pid, won }
}

/** Which leases this process acquired: each is asked for by all at once, and never given back. */
async function lease(): Promise<unknown> {
  const leases = new Leases({ store, clock: systemClock, random: systemRandom })
  const won: number[] = []
  for (let round = 0; round < roundCount; round += 1) {
    const request = { action: 'acquire', holder: String(process.pid), nonce: 'n', leaseMs: 60_000 } as const
    const held = await leases.ask(`l${round}`, request).catch((error: unknown) => {
      if (codeOf(error) !== 'conflict') throw error
      return undefined
    })
    if (held !== undefined) won.push(round)
  }
  return { pid: process.pid, won }
}

/** Adds one to a shared counter, so many times. */
async function count(): Promise<unknown> {
  for (let round = 0; round < roundCount; ) {
    const found = (await store.get('counter'))!
    const value = Number(new TextDecoder().decode(await found.bytes()))
    const tag = await store.replace('counter', new TextEncoder().encode(String(value + 1)), found.etag)
    if (tag !== undefined) round += 1
  }
  return { pid: process.pid }
}

/** Enters a critical section again and again, and now and then dies in it. */
async function crash(): Promise<unknown> {
  const self = currentProcess()
  const locks = new FileLocks({ directory: path.join(root, '.locks'), disk: nodeDisk, ...settings, self })
  for (let round = 0; round < roundCount; round += 1) {
    await locks.run('section', async () => {
      const inside = path.join(root, 'inside')
      const other = fs.existsSync(inside) ? Number(fs.readFileSync(inside, 'utf8')) : undefined
      if (other !== undefined && isRunning(other)) throw new Error(`Process ${other} is in the section too`)
      fs.writeFileSync(inside, String(process.pid))
      await systemClock.sleep(1)
      if (randomBelow(systemRandom, 8) === 0) process.kill(process.pid, 'SIGKILL')
      fs.rmSync(inside)
    })
  }
  return { pid: process.pid }
}

/** False for zombies too. */
function isRunning(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))
}

/** Writes an object so large that it is killed on the way. */
async function write(): Promise<unknown> {
  for (let round = 0; round < roundCount; round += 1) await store.put(`data/${round}`, new Uint8Array(8 * 1024 * 1024))
  return { pid: process.pid }
}

const jobs: Readonly<Record<string, () => Promise<unknown>>> = { create, lease, count, crash, write }
console.log(JSON.stringify(await jobs[job]!()))
