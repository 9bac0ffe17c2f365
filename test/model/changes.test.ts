/**
 * Mounts that change a volume at random and publish what is different in the end: alone, the volume is what the mount showed; together, nothing that
 * anybody made is lost, and the tree stays sound.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FileId } from '../../shared/format/entry.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import { effort } from '../support/effort.ts'
import { SimulatedMount, inlineBody, mountLines } from '../support/simulated-mount.ts'
import { expectSound } from '../support/sound-tree.ts'
import { newVolume, utf8 } from '../support/test-volume.ts'

interface Deed {
  readonly kind: 'create' | 'write' | 'mkdir' | 'symlink' | 'rename' | 'exchange' | 'link' | 'remove' | 'removeAll' | 'chmod' | 'setxattr' | 'save'
  readonly path: string
  readonly to: string
}

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`)
const weights: Readonly<Record<Deed['kind'], number>> = {
  create: 5,
  write: 4,
  mkdir: 6,
  symlink: 1,
  rename: 8,
  exchange: 2,
  link: 3,
  remove: 3,
  removeAll: 3,
  chmod: 1,
  setxattr: 1,
  save: 2,
}
const kind = fc.oneof(...Object.entries(weights).map(([each, weight]) => ({ weight, arbitrary: fc.constant(each as Deed['kind']) })))
const deed: fc.Arbitrary<Deed> = fc.record({ kind, path, to: path })
const deeds = fc.array(deed, { minLength: 1, maxLength: 25 })
/** What conflicts most: everything goes somewhere else, and some of it is edited or removed. */
const moving = fc.array(fc.record({ kind: fc.constantFrom('rename', 'rename', 'exchange', 'link', 'write', 'remove', 'removeAll', 'create'), path, to: path }), {
  minLength: 1,
  maxLength: 8,
}) satisfies fc.Arbitrary<Deed[]>
const full: readonly Deed[] = ['/a', '/b', '/a/a', '/a/b', '/b/a', '/b/b']
  .map((at): Deed => ({ kind: 'mkdir', path: at, to: at }))
  .concat(['/c', '/a/c', '/b/c', '/a/a/c', '/a/b/a', '/b/a/c', '/b/b/b'].map((at) => ({ kind: 'create', path: at, to: at })))
  .concat([{ kind: 'link', path: '/c', to: '/a/b/c' }])

const same = '<same>'

describe('change sets of mounts', () => {
  test('make the volume what the mount showed', async () => {
    await fc.assert(fc.asyncProperty(fc.array(deeds, { minLength: 1, maxLength: 4 }), publishAlone), { numRuns: 300 * effort })
  }, 60_000 * effort)

  test('lose nothing when several are published', async () => {
    await fc.assert(fc.asyncProperty(deeds, fc.array(fc.array(deeds, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 2 }), publishTogether), {
      numRuns: 400 * effort,
    })
  }, 60_000 * effort)

  test('lose nothing when everything is moved about', async () => {
    const rounds = fc.array(fc.array(moving, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 2 })
    await fc.assert(fc.asyncProperty(fc.constant(full), rounds, publishTogether), { numRuns: 400 * effort })
  }, 60_000 * effort)

  test('lose nothing when a mount shows what others commit before it publishes', async () => {
    await fc.assert(fc.asyncProperty(fc.constantFrom([], full), together(), publishLate), { numRuns: 400 * effort })
  }, 60_000 * effort)
})

const together = (): fc.Arbitrary<readonly (readonly [Deed[], Deed[]])[]> => fc.array(fc.tuple(moving, moving), { minLength: 2, maxLength: 4 })

/** One mount sees what others commit while it goes on, and publishes all of it in the end: changes of different bases in one set. */
async function publishLate(first: readonly Deed[], rounds: readonly (readonly [ours: readonly Deed[], theirs: readonly Deed[]])[]): Promise<void> {
  const volume = await newVolume()
  const [us, them] = [volume.writer(), volume.writer()]
  const beginning = await SimulatedMount.of(await volume.head(), us.newFileId)
  perform(beginning, first, 'base')
  await us.commitChanges(beginning.changeSet(), { base: beginning.base })
  const mount = await SimulatedMount.of(await volume.head(), us.newFileId)
  let at = mount.base
  /** What the mount has shown to its programs, who took away what is not there in the end. */
  const shown = bodiesOf(mount)
  for (const [round, [ours, theirs]] of rounds.entries()) {
    perform(mount, ours, `us${round}`)
    const other = await SimulatedMount.of(await volume.head(), them.newFileId)
    perform(other, theirs, `them${round}`)
    await them.commitChanges(other.changeSet(), { base: other.base, author: 'them' })
    if (round === rounds.length - 1) break
    at = await volume.head()
    await mount.show(at)
    for (const body of bodiesOf(mount)) shown.add(body)
  }
  const before = bodiesOf(await SimulatedMount.of(await volume.head(), us.newFileId))
  const ours = reachable(mount)
  // Twice, as after a crash before the first commit was known of: then something may be made beside what was made already, and nothing is lost either.
  for (let round = 0; round < 2; round += 1) {
    const { snapshot } = await us.commitChanges(mount.changeSet(), { base: mount.base, shown: at, author: 'us' })
    await expectSound(snapshot)
    const bodies = bodiesOf(await SimulatedMount.of(snapshot, us.newFileId))
    for (const body of ours) if (body.startsWith('<us')) expect(bodies).toContain(body)
    for (const body of before) if (body !== same && (!shown.has(body) || ours.has(body))) expect(bodies).toContain(body)
  }
  expect(await Array.fromAsync(volume.check())).toEqual([])
}

