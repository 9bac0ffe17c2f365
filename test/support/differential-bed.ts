/**
 * A mount and a local folder beside it, for turns of `differential-run.ts`: runs many, brings the mount back with what it has on disk and with what was
 * published alone, and shortens what differs to something that can be read.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Difference, Pair, runTurns, shrink } from './differential-run.ts'
import type { Turn } from './differential-steps.ts'
import { SeededRandom } from './seeded-random.ts'
import { WritableMount } from './writable-mount.ts'

export interface DifferentialOptions {
  readonly seed: number
  readonly operationCount: number
  /** How often the mount is taken down and brought back on the way. */
  readonly remountCount: number
  /** Of shortening. */
  readonly triesMax: number
}

export class DifferentialBed {
  readonly #mount: WritableMount
  readonly #local = mkdtempSync(join(tmpdir(), 'edgemount-oracle-'))
  #count = 0

  private constructor(mount: WritableMount) {
    this.#mount = mount
  }

  static async create(): Promise<DifferentialBed> {
    return new DifferentialBed(await WritableMount.create('differential'))
  }

  /** What differs, with the seed and the shortest history; undefined when nothing does. */
  async run({ seed, operationCount, remountCount, triesMax }: DifferentialOptions): Promise<string | undefined> {
    const random = new SeededRandom(seed)
    const name = this.#folder()
    for (let round = 0; round <= remountCount; round += 1) {
      const pair = this.#pair(name)
      await pair.start()
      let found: { readonly history: readonly Turn[]; readonly difference: Difference | undefined }
      try {
        found = await runTurns(pair, random, operationCount / (remountCount + 1))
      } finally {
        await pair.stop()
      }
      if (found.difference !== undefined) {
        const short = round === 0 ? await this.#shorten(found.history, triesMax) : found.history.slice(-10)
        return `seed ${seed}, round ${round}, turn ${found.difference.turn}: ${found.difference.what}\n${JSON.stringify(short)}`
      }
      await this.#mount.remount({ withEmptyCache: round % 2 === 1 || round === remountCount })
      const what = this.#pair(name).compareTrees()
      if (what !== undefined) return `seed ${seed}, after remount ${round}: ${what}`
    }
    return undefined
  }

  /** What differs when exactly these turns are run, also when only what was published is looked at. */
  async replay(turns: readonly Turn[], options: { readonly remounts: boolean }): Promise<string | undefined> {
    const name = this.#folder()
    const pair = this.#pair(name)
    await pair.start()
    try {
      for (const turn of turns) {
        const what = await pair.run(turn)
        if (what !== undefined) return what
      }
    } finally {
      await pair.stop()
    }
    const what = pair.compareTrees()
    if (what !== undefined || !options.remounts) return what
    await this.#mount.remount({ withEmptyCache: true })
    return pair.compareTrees()
  }

  async dispose(): Promise<void> {
    await this.#mount.dispose()
    rmSync(this.#local, { recursive: true, force: true })
  }

  #shorten(history: readonly Turn[], triesMax: number): Promise<readonly Turn[]> {
    return shrink(history, (turns) => this.replay(turns, { remounts: false }), triesMax)
  }

  #folder(): string {
    this.#count += 1
    const name = `run-${this.#count}`
    mkdirSync(join(this.#local, name))
    mkdirSync(this.#mount.path(name))
    return name
  }

  #pair(name: string): Pair {
    return new Pair(this.#mount.path(name), join(this.#local, name))
  }
}
