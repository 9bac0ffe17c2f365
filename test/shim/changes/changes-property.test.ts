import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FileId } from '../../../shared/format/entry.ts'
import { rootFileId } from '../../../shared/volume/file-id.ts'
import type { Batch } from '../../../shim/changes/publishing.ts'
import { ChangesWorld, type Tree } from '../../support/changes-world.ts'
import { effort } from '../../support/effort.ts'

const names = ['a', 'b', 'c', 'ä', '\udc80', 'longer name']

/** One random thing happens. */
class Chaos {
  readonly world: ChangesWorld
  #batch: Batch | undefined
  /** What the program saw when the batch was taken, and which bodies changed since. */
  #saw: Tree | undefined
  #isArrived = false
  readonly log: string[] = []

  constructor(seed: number) {
    this.world = new ChangesWorld(seed)
  }

  step(): void {
    const { world } = this
    const choices: readonly (readonly [weight: number, what: string, run: () => void])[] = [
      [12, 'create', () => this.#create()],
      [5, 'mkdir', () => this.#freeName((directory, name) => world.makeDirectory(directory, name))],
      [8, 'remove', () => this.#remove()],
      [8, 'rename', () => this.#rename()],
      [4, 'link', () => this.#file((id) => this.#freeName((directory, name) => world.link(id, directory, name)))],
      [5, 'mode', () => this.#any((id) => world.setMode(id, world.below(0o1000)))],
      [3, 'xattr', () => this.#any((id) => world.setXattr(id, 'user.x', 'x'.repeat(world.below(300))))],
      [6, 'open', () => this.#file((id) => world.openForWriting(id))],
      [8, 'write', () => this.#open((id) => world.write(id, `written ${world.random.next()}`))],
      [6, 'close', () => this.#open((id) => world.close(id))],
      [3, 'remote', () => world.commitRemote()],
      [4, 'show', () => world.show()],
      [6, 'take', () => this.#take(false)],
      [2, 'take everything', () => this.#take(true)],
      [5, 'published', () => this.#publish()],
      [1, 'not published', () => this.#giveUp()],
      [2, 'time', () => world.clock.advance(20_000)],
      [2, 'crash', () => this.crash()],
      [2, 'show, disk full', () => world.showFull()],
      [2, 'checkpoint', () => this.#checkpoint()],
      [4, 'map', () => this.#open((id) => void world.disk.mapped.add(world.changes.node(id)!.body!.serial))],
      [2, 'unmap', () => this.#unmap()],
    ]
    let at = world.below(choices.reduce((sum, [weight]) => sum + weight, 0))
    const [, what, run] = choices.find(([weight]) => (at -= weight) < 0)!
    this.log.push(what)
    run()
  }

  /** As after the end of the process: who was asked to publish does not know either. */
  crash(): void {
    this.#batch = undefined
    this.#isArrived = false
    this.world.crash()
  }

  /** Publishes until nothing is left. */
  settleAll(): void {
    const { world } = this
    for (const id of world.open) world.close(id)
    this.#unmap()
    for (let round = 0; round < 20; round += 1) {
      this.#publish()
      world.show()
      this.#take(true)
    }
    this.#publish()
    world.show()
  }

  #checkpoint(): void {
    this.world.journal.isLong = true
    this.world.take(this.world.changes.tick())
    this.world.journal.isLong = false
  }

  /** Whoever has a file mapped may have closed it. */
  #unmap(): void {
    this.world.disk.mapped.clear()
    this.world.release()
  }

  #take(isEverything: boolean): void {
    const { world } = this
    if (this.#batch !== undefined && !this.#isArrived) return
    const taken = world.changes.takeBatch({ isEverything })
    if (typeof taken !== 'object') return
    if (!('changes' in taken)) {
      const commit = world.commits.find(({ nonce }) => nonce === taken.nonce)
      // A new process gets to know what is in the log, and not what it had read.
      if (commit === undefined) world.changes.notPublished()
      else world.take(world.changes.settle({ ...commit.published!, counter: taken.counter }))
      return
    }
    this.#isArrived = false
    this.#batch = taken
    this.#saw = { names: new Map(Array.from(world.tree.names, ([id, map]) => [id, new Map(map)])), nodes: new Map(world.tree.nodes) }
  }

  #publish(): void {
    const { world } = this
    if (this.#batch === undefined) return
    const batch = this.#batch
    const ids = batch.bodies.map(({ id }) => id)
    const unchanged = new Set(world.changes.verify(ids))
    const published = world.commit(batch, new Set(ids.filter((id) => !unchanged.has(id))))
    this.#batch = undefined
    if (namesOf(world.head.tree).join() !== namesOf(this.#saw!, world.head.tree).join()) throw new Error('What was published is not what was seen')
    // Now and then the process ends before it is told.
    if (world.below(8) === 0) {
      this.crash()
      return
    }
    // The commit is shown before it is known to be ours, or after.
    if (world.below(2) === 0) world.show()
    const faults = world.faults()
    if (faults.length > 0) throw new Error(`Before it is settled: ${faults.join(', ')}`)
    if (world.below(2) === 0) this.step()
    world.take(world.changes.settle(published))
  }

  #giveUp(): void {
    if (this.#batch === undefined) return
    this.#batch = undefined
    this.world.changes.notPublished()
  }

  #create(): void {
    this.#freeName((directory, name) => this.world.create(directory, name, `data ${this.world.random.next()}`))
  }

  #remove(): void {
    const { world } = this
    const place = this.#somewhere()
    if (place === undefined) return
    const id = world.tree.names.get(place.directoryId)!.get(place.name)!
    if ((world.tree.names.get(id)?.size ?? 0) === 0) world.remove(place.directoryId, place.name)
  }

  #rename(): void {
    const { world } = this
    const from = this.#somewhere()
    const to = world.pick(world.directories())
    const toName = world.pick(names)!
    if (from === undefined || to === undefined) return
    const id = world.tree.names.get(from.directoryId)!.get(from.name)!
    const replaced = world.tree.names.get(to)!.get(toName)
    const isDirectory = world.tree.nodes.get(id)!.kind === 'directory'
    if (isDirectory && this.#isWithin(to, id)) return
    if (replaced !== undefined && (world.tree.nodes.get(replaced)!.kind === 'directory') !== isDirectory) return
    if (replaced !== undefined && (world.tree.names.get(replaced)?.size ?? 0) > 0) return
    world.rename(from.directoryId, from.name, to, toName)
  }

  #isWithin(id: FileId, above: FileId): boolean {
    for (let at: FileId | undefined = id; at !== undefined && at !== rootFileId; at = this.world.placesOf(at)[0]?.directoryId) if (at === above) return true
    return false
  }

  #freeName(run: (directoryId: FileId, name: string) => void): void {
    const directory = this.world.pick(this.world.directories())
    const name = this.world.pick(names)!
    if (directory !== undefined && !this.world.tree.names.get(directory)!.has(name)) run(directory, name)
  }

  #somewhere(): { directoryId: FileId; name: string } | undefined {
    const directoryId = this.world.pick(this.world.directories())!
    const name = this.world.pick([...this.world.tree.names.get(directoryId)!.keys()].filter((each) => !each.startsWith('remote-')))
    return name === undefined ? undefined : { directoryId, name }
  }

  #file(run: (id: FileId) => void): void {
    const id = this.world.pick(this.world.files())
    if (id !== undefined) run(id)
  }

  #any(run: (id: FileId) => void): void {
    const id = this.world.pick(this.world.below(2) === 0 ? this.world.files() : this.world.directories())
    if (id !== undefined) run(id)
  }

  #open(run: (id: FileId) => void): void {
    const id = this.world.pick([...this.world.open])
    if (id !== undefined) run(id)
  }
}

/** Names by directory, as text. What others have made meanwhile is in `and` alone. */
function namesOf({ names: map, nodes }: Tree, and?: Tree): string[] {
  const remote = and === undefined ? [] : namesOf(and).filter((line) => line.includes('/remote-'))
  const lines = Array.from(map).flatMap(([id, each]) => (nodes.has(id) ? Array.from(each, ([name, to]) => `${id}/${name} ${to}`) : []))
  return [...new Set([...lines, ...remote])].toSorted()
}

describe('changes', () => {
  test('what is shown, published and found after a crash is what the programs did', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 400 }), (seed, stepCount) => {
        const chaos = new Chaos(seed)
        try {
          for (let step = 0; step < stepCount; step += 1) {
            chaos.step()
            expect(chaos.world.faults()).toEqual([])
          }
          chaos.settleAll()
          expect(chaos.world.faults()).toEqual([])
          expect(chaos.world.changes.pending()).toMatchObject({ changeCount: 0, dirtyFileCount: 0, dirtyBytes: 0 })
          expect(namesOf(chaos.world.head.tree)).toEqual(namesOf(chaos.world.tree))
        } catch (error) {
          throw new Error(`After ${chaos.log.join(', ')}`, { cause: error })
        }
      }),
      { numRuns: 60 * effort },
    )
  })
})
