import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { commands } from '../../../shim/command/commands.ts'
import { commonSettings } from '../../../shim/command/command.ts'
import { exitCode } from '../../../shim/command/exit-code.ts'
import { helpOfAll, helpOfCommand, readmeCommands, readmeExitCodes, readmeSettings } from '../../../shim/command/help.ts'
import { environmentName, settingNames, settingOf } from '../../../shim/config.ts'

const readme = await readFile(resolve(import.meta.dirname, '../../../README.md'), 'utf8')

test('README.md has the table of commands as it is', () => {
  expect(readme).toContain(readmeCommands(commands))
})

test('README.md has the table of settings as it is', () => {
  expect(readme).toContain(readmeSettings())
})

test('README.md has the table of exit codes as it is', () => {
  expect(readme).toContain(readmeExitCodes())
})

test('every setting is taken by some command', () => {
  const taken = new Set<string>([...commonSettings, ...commands.flatMap((command) => command.settings)])
  expect(settingNames.filter((name) => !taken.has(name))).toEqual([])
})

test.each(commands.map((command) => [command.name, command] as const))('%s explains itself', (name, command) => {
  const help = helpOfCommand(command)
  expect(help).toContain(`Usage: edgemount ${name} [flags]`)
  expect(help).toContain('Examples:\n  ')
  expect(command.examples.length).toBeGreaterThan(0)
  for (const setting of command.settings) expect(help).toContain(`--${setting}`)
  for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(118)
})

test('a setting that means something else to a command has no default there', () => {
  const helpOf = (name: string): string => helpOfCommand(commands.find((command) => command.name === name)!)
  expect(helpOf('mount')).toContain('default: ~/.cache/edgemount')
  expect(helpOf('serve')).not.toContain('~/.cache')
  expect(helpOf('serve')).toContain('kept in memory alone. Best on a local SSD. (environment: EDGEMOUNT_CACHE)')
})

test('flags have one short form each within a command', () => {
  for (const command of commands) {
    const shorts = [...command.settings, ...commonSettings].map((name) => settingOf(name).short).filter((short) => short !== undefined)
    expect(new Set(shorts).size, command.name).toBe(shorts.length)
  }
})

test('the overview names every command and exit code', () => {
  const help = helpOfAll(commands)
  for (const { name, summary } of commands) expect(help).toMatch(new RegExp(`^  ${name} +${summary.slice(0, 20)}`, 'm'))
  for (const code of Object.values(exitCode)) expect(help).toMatch(new RegExp(`^  ${code} +`, 'm'))
})

test('environment variables are the flags in capitals', () => {
  expect(environmentName('cache-bytes')).toBe('EDGEMOUNT_CACHE_BYTES')
  expect(environmentName('delete')).toBeUndefined()
})
