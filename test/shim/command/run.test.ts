import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { commands } from '../../../shim/command/commands.ts'
import { run } from '../../../shim/command/run.ts'
import { CapturedTerminal } from '../../support/captured-terminal.ts'

test.each(['--version', '-V', 'version'])('%s says which edgemount this is', async (word) => {
  const terminal = new CapturedTerminal()
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
  expect(await run(commands, [word], terminal)).toBe(0)
  expect(terminal.printed).toBe(`edgemount ${version}\n`)
  expect(version).toMatch(/^\d+\.\d+\.\d+/)
})

test('cat prints bytes, so it takes no --json', async () => {
  const terminal = new CapturedTerminal()
  expect(await run(commands, ['cat', '--json', 'memory:/v/x'], terminal)).toBe(2)
  expect(terminal.remarked).toContain("unknown option '--json'")
})

test('an unknown command is told as JSON where that was asked for', async () => {
  const missing = { error: { code: 'invalid', message: 'Cannot run "edgemount frob": there is no such command' } }
  const asked = new CapturedTerminal()
  expect(await run(commands, ['frob', '--json'], asked)).toBe(2)
  expect(JSON.parse(asked.remarked)).toEqual(missing)
  const always = new CapturedTerminal({ environment: { EDGEMOUNT_JSON: '1' } })
  expect(await run(commands, ['frob'], always)).toBe(2)
  expect(JSON.parse(always.remarked)).toEqual(missing)
})
