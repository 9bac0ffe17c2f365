/** The directory store between processes: Node and Deno at work on one directory, and some of them killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DirectoryStore } from '../../../edge/store/directory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { systemRandom } from '../../../shared/random.ts'
import { Leases } from '../../../shared/volume/leases.ts'
import { bytesAt, text } from '../../support/store-bytes.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const racerPath = path.resolve('test/support/store-racer.ts')
const denoPath = path.resolve('node_modules/.bin/deno')

interface Outcome {
  readonly signal: NodeJS.Signals | null
  readonly status: number | null
  readonly report: { readonly pid: number; readonly won?: number[] } | undefined
  readonly errors: string
}

function start(runtime: 'node' | 'deno', root: string, job: string, rounds: number): { child: ChildProcess; outcome: Promise<Outcome> } {
  const command = runtime === 'node' ? [process.execPath] : [denoPath, 'run', '--allow-all', '--no-check']
  const child = spawn(command[0]!, [...command.slice(1), racerPath, root, job, String(rounds)], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (data: string) => (output += data))
  child.stderr.setEncoding('utf8').on('data', (data: string) => (errors += data))
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      const report: Outcome['report'] = output === '' ? undefined : JSON.parse(output)
      resolve({ signal, status, errors, report })
    })
  })
  return { child, outcome }
}

function run(runtime: 'node' | 'deno', root: string, job: string, rounds: number): Promise<Outcome> {
  return start(runtime, root, job, rounds).outcome
}

async function openStore(root: string): Promise<DirectoryStore> {
  const store = new DirectoryStore(root, { clock: systemClock, random: systemRandom })
  await store.start()
  onTestFinished(() => store.dispose())
  return store
}

test('of racing creates in four processes each key has exactly one winner', async () => {
  const root = await tempDirectory()
  const outcomes = await Promise.all((['node', 'node', 'node', 'deno'] as const).map((runtime) => run(runtime, root, 'create', 100)))
  for (const { errors } of outcomes) expect(errors).toBe('')
  const winners = outcomes.flatMap(({ report }) => report!.won!.map((round) => ({ round, pid: report!.pid })))
  expect(winners).toHaveLength(100)
  expect(new Set(winners.map(({ round }) => round)).size).toBe(100)
  const store = await openStore(root)
  for (const { round, pid } of winners) expect(await bytesAt(store, `log/${String(round).padStart(20, '0')}`)).toEqual(text(String(pid)))
})

test('of racing holders in four processes each lease has exactly one', async () => {
  const root = await tempDirectory()
  const outcomes = await Promise.all((['node', 'node', 'node', 'deno'] as const).map((runtime) => run(runtime, root, 'lease', 50)))
  for (const { errors } of outcomes) expect(errors).toBe('')
  const winners = outcomes.flatMap(({ report }) => report!.won!.map((round) => ({ round, pid: report!.pid })))
  expect(winners).toHaveLength(50)
  const leases = new Leases({ store: await openStore(root), clock: systemClock, random: systemRandom })
  for (const { round, pid } of winners) expect(await leases.read(`l${round}`)).toMatchObject({ epoch: 1, holder: String(pid) })
})

test('counting by compare-and-set in four processes loses nothing', async () => {
  const root = await tempDirectory()
  const store = await openStore(root)
  await store.create('counter', text('0'))
  const outcomes = await Promise.all((['node', 'node', 'node', 'deno'] as const).map((runtime) => run(runtime, root, 'count', 40)))
  for (const { errors } of outcomes) expect(errors).toBe('')
  expect(await bytesAt(store, 'counter')).toEqual(text('160'))
  expect(await readdir(path.join(root, '.locks'))).toEqual([])
})

test('processes that die with a lock neither block the others nor let two in', async () => {
  const root = await tempDirectory()
  const kills = { count: 0 }
  const keepAtIt = async (): Promise<void> => {
    for (let life = 0; life < 4; life += 1) {
      const { signal, errors } = await run('node', root, 'crash', 10)
      expect(errors).toBe('')
      if (signal === 'SIGKILL') kills.count += 1
    }
  }
  await Promise.all([keepAtIt(), keepAtIt(), keepAtIt()])
  expect(kills.count).toBeGreaterThan(0)
  const last = await run('node', root, 'count', 0)
  expect(last.status).toBe(0)
})

test('what a killed writer left is removed at the next start, what a living one writes is not', async () => {
  const root = await tempDirectory()
  const [dying, living] = [start('node', root, 'write', 10_000), start('node', root, 'write', 10_000)]
  await freezeWhileWriting(dying.child, root)
  await freezeWhileWriting(living.child, root)
  dying.child.kill('SIGKILL')
  await dying.outcome
  expect(await stagedBy(dying.child, root)).toHaveLength(1)
  await openStore(root)
  expect(await stagedBy(dying.child, root)).toEqual([])
  expect(await stagedBy(living.child, root)).toHaveLength(1)
})

async function stagedBy(child: ChildProcess, root: string): Promise<string[]> {
  const names = await readdir(path.join(root, '.tmp')).catch(() => [])
  return names.filter((name) => name.startsWith(`${child.pid}-`))
}

/** Stops the process at a moment when it has a temporary file. */
async function freezeWhileWriting(child: ChildProcess, root: string): Promise<void> {
  for (let tryCount = 0; tryCount < 1000; tryCount += 1) {
    child.kill('SIGSTOP')
    await systemClock.sleep(2)
    if ((await stagedBy(child, root)).length > 0) return
    child.kill('SIGCONT')
    await systemClock.sleep(5)
  }
  throw new Error('The writer never had a temporary file')
}