async function publishAlone(rounds: readonly (readonly Deed[])[]): Promise<void> {
  const volume = await newVolume()
  const writer = volume.writer()
  for (const [round, given] of rounds.entries()) {
    const mount = await SimulatedMount.of(await volume.head(), writer.newFileId)
    perform(mount, given, `r${round}`)
    const set = mount.changeSet()
    const committed = await writer.commitChanges(set, { base: mount.base })
    expect(committed.conflicts).toEqual([])
    expect(await mountLines(committed.snapshot)).toEqual(mount.lines())
    expect(committed.nodes.map(({ id }) => id)).toEqual(set.nodes.filter(({ after }) => after !== undefined).map(({ id }) => id))
    await expectSound(committed.snapshot)
    await expectSameAgain(volume, committed.seq, mount)
  }
}

/** Bodies that a program would find by going through the mount. */
function reachable(mount: SimulatedMount): Set<string> {
  return new Set(mount.lines().map((line) => /<[^>]*>/.exec(line)?.[0] ?? ''))
}

async function publishTogether(first: readonly Deed[], rounds: readonly (readonly (readonly Deed[])[])[]): Promise<void> {
  const volume = await newVolume()
  const writers = [0, 1, 2].map(() => volume.writer())
  const beginning = await SimulatedMount.of(await volume.head(), writers[0]!.newFileId)
  perform(beginning, first, 'base')
  await writers[0]!.commitChanges(beginning.changeSet(), { base: beginning.base })
  for (const [round, each] of rounds.entries()) {
    const base = await volume.head()
    const mounts: SimulatedMount[] = []
    for (const [index, given] of each.entries()) {
      const mount = await SimulatedMount.of(base, writers[index]!.newFileId)
      perform(mount, given, `w${index}r${round}`)
      mounts.push(mount)
    }
    const before = bodiesOf(await SimulatedMount.of(base, writers[0]!.newFileId))
    for (const [index, mount] of mounts.entries()) {
      const { seq, snapshot, nodes } = await writers[index]!.commitChanges(mount.changeSet(), { base, author: `w${index}` })
      await expectSound(snapshot)
      await expectSameAgain(volume, seq, mount, `w${index}`)
      await expectThere(snapshot, nodes)
    }
    const bodies = bodiesOf(await SimulatedMount.of(await volume.head(), writers[0]!.newFileId))
    // What was there before and nobody took away (of what is the same everywhere each may have taken another one); and what each has made.
    for (const body of before) if (body !== same && mounts.every((mount) => bodiesOf(mount).has(body))) expect(bodies).toContain(body)
    for (const mount of mounts) for (const body of bodiesOf(mount)) if (!before.has(body)) expect(bodies).toContain(body)
  }
  expect(await Array.fromAsync(volume.check())).toEqual([])
}

/** Published twice: there is no second commit. */
async function expectSameAgain(volume: Volume, seq: number, mount: SimulatedMount, author?: string): Promise<void> {
  const again = await volume.writer().commitChanges(mount.changeSet(), { base: mount.base, author })
  expect(again.isNew).toBe(false)
  expect((await volume.head()).seq).toBe(seq)
}

/** Each node is somewhere, as it was told. */
async function expectThere(snapshot: Snapshot, nodes: readonly { readonly id: FileId; readonly entry: unknown }[]): Promise<void> {
  const entries = new Map<FileId, unknown>([[snapshot.root.directory.id, snapshot.root.directory]])
  for await (const { entry } of snapshot.walk()) entries.set(entry.id, entry)
  for (const { id, entry } of nodes) expect(entries.get(id)).toEqual(entry)
}

function perform(mount: SimulatedMount, given: readonly Deed[], who: string): void {
  for (const [index, { kind: what, path: at, to }] of given.entries()) {
    const body = inlineBody(`<${who}-${index}>`)
    // Some are the same wherever they are made.
    if (what === 'create') mount.make(at, 'file', index % 5 === 4 ? inlineBody(same) : body)
    if (what === 'write') mount.write(at, body)
    if (what === 'mkdir') mount.make(at, 'directory')
    if (what === 'symlink') mount.make(at, 'symlink', { content: { kind: 'target', target: 'x' }, size: 1 })
    if (what === 'rename') mount.rename(at, to)
    if (what === 'exchange') mount.exchange(at, to)
    if (what === 'link') mount.link(at, to)
    if (what === 'remove') mount.remove(at)
    if (what === 'removeAll') mount.removeAll(at)
    if (what === 'chmod') mount.setAttributes(at, { mode: 0o600 + index, atime: { seconds: index, nanoseconds: 1 } })
    if (what === 'setxattr') mount.setAttributes(at, { xattrs: new Map([[`user.${who}`, utf8(String(index))]]) })
    // As editors do: a new file takes the name of the old one.
    if (what === 'save' && mount.make(`${at}~`, 'file', body) && !mount.rename(`${at}~`, at)) mount.remove(`${at}~`)
  }
}

function bodiesOf(mount: SimulatedMount): Set<string> {
  const bodies = new Set<string>()
  for (const { content } of mount.nodes.values()) if (content.kind === 'inline' && content.bytes.length > 0) bodies.add(new TextDecoder().decode(content.bytes))
  return bodies
}
