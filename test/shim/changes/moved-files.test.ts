/**
 * A file is written here while others move it. Until that is merged it is shown at both names; whatever is done here to one of them, what was written must be
 * found in the volume.
 */
import { expect, test } from 'vitest'
import type { Handler } from '../../../shim/fuse/handler.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { answered, caller } from '../../support/handler-bed.ts'
import { PublishingMount } from '../../support/publishing-mount.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { newVolume } from '../../support/test-volume.ts'
import { childNames } from '../../support/tree-lines.ts'

const rootNode = 1
const encoder = new TextEncoder()

interface OpenFile {
  readonly node: number
  readonly handle: number
  readonly backingId: number
}

class Program {
  readonly mount: PublishingMount

  constructor(mount: PublishingMount) {
    this.mount = mount
  }

  async create(name: string, text: string): Promise<void> {
    const reply = await answered(this.writable.create(rootNode, name, { mode: 0o644, umask: 0, rdev: 0 }, openFlag.O_RDWR, caller))
    if (typeof reply === 'number') throw new Error(`create: ${reply}`)
    const file = { node: reply.entry.nodeId, handle: reply.open.handle, backingId: reply.open.backingId }
    await this.write(file, text)
    this.close(file)
  }

  async open(name: string): Promise<OpenFile> {
    const found = await answered(this.#handler.lookup(rootNode, name, caller))
    if (typeof found === 'number') throw new Error(`lookup: ${found}`)
    const reply = await answered(this.#handler.open(found.nodeId, openFlag.O_RDWR, caller))
    if (typeof reply === 'number') throw new Error(`open: ${reply}`)
    return { node: found.nodeId, handle: reply.handle, backingId: reply.backingId }
  }

  async write({ node, handle, backingId }: OpenFile, text: string): Promise<void> {
    const bytes = encoder.encode(text)
    if (backingId === 0) await answered(this.writable.write(node, handle, 0, bytes, { isFromCache: false, killsPrivileges: false, caller }))
    else this.mount.writeBacking(backingId, 0, bytes)
  }

  close({ node, handle }: OpenFile): void {
    this.#handler.release(node, handle)
    this.#handler.forget(node, 1)
  }

  /** Names with the link counts and sizes of their files. */
  async shown(): Promise<string[]> {
    const names = await childNames(this.#handler, rootNode)
    const lines: string[] = []
    for (const name of names) {
      const reply = await answered(this.#handler.lookup(rootNode, name, caller))
      if (typeof reply === 'number') throw new Error(`"${name}" is listed and not found: ${reply}`)
      lines.push(`${name} ${reply.attributes.linkCount} ${reply.attributes.size}`)
      this.#handler.forget(reply.nodeId, 1)
    }
    return lines
  }

  get writable(): NonNullable<Handler['writable']> {
    return this.#handler.writable!
  }

  get #handler(): Handler {
    return this.mount.handler
  }
}

const first = 'as it was'
const written = 'what was written here'

interface Row {
  readonly what: string
  readonly run: (here: Program) => Promise<void>
  readonly shown: readonly string[]
  readonly volume: readonly string[]
}

const unlink = async ({ writable }: Program, name: string): Promise<void> => expect(typeof (await answered(writable.unlink(rootNode, name)))).toBe('undefined')
const rename = async ({ writable }: Program, name: string, to: string): Promise<void> => expect(typeof (await answered(writable.rename(rootNode, name, rootNode, to, 0)))).toBe('undefined')

const rows: readonly Row[] = [
  { what: 'nothing', run: () => Promise.resolve(), shown: ['a 1 21', 'theirs 1 21'], volume: ['theirs 1 21'] },
  { what: 'their name is removed', run: (here) => unlink(here, 'theirs'), shown: ['a 1 21'], volume: ['theirs 1 21'] },
  {
    what: 'their name is removed, and ours moved',
    run: async (here) => {
      await unlink(here, 'theirs')
      await rename(here, 'a', 'b')
    },
    shown: ['b 1 21'],
    volume: ['b 1 21'],
  },
  {
    what: 'another takes the place of their name',
    run: async (here) => {
      await here.create('n', 'new')
      await rename(here, 'n', 'theirs')
    },
    shown: ['a 1 21', 'theirs 1 3'],
    volume: ['theirs 1 21', 'theirs.conflict-here-4 1 3'],
  },
  {
    what: 'both names are removed',
    run: async (here) => {
      await unlink(here, 'theirs')
      await unlink(here, 'a')
    },
    shown: [],
    volume: [],
  },
]

test('that is written again while it is published stays at its old name, too, with what was written', async () => {
  const volume = await newVolume({ seed: 5 })
  const there = new Program(await PublishingMount.start(volume, 'there', new SeededRandom(1)))
  await there.create('a', first)
  await there.mount.publish()
  const here = new Program(await PublishingMount.start(volume, 'here', new SeededRandom(2)))
  const file = await here.open('a')
  await here.write(file, written)
  await rename(there, 'a', 'theirs')
  await there.mount.publish()
  await here.mount.follow()
  const outgoing = (await here.mount.take())!
  await here.mount.read(outgoing)
  await here.write(file, `${written} again`)
  here.mount.handler.published(await here.mount.commit(outgoing))
  await here.mount.follow()
  here.close(file)
  await here.mount.publish()
  const fresh = new Program(await PublishingMount.start(volume, 'fresh', new SeededRandom(3)))
  expect(await fresh.shown()).toEqual(['a 1 27', 'theirs 1 9'])
  expect(await here.shown()).toEqual(await fresh.shown())
})

test.each([false, true])('that others move while it is written here keeps what was written, whatever is done to either name (listed: %s)', async (isListed) => {
  for (const { what, run, shown, volume: expected } of rows) {
    const volume = await newVolume({ seed: 5 })
    const there = new Program(await PublishingMount.start(volume, 'there', new SeededRandom(1)))
    await there.create('a', first)
    await there.mount.publish()
    const here = new Program(await PublishingMount.start(volume, 'here', new SeededRandom(2)))
    const file = await here.open('a')
    await here.write(file, written)
    await rename(there, 'a', 'theirs')
    await there.mount.publish()
    await here.mount.follow(!isListed)
    await run(here)
    expect([what, await here.shown()]).toEqual([what, shown])
    here.close(file)
    await here.mount.publish()
    expect([what, await here.shown()]).toEqual([what, expected])
    const fresh = new Program(await PublishingMount.start(volume, 'fresh', new SeededRandom(3)))
    expect([what, await fresh.shown()]).toEqual([what, expected])
  }
})
