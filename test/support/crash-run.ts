/**
 * Workers in a mount whose daemon is killed at any moment and started again with the same cache, round after round: what they were told is done has to be
 * there each time. See `crash-model.ts`.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { differences, parseLog, settle } from './crash-check.ts'
import { CrashModel, type CrashStep } from './crash-model.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { WritableMount } from './writable-mount.ts'

const workerFile = join(import.meta.dirname, 'crash-worker.ts')
/** A worker whose folder is gone ends by itself. */
const workerEndMs = 20_000

/** Runs one worker to its end; `historyFile` has the steps that were done in its folder before. */
export async function work(folder: string, historyFile: string, logFile: string, seed: number, stepsMax: number): Promise<void> {
  const child = spawn(process.execPath, [workerFile, folder, historyFile, logFile, String(seed), String(stepsMax)], { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (bytes: Uint8Array) => (complaint += Buffer.from(bytes).toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`A worker ended with ${code}: ${complaint}`)
}

interface Worker {
  readonly name: string
  history: CrashStep[]
}

export class CrashRun {
  readonly #mount: WritableMount
  readonly #random: SeededRandom
  readonly #files: string
  readonly #workers: Worker[]
  /** From the start of the process to the mount that answers, of each start. */
  readonly startMs: number[] = []
  readonly #killMsMax: number
  stepCount = 0

  constructor(mount: WritableMount, random: SeededRandom, { workerCount = 2, killMsMax = 2500 } = {}) {
    this.#mount = mount
    this.#random = random
    this.#killMsMax = killMsMax
    this.#files = join(mount.directory, 'logs')
    mkdirSync(this.#files)
    this.#workers = Array.from({ length: workerCount }, (_, index) => ({ name: `w${index}`, history: [] }))
    for (const { name } of this.#workers) mkdirSync(mount.path(name))
  }

  /** Work, death at some moment, a new start, and everything is there. */
  async round(number: number): Promise<void> {
    const logOf = (worker: Worker): string => join(this.#files, `${worker.name}-${number}.log`)
    const working = this.#workers.map((worker, index) => {
      const historyFile = join(this.#files, `${worker.name}-history`)
      writeFileSync(historyFile, worker.history.map((step) => `${JSON.stringify(step)}\n`).join(''))
      writeFileSync(logOf(worker), '')
      return work(this.#mount.path(worker.name), historyFile, logOf(worker), number * this.#workers.length + index + 1, 1_000_000)
    })
    const ended = Promise.all(working)
    const isWorking = async (): Promise<void> => {
      while (this.#workers.some((worker) => readFileSync(logOf(worker)).length === 0)) await sleep(10)
      await sleep(this.#random.next() % this.#killMsMax)
    }
    await Promise.race([ended, isWorking()])
    await this.#mount.kill()
    const timer = new AbortController()
    await Promise.race([ended, sleep(workerEndMs, undefined, { signal: timer.signal }).then(() => Promise.reject(new Error('A worker hangs in a mount that is gone')))])
    timer.abort()
    const startMs = performance.now()
    await this.#mount.start()
    this.startMs.push(performance.now() - startMs)
    for (const worker of this.#workers) {
      const log = parseLog(readFileSync(logOf(worker), 'utf8'))
      this.stepCount += log.done.length
      worker.history = await settle(worker.history, log, this.#mount.path(worker.name))
    }
  }

  /** What is in the mount and should not be, or otherwise. */
  async differences(): Promise<string[]> {
    const found: string[] = []
    for (const { name, history } of this.#workers) {
      const model = new CrashModel()
      for (const step of history) model.apply(step)
      found.push(...(await differences(model, this.#mount.path(name))))
    }
    return found
  }
}
