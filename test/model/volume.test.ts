/** Random operations on a volume and on the model of one: they must agree on every outcome, now, after reopening, and in every snapshot. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../edge/store/memory.ts'
import type { Clock } from '../../shared/clock.ts'
import { type ErrorCode, codeOf } from '../../shared/error.ts'
import type { Time } from '../../shared/format/entry.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { bytesOf, engineOf, inPieces, smallChunks, utf8 } from '../support/test-volume.ts'
import { VolumeModel, byText } from './volume-model.ts'

/** An operation whose body is still to be written. */
interface Step {
  readonly operation: Operation
  readonly body: string
}

const name = fc.constantFrom('a', 'b', 'c', 'd')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`)
const anyPath = fc.oneof({ weight: 30, arbitrary: path }, { weight: 1, arbitrary: fc.constant('/') })
const flag = fc.boolean()
/** Inline, one chunk, several chunks. */
const body = fc.tuple(fc.constantFrom(0, 5, 4096, 4097, 30_000), fc.nat(3)).map(([length, seed]) => `${seed}:`.padEnd(length, `${seed}${length}abc`).slice(0, length))
const mode = fc.constantFrom(0o600, 0o755, 0o4711)

const step: fc.Arbitrary<Step> = fc.oneof(
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

describe('a volume is what the model says', () => {
  test('after any operations, reopened at any time, in every snapshot', async () => {
    const seldom = fc.nat(19).map((lot) => lot === 0)
    const batch = fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 8 }), reopens: flag, keepsRefused: seldom })
    await fc.assert(fc.asyncProperty(fc.array(batch, { minLength: 15, maxLength: 40 }), runAgainstModel), { numRuns: 150 })
  }, 60_000)
})

interface Batch {
  readonly steps: readonly Step[]
  readonly reopens: boolean
  /** Else steps that would be refused are left out, because one of them refuses the whole batch. */
  readonly keepsRefused: boolean
}

async function runAgainstModel(batches: readonly Batch[]): Promise<void> {
  let nowMs = 1_000_000
  const clock: Clock = { now: () => nowMs, sleep: () => Promise.resolve() }
  const engine = engineOf(new MemoryStore(), { clock })
  let volume = await Volume.create(engine, { name: 'test', chunking: smallChunks })
  let writer = volume.writer()
  const model = new VolumeModel(nowMs)
  const history = new Map<number, readonly string[]>([[1, model.lines()]])
  for (const { steps, reopens, keepsRefused } of batches) {
    nowMs += 1000
    if (reopens) {
      volume = await Volume.open({ ...engine, pageCacheBytes: 1 })
      writer = volume.writer()
    }
    const operations: Operation[] = []
    const bodies = new Map<Operation, string>()
    for (const { operation, body: text } of keepsRefused ? steps : acceptable(model, steps, nowMs)) {
      const isBody = operation.op === 'create' || operation.op === 'write'
      const made = isBody ? { ...operation, ...(await writer.write(inPieces(utf8(text)))) } : operation
      operations.push(made)
      bodies.set(made, text)
    }
    const refusal = model.commit(operations, nowMs, (operation) => bodies.get(operation)!)
    const { seq, code } = await committed(() => writer.commit(operations))
    expect(code).toBe(refusal)
    if (seq !== undefined) history.set(seq, model.lines())
    expect(await linesOf(await volume.head())).toEqual(model.lines())
  }
  for (const [seq, lines] of history) expect(await linesOf(await volume.at(seq))).toEqual(lines)
  expect(await codeOfRejection(volume.at(history.size + 1))).toBe('not-found')
}

function acceptable(model: VolumeModel, steps: readonly Step[], nowMs: number): readonly Step[] {
  const trial = new VolumeModel(0)
  trial.root = model.root
  return steps.filter((each) => trial.commit([each.operation], nowMs, () => each.body) === undefined)
}

async function committed(commit: () => Promise<{ seq: number }>): Promise<{ seq?: number; code?: ErrorCode }> {
  try {
    return { seq: (await commit()).seq }
  } catch (error) {
    return { code: codeOf(error) }
  }
}

async function codeOfRejection(promise: Promise<unknown>): Promise<ErrorCode | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => codeOf(error),
  )
}

async function linesOf(snapshot: Snapshot): Promise<string[]> {
  const lines: string[] = []
  const ids = new Map<number, string>()
  for await (const { path: at, entry } of snapshot.walk()) {
    const xattrs = Array.from(entry.xattrs, ([key, value]) => `${key}=${new TextDecoder().decode(value)}`).toSorted(byText)
    const text = entry.kind === 'file' ? new TextDecoder().decode(await bytesOf(snapshot, entry)) : entry.content.kind === 'target' ? entry.content.target : ''
    const rest =
      entry.content.kind === 'tree'
        ? `entries=${entry.content.root.entryCount} directories=${entry.content.root.directoryCount}`
        : `links=${entry.linkCount} ${text}`
    lines.push(`${at} ${entry.kind} ${entry.mode.toString(8)} ${entry.uid} ${msOf(entry.mtime)} ${msOf(entry.ctime)} [${xattrs.join()}] ${rest}`)
    if (ids.has(entry.id)) expect(entry.linkCount, `${at} has the id of ${ids.get(entry.id)}`).toBeGreaterThan(1)
    ids.set(entry.id, at)
  }
  return lines
}

function msOf(time: Time): number {
  return time.seconds * 1000 + time.nanoseconds / 1_000_000
}
