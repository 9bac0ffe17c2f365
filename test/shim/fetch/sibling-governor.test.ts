import { expect, test } from 'vitest'
import { SiblingGovernor } from '../../../shim/fetch/sibling-governor.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

/** Opens files of a directory of `count` by index, and obeys the plans; counts the opens that were not fetched ahead. */
class Walker {
  readonly governor = new SiblingGovernor()
  readonly planned = new Set<string>()
  missCount = 0

  open(directory: number, index: number, count: number): void {
    const name = nameOf(index)
    if (!this.planned.has(`${directory}/${name}`)) this.missCount += 1
    const plan = this.governor.opened(directory, name)
    if (plan === undefined) return
    const from = Number(plan.after.slice(1)) + 1
    const taken = Array.from({ length: plan.count }, (_, step) => from + step).filter((next) => next < count)
    for (const next of taken) this.planned.add(`${directory}/${nameOf(next)}`)
    if (taken.length > 0) this.governor.extended(directory, nameOf(taken.at(-1)!), taken.length)
  }
}

function nameOf(index: number): string {
  return `f${String(index).padStart(6, '0')}`
}

test('files read in order are fetched ahead from the second on', () => {
  const walker = new Walker()
  for (let index = 0; index < 5000; index += 1) walker.open(1, index, 5000)
  expect(walker.missCount).toBe(2)
})

test('the plan follows the last file that was fetched, in growing steps', () => {
  const governor = new SiblingGovernor()
  expect(governor.opened(1, 'a')).toBeUndefined()
  expect(governor.opened(1, 'b')).toEqual({ after: 'b', count: 8 })
  governor.extended(1, 'j', 8)
  expect(governor.opened(1, 'c')).toEqual({ after: 'j', count: 16 })
  governor.extended(1, 'z', 16)
  for (const name of ['d', 'e', 'f', 'g', 'h', 'i']) expect(governor.opened(1, name)).toBeUndefined()
  expect(governor.opened(1, 'j')).toEqual({ after: 'z', count: 32 })
})

test('a walk is believed in the next directories from their first file on', () => {
  const walker = new Walker()
  for (let directory = 0; directory < 100; directory += 1) for (let index = 0; index < 7; index += 1) walker.open(directory, index, 7)
  expect(walker.missCount).toBeLessThan(100 + 7)
})

test('opening at random, or the same file again and again, plans next to nothing', () => {
  const walker = new Walker()
  const random = new SeededRandom(3)
  for (let step = 0; step < 2000; step += 1) walker.open(1, random.next() % 5000, 5000)
  expect(walker.planned.size).toBeLessThan(2000 * 0.25)
  const same = new SiblingGovernor()
  for (let step = 0; step < 20; step += 1) expect(same.opened(1, 'x')).toBeUndefined()
})

test('a reader that picks every hundredth file is left alone after a while', () => {
  const walker = new Walker()
  for (let index = 0; index < 100_000; index += 100) walker.open(1, index, 100_000)
  expect(walker.planned.size).toBeLessThan(400)
})

test('many directories at a time are bounded, and forgotten ones are no harm', () => {
  const governor = new SiblingGovernor()
  for (let directory = 0; directory < 1000; directory += 1) governor.opened(directory, 'a')
  expect(governor.opened(0, 'b')).toBeUndefined()
  governor.extended(5, 'z', 3)
})
