/**
 * A chain of directories is made, one in it is moved, all is looked at, and all is removed; while it is published, a step at a time. A program must
 * not see that: what is in a directory that came, went or moved is in no list of what a commit changed.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Handler } from '../../../shim/fuse/handler.ts'
import { effort } from '../../support/effort.ts'
import { answered, caller } from '../../support/handler-bed.ts'
import { type Outgoing, PublishingMount } from '../../support/publishing-mount.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { newVolume } from '../../support/test-volume.ts'
import { childNames } from '../../support/tree-lines.ts'

const rootNode = 1
const newDirectory = { mode: 0o755, umask: 0, rdev: 0 }

class Program {
  readonly #mount: PublishingMount
  readonly #random: SeededRandom
  /** One in so many steps of the program has one of the publisher's with it. */
  readonly #rarity: number
  #outgoing: Outgoing | undefined
  readonly log: string[] = []

  constructor(mount: PublishingMount, random: SeededRandom) {
    this.#mount = mount
    this.#random = random
    this.#rarity = 1 + this.#below(6)
  }

  /** Nothing is left of it. */
  async run(name: string, depth: number): Promise<void> {
    const chain = [await this.#make(rootNode, name)]
    for (let level = 0; level < depth; level += 1) chain.push(await this.#make(chain.at(-1)!, `d${level}`))
    const moved = this.#below(depth)
    // Beside the top, or in a directory that is as new as the move.
    const isIntoNew = this.#below(2) === 0
    const target = isIntoNew ? await this.#make(chain[0]!, 'new') : chain[0]!
    await this.#publishSome()
    this.#log(`rename d${moved}`)
    await this.#do('rename', this.#writable.rename(chain[moved]!, `d${moved}`, target, 'moved', 0))
    for (let level = 0; level < depth; level += 1) {
      const [parent, child] = level === moved ? [target, 'moved'] : [chain[level]!, `d${level}`]
      const node = await this.#lookUp(parent, child)
      const isEmpty = level === depth - 1 || level === moved - 1
      mustBe(`the node of ${child}`, node, chain[level + 1])
      mustBe(`the link count of ${child}`, await this.#linkCount(node), isEmpty ? 2 : 3)
      this.#handler.forget(node, 1)
    }
    await this.#removeAllIn(chain[0]!)
    await this.#remove(rootNode, name)
    for (const node of new Set([...chain, target])) this.#handler.forget(node, 1)
  }

  async end(): Promise<void> {
    if (this.#outgoing !== undefined) this.#mount.changes.notPublished()
    await this.#mount.publish()
  }

  get #handler(): Handler {
    return this.#mount.handler
  }

  get #writable(): NonNullable<Handler['writable']> {
    return this.#mount.handler.writable!
  }

  #below(count: number): number {
    return this.#random.next() % count
  }

  #log(what: string): void {
    this.log.push(what)
  }

  async #make(parent: number, name: string): Promise<number> {
    await this.#publishSome()
    this.#log(`mkdir ${name}`)
    return (await this.#do(`mkdir ${name}`, this.#writable.mkdir(parent, name, newDirectory, caller))).nodeId
  }

  async #lookUp(parent: number, name: string): Promise<number> {
    await this.#publishSome()
    const { nodeId } = await this.#do(`look up ${name}`, this.#handler.lookup(parent, name, caller))
    if (nodeId === 0) throw new Error(`"${name}" is not there`)
    return nodeId
  }

  async #linkCount(node: number): Promise<number> {
    return (await this.#do('getattr', this.#handler.getattr(node, undefined))).attributes.linkCount
  }

  async #removeAllIn(node: number): Promise<void> {
    for (const name of await childNames(this.#handler, node)) {
      const child = await this.#lookUp(node, name)
      await this.#removeAllIn(child)
      await this.#remove(node, name)
      this.#handler.forget(child, 1)
    }
  }

  async #remove(parent: number, name: string): Promise<void> {
    await this.#publishSome()
    this.#log(`rmdir ${name}`)
    await this.#do(`rmdir ${name}`, this.#writable.rmdir(parent, name))
  }

  async #do<T>(what: string, answer: Parameters<typeof answered<T>>[0]): Promise<T> {
    const reply = await answered(answer)
    if (typeof reply === 'number') throw new Error(`Cannot ${what}: ${reply}`)
    // The handler writes its next answer into the same object.
    return structuredClone(reply)
  }

  async #publishSome(): Promise<void> {
    if (this.#below(this.#rarity) !== 0) return
    const what = this.#below(4)
    if (what === 0) this.#outgoing ??= await this.#mount.take()
    else if (what === 1) await this.#commit()
    else if (what === 2) await this.#mount.follow()
    else this.#mount.tick()
    this.#log(['take', 'commit', 'follow', 'tick'][what]!)
  }

  /** The commit is shown before it is known to be ours, after that, or some time later. */
  async #commit(): Promise<void> {
    const outgoing = this.#outgoing
    this.#outgoing = undefined
    if (outgoing === undefined) return
    const published = await this.#mount.commit(outgoing)
    const order = this.#below(3)
    if (order === 0) await this.#mount.follow()
    this.#mount.handler.published(published)
    if (order === 1) await this.#mount.follow()
  }
}

function mustBe(what: string, value: unknown, wanted: unknown): void {
  if (value !== wanted) throw new Error(`${what} is ${String(value)}, not ${String(wanted)}`)
}

test('a directory that is moved while it is published has what it had', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.integer({ min: 3, max: 14 }), async (seed, depth) => {
      const random = new SeededRandom(seed)
      const mount = await PublishingMount.start(await newVolume({ seed }), 'one', random)
      const program = new Program(mount, random)
      try {
        for (let round = 0; round < 3; round += 1) await program.run(`r${round}`, depth)
        await program.end()
        expect(await childNames(mount.handler, rootNode)).toEqual([])
        expect([mount.changes.isEmpty, mount.conflictCount, mount.messages]).toEqual([true, 0, []])
      } catch (error) {
        throw new Error(`after ${program.log.join(', ')}`, { cause: error })
      }
    }),
    { numRuns: 300 * effort },
  )
})
