/**
 * Mounts with random programs in them, whose changes are published a step at a time: what must hold, as functions that throw. A seed and a number of steps
 * make a run.
 */
import type { Volume } from '../../shared/volume/volume.ts'
import { answered, caller } from './handler-bed.ts'
import { type Outgoing, PublishingMount } from './publishing-mount.ts'
import { RandomProgram } from './random-program.ts'
import { SeededRandom } from './seeded-random.ts'
import { newVolume } from './test-volume.ts'
import { childNames, treeLines } from './tree-lines.ts'

/** A mount with a program in it, and the publisher's steps among the program's. */
class Busy {
  readonly mount: PublishingMount
  readonly program: RandomProgram
  readonly #random: SeededRandom
  /** Nobody else commits: what is shown changes by the program alone. */
  readonly #isAlone: boolean
  #outgoing: Outgoing | undefined
  /** A commit that was too big to be listed says nothing of names that are changed here: how many directories are in one is known when all is settled. */
  #hasUnlisted = false
  readonly log: string[] = []

  constructor(mount: PublishingMount, random: SeededRandom, isAlone: boolean) {
    this.mount = mount
    this.#isAlone = isAlone
    this.#random = random
    this.program = new RandomProgram(mount, random)
  }

  static async start(volume: Volume, author: string, seed: number, isAlone: boolean): Promise<Busy> {
    const random = new SeededRandom(seed)
    return new Busy(await PublishingMount.start(volume, author, random), random, isAlone)
  }

  get isExact(): boolean {
    return !this.#hasUnlisted
  }

  async lines(): Promise<string[]> {
    return treeLines(this.mount.handler, this.mount.sys)
  }

  async step(crashes: boolean): Promise<void> {
    const what = this.#random.next() % 100
    if (what < 77) {
      await this.program.step()
      this.log.push(this.program.log.at(-1)!)
      return
    }
    if (what < 80) {
      this.log.push('hold')
      await this.program.hold()
      return
    }
    const before = this.#isAlone ? await this.#heldLines() : []
    await this.#publishingStep(what, crashes)
    // A process that ended holds nothing.
    if (this.#isAlone && this.program.held.length > 0) mustBeSame(`in what is held, after ${this.log.at(-1)}`, await this.#heldLines(), before)
  }

  async #publishingStep(what: number, crashes: boolean): Promise<void> {
    const name = what < 86 ? 'take' : what < 89 ? 'read' : what < 92 ? 'commit' : what < 95 ? 'follow' : what < 97 ? 'tick' : what < 98 ? 'checkpoint' : 'crash'
    this.log.push(name)
    if (name === 'take') this.#outgoing ??= await this.mount.take(this.#random.next() % 2 === 0)
    else if (name === 'read' && this.#outgoing?.bodies.length === 0) await this.mount.read(this.#outgoing)
    else if (name === 'commit') await this.#commit(crashes)
    else if (name === 'follow') await this.#follow()
    else if (name === 'tick') this.mount.tick()
    else if (name === 'checkpoint') this.#checkpoint()
    else if (name === 'crash' && crashes) await this.crash()
  }

  async crash(): Promise<void> {
    this.program.closeAll()
    // A mount without changes comes back over the newest commit.
    if (this.mount.changes.isEmpty) await this.mount.follow()
    const before = this.lasting(await this.lines())
    // How many directories are in one that others change too is counted anew.
    const isBlurred = !this.isExact || !this.#isAlone
    this.program.lose()
    this.#outgoing = undefined
    await this.mount.crash()
    mustBeSame('after the crash', this.lasting(await this.lines(), isBlurred), this.lasting(before, isBlurred))
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

  /** What is in each directory that the kernel holds. */
  async #heldLines(): Promise<string[]> {
    const lines: string[] = []
    for (const node of new Set(this.program.held)) {
      for (const name of await childNames(this.mount.handler, node)) {
        const reply = await answered(this.mount.handler.lookup(node, name, caller))
        if (typeof reply === 'number' || reply.nodeId === 0) throw new Error(`"${name}" is listed in ${node} and not found`)
        const { mode, size, ino } = reply.attributes
        lines.push(`${node}/${name} ${ino} ${mode.toString(8)} size ${(mode & 0o170000) === 0o100000 ? size : 0}`)
        this.mount.handler.forget(reply.nodeId, 1)
      }
    }
    return lines
  }

  async #commit(crashes: boolean): Promise<void> {
    const outgoing = this.#outgoing
    this.#outgoing = undefined
    if (outgoing === undefined) return
    const published = await this.mount.commit(outgoing)
    const before = this.lasting(await this.lines())
    if (this.#random.next() % 2 === 0) await this.mount.follow()
    const isLost = crashes && this.#random.next() % 6 === 0
    // Until the commit is known to be ours, a directory in one that was moved may count those in it as they were before.
    const isBlurred = !this.isExact || isLost
    if (isLost) await this.crash()
    else {
      this.mount.handler.published(published)
      await this.mount.follow()
    }
    if (this.#isAlone) mustBeSame('after the commit', this.lasting(await this.lines(), isBlurred), this.lasting(before, isBlurred))
  }

  async #follow(): Promise<void> {
    const isBig = this.#random.next() % 5 === 0
    if (isBig) this.#hasUnlisted = true
    await this.mount.follow(isBig)
  }

  /** What must be the same whatever happens to the process. */
  lasting(lines: readonly string[], isBlurred = false): readonly string[] {
    if (this.mount.changes.isEmpty) this.#hasUnlisted = false
    return isBlurred || this.#hasUnlisted ? lines.map((line) => line.replace(/ (4\d{4} \S+ links) \d+/, ' $1 ?')) : lines
  }

  #checkpoint(): void {
    this.mount.journal.isLong = true
    this.mount.tick()
    this.mount.journal.isLong = false
  }
}

