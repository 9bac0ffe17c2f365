/** Random commits made from the same snapshot: whatever they do, no content that either of them made is lost, and the tree stays sound. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effort } from '../support/effort.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { ContentWriter } from '../../shared/volume/content-writer.ts'
import { newVolume, utf8 } from '../support/test-volume.ts'
import { type Step, acceptable, linesOf, stepArbitrary } from './steps.ts'
import { VolumeModel } from './volume-model.ts'

const steps = fc.array(stepArbitrary, { minLength: 3, maxLength: 25 })

describe('two commits from one snapshot', () => {
  test('lose nothing', async () => {
    await fc.assert(fc.asyncProperty(steps, steps, steps, mergeAtRandom), { numRuns: 300 * effort })
  }, 60_000 * effort)
})

async function mergeAtRandom(base: readonly Step[], theirs: readonly Step[], ours: readonly Step[]): Promise<void> {
  const volume = await newVolume()
  const model = new VolumeModel(0)
  const before = await prepare(volume.writer(), model, base, 'base')
  await volume.writer().commit(before)
  const snapshot = await volume.head()
  const [theirModel, ourModel] = [new VolumeModel(0), new VolumeModel(0)]
  theirModel.root = model.root
  ourModel.root = model.root
  const theirWriter = volume.writer()
  await theirWriter.commit(await prepare(theirWriter, theirModel, theirs, 'theirs'), { author: 'them' })
  const ourWriter = volume.writer()
  const result = await ourWriter.commit(await prepare(ourWriter, ourModel, ours, 'ours'), { base: snapshot, author: 'us' })

  const merged = (await linesOf(result.snapshot)).join('\n')
  for (const body of [...bodiesOf(theirModel, 'theirs'), ...bodiesOf(ourModel, 'ours')]) expect(merged).toContain(`<${body}>`)
  expectSound(await linesOf(result.snapshot))
}

/** The steps that the model takes, with a body of their own each. */
async function prepare(writer: ContentWriter, model: VolumeModel, given: readonly Step[], who: string): Promise<Operation[]> {
  const operations: Operation[] = []
  for (const { operation } of acceptable(model, given, 0)) {
    const hasBody = operation.op === 'create' || operation.op === 'write'
    const text = hasBody ? `<${who}${operations.length}>` : ''
    const made = hasBody ? { ...operation, ...(await writer.write([utf8(text)])) } : operation
    expect(model.commit([made], 0, () => text)).toBe(undefined)
    operations.push(made)
  }
  return operations
}

/** Bodies that this side made and that were still there at its end. */
function bodiesOf(model: VolumeModel, who: string): string[] {
  const found = new Set<string>()
  for (const line of model.lines()) for (const match of line.matchAll(/<([a-z]+\d+)>/g)) found.add(match[1]!)
  return [...found].filter((body) => body.startsWith(who))
}

/** Counts of directories are those of their names. */
function expectSound(lines: readonly string[]): void {
  const counts = new Map<string, { entries: number; directories: number }>()
  for (const line of lines) {
    const [path = '', kind] = line.split(' ')
    if (kind === 'directory') counts.set(path, { entries: 0, directories: 0 })
    const parent = counts.get(path.slice(0, path.lastIndexOf('/')) || '/')
    if (path === '/' || parent === undefined) continue
    parent.entries += 1
    if (kind === 'directory') parent.directories += 1
  }
  for (const line of lines) {
    const [path = '', kind] = line.split(' ')
    if (kind === 'directory') expect(line).toContain(`entries=${counts.get(path)!.entries} directories=${counts.get(path)!.directories}`)
  }
}
