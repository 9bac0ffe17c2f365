import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { currentProcess, formatIdentity, parseIdentity, stateOfProcess } from '../../../../edge/store/directory/process-identity.ts'

const self = currentProcess()

/** The identity of another process of this scope. */
function identityOf(pid: number): ReturnType<typeof currentProcess> {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return { ...self, pid, started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]! }
}

test('text and back', () => {
  expect(parseIdentity(formatIdentity(self))).toEqual(self)
  expect(parseIdentity('nonsense')).toBeUndefined()
  expect(parseIdentity('')).toBeUndefined()
})

test('this process is alive; the same pid with another start is gone', () => {
  expect(stateOfProcess(self, self)).toBe('alive')
  expect(stateOfProcess({ ...self, started: '1' }, self)).toBe('gone')
})

test('a child is alive while it runs and gone when it ended', async () => {
  const child = spawn('sleep', ['60'])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const identity = identityOf(child.pid!)
  expect(stateOfProcess(identity, self)).toBe('alive')
  expect(stateOfProcess({ ...identity, started: '1' }, self)).toBe('gone')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(stateOfProcess(identity, self)).toBe('gone')
})

test('a zombie is gone', async () => {
  // The shell starts a child, becomes sleep(1), and so never asks for the child's status.
  const parent = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60'])
  onTestFinished(() => {
    parent.kill('SIGKILL')
  })
  const [line] = await once(parent.stdout.setEncoding('utf8'), 'data')
  const pid = Number(line)
  await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'latin1'), { timeout: 10_000 }).toContain(') Z ')
  expect(stateOfProcess(identityOf(pid), self)).toBe('gone')
})

test('another scope cannot be judged', () => {
  expect(stateOfProcess({ ...self, scope: 'abcdef' }, self)).toBe('unknown')
})
