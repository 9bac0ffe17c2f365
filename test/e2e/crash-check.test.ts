/** That the crash tests' own checker sees what it should, on a local folder. */
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { differences, parseLog, settle } from '../support/crash-check.ts'
import { CrashModel, type CrashStep } from '../support/crash-model.ts'
import { work } from '../support/crash-run.ts'
import { tempDirectory } from '../support/temp-directory.ts'

let folder: string
let history: string
let log: string

beforeEach(async () => {
  const directory = await tempDirectory()
  folder = join(directory, 'folder')
  history = join(directory, 'history')
  log = join(directory, 'log')
  mkdirSync(folder)
  writeFileSync(history, '')
})

function modelOf(steps: readonly CrashStep[]): CrashModel {
  const model = new CrashModel()
  for (const step of steps) model.apply(step)
  return model
}

test('a local folder is what the steps made of it, and any change of it is seen', async () => {
  await work(folder, history, log, 1, 2500)
  const { done, underWay, failure } = parseLog(readFileSync(log, 'utf8'))
  expect([done.length, underWay, failure]).toEqual([2500, undefined, undefined])
  const steps = await settle([], { done, underWay, failure }, folder)
  const model = modelOf(steps)
  expect(await differences(model, folder)).toEqual([])
  // It goes on from there.
  writeFileSync(history, steps.map((step) => `${JSON.stringify(step)}\n`).join(''))
  writeFileSync(log, '')
  await work(folder, history, log, 2, 500)
  await settle(steps, parseLog(readFileSync(log, 'utf8')), folder)
})

test('every kind of damage is told', async () => {
  const steps: CrashStep[] = [
    { do: 'create', path: 'a', handle: 1 },
    { do: 'write', handle: 1, offset: 10, length: 100, seed: 5 },
    { do: 'close', handle: 1 },
  ]
  const model = modelOf(steps)
  const path = join(folder, 'a')
  const make = (): void => {
    rmSync(path, { force: true })
    writeFileSync(path, model.node('a').bytes.subarray(0, 110), { mode: 0o644 })
  }
  const damages: (() => void)[] = [
    () => rmSync(path),
    () => truncateSync(path, 109),
    () => appendFileSync(path, 'x'),
    () => chmodSync(path, 0o600),
    () => writeFileSync(path, new Uint8Array(110)),
    () => writeFileSync(join(folder, 'b'), ''),
  ]
  for (const damage of damages) {
    make()
    expect(await differences(model, folder)).toEqual([])
    damage()
    expect(await differences(model, folder)).toHaveLength(1)
  }
  expect(readdirSync(folder)).toContain('b')
})

test('the step under way may be there, and a write of it in any part, which is then finished', async () => {
  const done: CrashStep[] = [
    { do: 'create', path: 'a', handle: 1 },
    { do: 'write', handle: 1, offset: 0, length: 100, seed: 5 },
  ]
  const after = modelOf([...done, { do: 'write', handle: 1, offset: 50, length: 100, seed: 6 }])
  const torn = after.node('a').bytes.slice(0, 120)
  torn.set(modelOf(done).node('a').bytes.subarray(60, 70), 60)
  writeFileSync(join(folder, 'a'), torn)
  const underWay: CrashStep = { do: 'write', handle: 1, offset: 50, length: 100, seed: 6 }
  const steps = await settle([], { done, underWay, failure: undefined }, folder)
  expect(steps.at(-2)).toEqual(underWay)
  expect(await differences(modelOf(steps), folder)).toEqual([])
  const renamed = await settle(steps, { done: [], underWay: { do: 'rename', path: 'a', to: 'b' }, failure: undefined }, folder)
  expect(renamed).toHaveLength(steps.length + 1)
  await expect(settle(steps, { done: [{ do: 'rename', path: 'a', to: 'b' }], underWay: undefined, failure: 'x' }, folder)).rejects.toThrow('a should not be there\nb is missing')
})