function mustBeSame(when: string, lines: readonly string[], before: readonly string[]): void {
  const more = lines.filter((line) => !before.includes(line))
  const fewer = before.filter((line) => !lines.includes(line))
  if (more.length + fewer.length > 0) throw new Error(`Another tree ${when}:\n${more.join('\n')}\ninstead of\n${fewer.join('\n')}`)
}

/** As a mount shows the volume that knows nothing but it. */
async function freshLines(volume: Volume, author: string): Promise<string[]> {
  const mount = await PublishingMount.start(volume, author, new SeededRandom(99))
  return treeLines(mount.handler, mount.sys)
}

/** One mount: nothing that a program sees changes by being published, and the volume has it all in the end. */
export async function runAlone(seed: number, stepCount: number): Promise<void> {
  const volume = await newVolume({ seed })
  const busy = await Busy.start(volume, 'one', seed, true)
  try {
    for (let step = 0; step < stepCount; step += 1) await busy.step(true)
    busy.program.closeAll()
    const before = busy.lasting(await busy.lines())
    const wasExact = busy.isExact
    await busy.quiesce()
    const after = await busy.lines()
    mustBeSame('when all is published', wasExact ? after : busy.lasting(after, true), before)
    mustBeSame('in the volume', await freshLines(volume, 'fresh'), after)
    const { conflictCount, changes, messages } = busy.mount
    if (conflictCount > 0 || messages.length > 0 || !changes.isEmpty) throw new Error(`${conflictCount} conflicts, ${JSON.stringify(changes.pending())}`)
  } catch (error) {
    throw new Error(`${busy.mount.messages.join('; ')} after ${busy.log.join(', ')}`, { cause: error })
  }
}

/** Two mounts: both show what the volume has in the end. */
export async function runTwo(seed: number, stepCount: number): Promise<void> {
  const volume = await newVolume({ seed })
  const both = [await Busy.start(volume, 'one', seed, false), await Busy.start(volume, 'two', seed + 1, false)] as const
  const log: string[] = []
  const turns = new SeededRandom(seed + 2)
  try {
    for (let step = 0; step < stepCount; step += 1) {
      const index = turns.next() % 2
      const busy = both[index]!
      await busy.step(true)
      log.push(`${index === 0 ? 'one' : 'two'} ${busy.log.at(-1)}`)
    }
    for (let round = 0; round < 3; round += 1) {
      for (const busy of both) {
        await busy.quiesce()
        await busy.mount.follow()
      }
    }
    const lines = await freshLines(volume, 'fresh')
    for (const busy of both) {
      mustBeSame(`in mount ${busy.mount.author}`, await busy.lines(), lines)
      if (!busy.mount.changes.isEmpty) throw new Error(`Mount ${busy.mount.author} still has ${JSON.stringify(busy.mount.changes.pending())}`)
    }
  } catch (error) {
    throw new Error(`${both.map(({ mount }) => mount.messages.join('; ')).join('; ')} after ${log.join(', ')}`, { cause: error })
  }
}
