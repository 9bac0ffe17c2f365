import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeRoot } from '../../../shared/format/entry-codec.ts'
import { silentLogger } from '../../../shared/log.ts'
import type { Volume } from '../../../shared/volume/volume.ts'
import { effort } from '../../support/effort.ts'
import { type Outgoing, PublishingMount } from '../../support/publishing-mount.ts'
import { RandomProgram } from '../../support/random-program.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { newVolume } from '../../support/test-volume.ts'
import { treeLines } from '../../support/tree-lines.ts'

/** A mount with a program in it, and the publisher's steps among the program's. */
class Busy {
  readonly mount: PublishingMount
  readonly program: RandomProgram
  readonly #random: SeededRandom
  #outgoing: Outgoing | undefined
  readonly log: string[] = []

  constructor(mount: PublishingMount, random: SeededRandom) {
    this.mount = mount
    this.#random = random
    this.program = new RandomProgram(mount, random)
  }

  static async start(volume: Volume, author: string, seed: number): Promise<Busy> {
    const random = new SeededRandom(seed)
    return new Busy(await PublishingMount.start(volume, author, random), random)
  }

  async lines(): Promise<string[]> {
    return treeLines(this.mount.handler, this.mount.sys)
  }

  async step(crashes: boolean): Promise<void> {
    const what = this.#random.next() % 100
    if (what < 80) {
      await this.program.step()
      this.log.push(this.program.log.at(-1)!)
      return
    }
    const name = what < 86 ? 'take' : what < 89 ? 'read' : what < 92 ? 'commit' : what < 95 ? 'follow' : what < 97 ? 'tick' : what < 98 ? 'checkpoint' : 'crash'
    this.log.push(name)
    if (name === 'take') this.#outgoing ??= await this.mount.take(this.#random.next() % 2 === 0)
    else if (name === 'read' && this.#outgoing?.bodies.length === 0) await this.mount.read(this.#outgoing)
    else if (name === 'commit') await this.#commit(crashes)
    else if (name === 'follow') await this.mount.follow(this.#random.next() % 5 === 0)
    else if (name === 'tick') this.mount.tick()
    else if (name === 'checkpoint') this.#checkpoint()
    else if (name === 'crash' && crashes) await this.crash()
  }

  async crash(): Promise<void> {
    this.program.closeAll()
    const before = await this.lines()
    this.program.lose()
    this.#outgoing = undefined
    await this.mount.crash()
    expect(await this.lines()).toEqual(before)
  }

  /** Everything that was done is in the volume. */
  async quiesce(): Promise<void> {
    this.program.closeAll()
    if (this.#outgoing !== undefined) {
      this.#outgoing = undefined
      this.mount.changes.notPublished()
    }
    await this.mount.publish()
  }

  async #commit(crashes: boolean): Promise<void> {
    const outgoing = this.#outgoing
    this.#outgoing = undefined
    if (outgoing === undefined) return
    const published = await this.mount.commit(outgoing)
    const before = await this.lines()
    if (this.#random.next() % 2 === 0) await this.mount.follow()
    if (crashes && this.#random.next() % 6 === 0) await this.crash()
    else {
      this.mount.handler.published(published)
      await this.mount.follow()
    }
    expect(linesWithout(await this.lines(), before)).toEqual([])
  }

  #checkpoint(): void {
    this.mount.journal.isLong = true
    this.mount.tick()
    this.mount.journal.isLong = false
  }
}

/** Lines that are not among `others`. */
function linesWithout(lines: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others)
  return lines.filter((line) => !known.has(line))
}

/** As a mount shows the volume that knows nothing but it. */
async function freshLines(volume: Volume, author: string): Promise<string[]> {
  const mount = await PublishingMount.start(volume, author, new SeededRandom(99))
  return treeLines(mount.handler, mount.sys)
}

describe('what a mount shows, publishes and finds again', () => {
  test('is the same, whatever is done, whenever it is published, and wherever it ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 250 }), async (seed, stepCount) => {
        const volume = await newVolume({ seed })
        const busy = await Busy.start(volume, 'one', seed)
        try {
          for (let step = 0; step < stepCount; step += 1) await busy.step(true)
          busy.program.closeAll()
          const before = await busy.lines()
          await busy.quiesce()
          expect(await busy.lines()).toEqual(before)
          expect(await freshLines(volume, 'fresh')).toEqual(before)
          expect(busy.mount.conflictCount).toBe(0)
          expect(busy.mount.changes.isEmpty).toBe(true)
        } catch (error) {
          throw new Error(`After ${busy.log.join(', ')}`, { cause: error })
        }
      }),
      { numRuns: 25 * effort },
    )
  })
})
