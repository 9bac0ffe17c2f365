/** The POSIX suite can fail: what is not as a case expects is told, and a process that does not answer or has ended too. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { alice } from '../suites/posix/cases.ts'
import { O } from '../support/posix-calls.ts'
import { PosixAgent } from '../support/posix-client.ts'
import { Script } from '../support/posix-script.ts'

let directory: string
let agent: PosixAgent

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'edgemount-posix-'))
  chmodSync(directory, 0o755)
  agent = await PosixAgent.start({ directory })
})

afterEach(async () => {
  await agent.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function faultsOf(note: (script: Script) => void): Promise<string> {
  const script = new Script(() => Promise.resolve(agent))
  note(script)
  await script.run()
  try {
    script.finish()
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  return ''
}

describe('a script', () => {
  const cases: readonly (readonly [string, (script: Script) => void])[] = [
    ['open("nothing", 0): expected success, got ENOENT', (script) => script.ok('open', 'nothing', O.RDONLY)],
    ['mkdir("d", 493=0755): expected EEXIST or EPERM, got 0', (script) => script.fails(['EEXIST', 'EPERM'], 'mkdir', 'd', 0o755)],
    ['expected mode 0700, got kind directory, mode 0755', (script) => script.stat('.', { mode: 0o700 })],
    ['as 65534:65534: expected success, got EACCES', (script) => script.as(alice).ok('mkdir', 'd', 0o755)],
    ['list("."): expected ["a"], got []', (script) => script.lists(['a'], 'list', '.')],
    ['It is not so that two is one', (script) => script.check('two is one', () => false)],
    ['It cannot be told whether it is there', (script) => script.check('it is there', () => script.try('lstat', 'x').stat.size === 0)],
    ['in the process "second": expected 3, got 2', (script) => {
      script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
      script.on('second').returns(3, 'write', 'f', 'xx')
    }],
  ]
  test.each(cases)('tells: %s', async (wanted, note) => {
    expect(await faultsOf(note)).toContain(wanted)
  })

  test('counts everything that was expected, and is silent when all of it came', async () => {
    const script = new Script(() => Promise.resolve(agent))
    script.make('regular', 'f', { uid: 5 })
    script.stat('f', { uid: 5 })
    script.check('one is one', () => true)
    await script.run()
    script.finish()
    expect(script.checkCount).toBe(4)
  })
})

describe('an agent', () => {
  test('puts on a credential for one call, and takes it off', async () => {
    writeFileSync(path.join(directory, 'f'), 'x', { mode: 0o600 })
    expect(await agent.attempt(alice, 'open', 'f', O.RDONLY)).toEqual({ value: -1, error: 'EACCES' })
    expect(await agent.attempt(undefined, 'open', 'f', O.RDONLY)).toEqual({ value: 0 })
    expect(await agent.attempt({ uid: 0, gid: 0, umask: 0o70 }, 'create', 'g', 0o777)).toEqual({ value: 0 })
    expect((await agent.call('stat', 'g')).stat).toMatchObject({ mode: 0o707, uid: 0, size: 0, nlink: 1 })
  })

  test('is killed when it does not answer, and says so to everybody', async () => {
    await agent.call('mkfifo', 'p', 0o600)
    const steps = [{ call: ['open', 'p', O.RDONLY] as const }]
    await expect(agent.run(steps, { deadlineMs: 300 })).rejects.toThrow('No answer from the agent within 300 ms to [["open","p",0]]')
    await expect(agent.call('stat', '.')).rejects.toThrow('No answer')
    await agent.ended
  })

  test('that has ended says with what', async () => {
    agent.kill()
    await agent.ended
    await expect(agent.call('stat', '.')).rejects.toThrow('The agent ended with SIGKILL')
  })

  test('closes what was left open when it is asked to', async () => {
    await agent.run([{ call: ['open', '.', O.RDONLY, 0, 'd'] }], { clears: true })
    expect((await agent.attempt(undefined, 'fstat', 'd')).error).toBe('Cannot use the descriptor "d": it is not open')
  })
})
