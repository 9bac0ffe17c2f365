/** Random operations on a volume and on the model of one: they must agree on every outcome, now, after reopening, and in every snapshot. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../edge/store/memory.ts'
import type { Clock } from '../../shared/clock.ts'
import { type ErrorCode, codeOf } from '../../shared/error.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { effort } from '../support/effort.ts'
import { engineOf, inPieces, smallChunks, utf8 } from '../support/test-volume.ts'
import { type Step, acceptable, flag, linesOf, stepArbitrary } from './steps.ts'
import { VolumeModel } from './volume-model.ts'

describe('a volume is what the model says', () => {
  test('after any operations, reopened at any time, in every snapshot', async () => {
    const seldom = fc.nat(19).map((lot) => lot === 0)
    const batch = fc.record({ steps: fc.array(stepArbitrary, { minLength: 1, maxLength: 8 }), reopens: flag, keepsRefused: seldom })
    await fc.assert(fc.asyncProperty(fc.array(batch, { minLength: 15, maxLength: 40 }), runAgainstModel), { numRuns: 60 * effort })
  }, 60_000 * effort)
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
