/** Differences and history of paths against what a look at everything says: random commits, every pair and page. */
import { describe, expect, it } from 'vitest'
import type { Entry } from '../../../shared/format/entry.ts'
import { encodeEntry } from '../../../shared/format/entry-codec.ts'
import { isWithin } from '../../../shared/path.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import { diffPaths, entryAt } from '../../../shared/volume/path-diff.ts'
import { historyOf } from '../../../shared/volume/path-history.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { systemClock } from '../../../shared/clock.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const seeds = [1, 2, 3, 4, 5, 6]
const commits = 25
const names = ['a', 'b', 'c', 'ü', 'z']

interface World {
  readonly volume: Volume
  readonly at: (seq: number) => Promise<Snapshot>
  readonly head: Snapshot
}

async function makeWorld(seed: number): Promise<World> {
  const random = new SeededRandom(seed)
  const pick = <T>(from: readonly T[]): T => from[random.bytes(1)[0]! % from.length]!
  const volume = await Volume.create({ store: new MemoryStore(), clock: systemClock, random }, { name: 'past' })
  for (let commit = 0; commit < commits; commit += 1) {
    const head = await volume.head()
    const paths: string[] = []
    for await (const { path } of head.walk()) paths.push(path)
    const folders: string[] = []
    for (const path of paths) if ((await head.resolve(path)).kind === 'directory') folders.push(path)
    const fresh = `${pick(folders).replace(/^\/$/, '')}/${pick(names)}`
    const old = pick(paths)
    const body = new TextEncoder().encode(`text ${commit}`)
    const candidates: readonly Operation[] = [
      { op: 'create', path: fresh, content: { kind: 'inline', bytes: body }, size: body.length, replace: true },
      { op: 'mkdir', path: fresh },
      { op: 'setattr', path: old, mode: 0o600 + (commit % 64) },
      { op: 'rename', path: old, to: fresh, replace: false },
      (await head.resolve(old)).kind === 'directory' ? { op: 'rmdir', path: old, recursive: true } : { op: 'unlink', path: old },
    ]
    await volume.writer().commit([candidates[random.bytes(1)[0]! % candidates.length]!]).catch(() => undefined)
  }
  return { volume, at: (seq) => volume.at(seq), head: await volume.head() }
}

async function everything(snapshot: Snapshot): Promise<ReadonlyMap<string, Entry>> {
  const found = new Map<string, Entry>()
  for await (const { path, entry } of snapshot.walk()) found.set(path, entry)
  return found
}

const textOf = (entry: Entry | undefined): string => (entry === undefined ? '' : Buffer.from(encodeEntry(entry)).toString('hex'))

/** What must be told whatever else is: names that came or went, and files that are other ones. */
function expected(before: ReadonlyMap<string, Entry>, after: ReadonlyMap<string, Entry>, top: string): readonly string[] {
  const paths = new Set([...before.keys(), ...after.keys()].filter((path) => isWithin(path, top)))
  return [...paths].filter((path) => {
    const [a, b] = [before.get(path), after.get(path)]
    return a?.kind === 'directory' && b?.kind === 'directory' ? false : textOf(a) !== textOf(b)
  }).toSorted()
}

describe.each(seeds)('seed %i', (seed) => {
  it('differences are those that a look at everything finds, from every path on', async () => {
    const { at, head } = await makeWorld(seed)
    for (let seq = 2; seq <= head.seq; seq += 4) {
      const [a, b] = [await at(seq), await at(Math.max(1, (seq * 7) % head.seq))]
      const [before, after] = [await everything(a), await everything(b)]
      for (const top of new Set(['/', '/a', '/b'].filter((path) => before.has(path) || after.has(path)))) {
        const told: string[] = []
        for await (const { path, before: old, after: now } of diffPaths(a, b, { path: top })) {
          expect([path, textOf(old), textOf(now)]).toEqual([path, textOf(before.get(path)), textOf(after.get(path))])
          told.push(path)
        }
        const files = told.filter((path) => before.get(path)?.kind !== 'directory' || after.get(path)?.kind !== 'directory')
        expect(files.toSorted()).toEqual(expected(before, after, top))
        expect(new Set(told).size).toBe(told.length)
        for (const [index, from] of told.entries()) {
          if (from === top) continue
          const rest: string[] = []
          for await (const { path } of diffPaths(a, b, { path: top, after: from })) rest.push(path)
          expect(rest).toEqual(told.slice(index + 1))
        }
      }
    }
  })

  it('histories name every commit that changed the path, whatever the pages', async () => {
    const { at, head } = await makeWorld(seed)
    for (const start of (await everything(head)).keys()) {
      const whole = await historyOf(at, { path: start, newest: head, within: '/', limit: 1000, recordsMax: 1000 })
      let path = start
      const wanted: number[] = []
      const renames = new Map(whole.items.filter(({ from }) => from !== undefined).map(({ record, from }) => [record.seq, from!]))
      for (let { seq } = head; seq >= 1; seq -= 1) {
        const now = await entryAt(await at(seq), path, undefined)
        const before = seq === 1 ? undefined : await entryAt(await at(seq - 1), path, undefined)
        if (textOf(now) !== textOf(before)) wanted.push(seq)
        const from = renames.get(seq)
        if (from === undefined) continue
        expect((await entryAt(await at(seq - 1), from, undefined))?.id).toBe(now?.id)
        path = from
      }
      expect(whole.items.map(({ record }) => record.seq)).toEqual(wanted)
      expect(whole.next).toBeUndefined()
      const paged: number[] = []
      for (let next: { before: number; path: string } | undefined = { before: head.seq + 1, path: start }; next !== undefined; ) {
        const page = await historyOf(at, { path: next.path, newest: await at(next.before - 1), within: '/', limit: 2, recordsMax: 3 })
        paged.push(...page.items.map(({ record }) => record.seq))
        next = page.next
      }
      expect(paged).toEqual(wanted)
    }
  })
})
