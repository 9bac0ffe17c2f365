/** Random operations, small enough to meet each other often, and a snapshot's tree in the model's words. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { Time } from '../../shared/format/entry.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { bytesOf, utf8 } from '../support/test-volume.ts'
import { VolumeModel, byText } from './volume-model.ts'

/** An operation whose body is still to be written. */
export interface Step {
  readonly operation: Operation
  readonly body: string
}

const name = fc.constantFrom('a', 'b', 'c', 'd')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`)
const anyPath = fc.oneof({ weight: 30, arbitrary: path }, { weight: 1, arbitrary: fc.constant('/') })
export const flag = fc.boolean()
/** Inline, one chunk, several chunks. */
const body = fc.tuple(fc.constantFrom(0, 5, 4096, 4097, 30_000), fc.nat(3)).map(([length, seed]) => `${seed}:`.padEnd(length, `${seed}${length}abc`).slice(0, length))
const mode = fc.constantFrom(0o600, 0o755, 0o4711)

export const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ path, parents: flag, replace: flag, body, mode: fc.option(mode, { nil: undefined }) }).map((given) => stepOf({ op: 'create', ...given }, given.body)),
  fc.record({ path: anyPath, body }).map((given) => stepOf({ op: 'write', path: given.path, content: { kind: 'inline', bytes: utf8('') }, size: 0 }, given.body)),
  fc.record({ path: anyPath, parents: flag }).map((given) => stepOf({ op: 'mkdir', ...given })),
  fc.record({ path, parents: flag, replace: flag, target: fc.constantFrom('a', '/b/c', '../d') }).map((given) => stepOf({ op: 'symlink', ...given }, given.target)),
  fc.record({ path, replace: flag, kind: fc.constantFrom('fifo' as const, 'character-device' as const) }).map((given) => stepOf({ op: 'mknod', ...given })),
  fc.record({ path, to: path, replace: flag, parents: flag }).map((given) => stepOf({ op: 'rename', ...given })),
  fc.record({ path, to: path, replace: flag, parents: flag }).map((given) => stepOf({ op: 'link', ...given })),
  path.map((at) => stepOf({ op: 'unlink', path: at })),
  fc.record({ path, recursive: flag }).map((given) => stepOf({ op: 'rmdir', ...given })),
  fc.record({ path: anyPath, mode, uid: fc.constantFrom(0, 1000) }).map((given) => stepOf({ op: 'setattr', ...given })),
  fc.record({ path: anyPath, name: fc.constantFrom('user.x', 'user.y'), value: fc.option(fc.constant(utf8('v')), { nil: undefined }) }).map((given) => stepOf({ op: 'setxattr', ...given })),
)

function stepOf(operation: Operation, text = ''): Step {
  return { operation, body: text }
}

/** Steps that the model takes one after the other. */
export function acceptable(model: VolumeModel, steps: readonly Step[], nowMs: number): readonly Step[] {
  const trial = new VolumeModel(0)
  trial.root = model.root
  return steps.filter((each) => trial.commit([each.operation], nowMs, () => each.body) === undefined)
}

/** The lines that the model gives, of a snapshot. Each id has as many names as its link count says. */
export async function linesOf(snapshot: Snapshot): Promise<string[]> {
  const lines: string[] = []
  const names = new Map<number, string[]>()
  const linkCounts = new Map<number, number>()
  for await (const { path: at, entry } of snapshot.walk()) {
    const xattrs = Array.from(entry.xattrs, ([key, value]) => `${key}=${new TextDecoder().decode(value)}`).toSorted(byText)
    const text = entry.kind === 'file' ? new TextDecoder().decode(await bytesOf(snapshot, entry)) : entry.content.kind === 'target' ? entry.content.target : ''
    const rest =
      entry.content.kind === 'tree'
        ? `entries=${entry.content.root.entryCount} directories=${entry.content.root.directoryCount}`
        : `links=${entry.linkCount} ${text}`
    lines.push(`${at} ${entry.kind} ${entry.mode.toString(8)} ${entry.uid} ${msOf(entry.mtime)} ${msOf(entry.ctime)} [${xattrs.join()}] ${rest}`)
    names.set(entry.id, [...(names.get(entry.id) ?? []), at])
    linkCounts.set(entry.id, entry.linkCount)
  }
  for (const [id, paths] of names) expect(linkCounts.get(id), `link count of ${paths.join(', ')}`).toBe(paths.length)
  return lines
}

function msOf(time: Time): number {
  return time.seconds * 1000 + time.nanoseconds / 1_000_000
}
