import { expect, test } from 'vitest'
import { LocalFiles } from '../../../shim/bodies/local-files.ts'
import type { FileChore } from '../../../shim/fs/backend.ts'
import { prepareNow } from '../../support/bodies-bed.ts'
import { FakeSys } from '../../support/fake-sys.ts'

interface Step {
  readonly chores: readonly FileChore[]
  end(isDone: boolean): void
}

/** Steps that end when the test says so. */
function slowFiles(): { readonly files: LocalFiles; readonly steps: Step[] } {
  const sys = new FakeSys()
  sys.mkdir('/cache', 0o700)
  const steps: Step[] = []
  const opened = LocalFiles.open(sys, '/cache', (chores, done) => {
    let isEnded = false
    const end = (isDone: boolean): void => {
      if (isEnded) return
      isEnded = true
      done(isDone ? prepareNow(sys, chores) : chores.map(() => false))
    }
    steps.push({ chores, end })
  })
  if (typeof opened === 'number') throw new Error(`Cannot open the files: ${opened}`)
  return { files: opened.files, steps }
}

test('while files are lacking each step begins when the one before has ended', () => {
  const { files, steps } = slowFiles()
  files.step()
  files.step()
  expect(steps.length).toBe(1)
  steps[0]!.end(true)
  expect(steps.length).toBe(2)
  steps[1]!.end(true)
  // 256 are there.
  expect(steps.length).toBe(2)
  let newCount = 0
  const serials = new Set<number>()
  for (let index = 0; index < 2000; index += 1) {
    const taken = files.take()
    if (typeof taken === 'number') throw new Error(`Cannot take a file: ${taken}`)
    if (taken.isNew) newCount += 1
    serials.add(taken.serial)
    if (index % 50 === 49) steps.at(-1)!.end(true)
  }
  expect([newCount, serials.size]).toEqual([0, 2000])
})

test('a step in which nothing could be done is not tried again at once', () => {
  const { files, steps } = slowFiles()
  files.step()
  steps[0]!.end(false)
  expect(steps.length).toBe(1)
  files.step()
  expect(steps.length).toBe(2)
})
