import { expect, test } from 'vitest'
import { readArguments } from '../../../shim/command/arguments.ts'
import { defineCommand } from '../../../shim/command/command.ts'
import { exitCode } from '../../../shim/command/exit-code.ts'

const command = defineCommand({
  name: 'try',
  summary: 'Tries.',
  parameters: [
    { name: 'from', help: 'where from' },
    { name: 'to', help: 'where to', isOptional: true },
  ],
  settings: ['cache-bytes', 'deadline', 'exclude', 'delete', 'driver', 'port', 'recursive', 'force'],
  examples: [],
  run: () => Promise.resolve(exitCode.ok),
})

test('flags, parameters and defaults become values', () => {
  const { settings, parameters } = readArguments(command, ['a', '--cache-bytes', '10GiB', '--deadline=2s', '--exclude', '*.o', '--exclude', 'x,y', '--delete'], {})
  expect(parameters).toEqual(['a', undefined])
  expect(settings).toMatchObject({ 'cache-bytes': 10 * 2 ** 30, deadline: 2000, exclude: ['*.o', 'x,y'], delete: true, driver: 'linux', port: 8787, json: false })
})

test('a flag goes before the environment, the environment before the default', () => {
  const environment = { EDGEMOUNT_PORT: '9000', EDGEMOUNT_DEADLINE: '5s', EDGEMOUNT_JSON: 'yes', EDGEMOUNT_DELETE: '1', EDGEMOUNT_CACHE_BYTES: '' }
  const { settings } = readArguments(command, ['a', '--port', '9001'], environment)
  expect(settings).toMatchObject({ port: 9001, deadline: 5000, json: true, 'cache-bytes': 10 * 2 ** 30 })
  expect(settings.delete, 'what belongs to one call is not taken from the environment').toBe(false)
})

test('-r and -R are the same', () => {
  expect(readArguments(command, ['-rf', 'a'], {}).settings).toMatchObject({ recursive: true, force: true })
  expect(readArguments(command, ['-R', 'a'], {}).settings).toMatchObject({ recursive: true, force: false })
})

test('a value may look like a negative number', () => {
  expect(readArguments(command, ['--exclude', '-100', 'a'], {}).settings.exclude).toEqual(['-100'])
  expect(() => readArguments(command, ['a', '-100'], {})).toThrow("unknown option '-1'")
})

test.each([
  [['--nope', 'a'], "unknown option '--nope'"],
  [[], '<from> is missing (where from)'],
  [['a', 'b', 'c'], 'it has no place for "c"'],
  [['a', '--cache-bytes', 'much'], '(--cache-bytes)'],
  [['a', '--deadline', '5'], 'Cannot read "5": it has no unit; write 5s or 5ms (--deadline)'],
  [['a', '--deadline', '0s'], 'it must be at least 1ms (--deadline)'],
  [['a', '--cache-bytes', '10'], 'Cannot use "10": it must be at least 1MiB (--cache-bytes)'],
  [['a', '--port', '99999'], 'Cannot use "99999": it must be at most 65535 (--port)'],
  [['a', '--driver', 'windows'], 'it is none of linux, fuse-native'],
  [['a', '--port'], 'argument missing'],
  [['a', '--limit', '3'], "unknown option '--limit'"],
])('%j is refused', (words, why) => {
  expect(() => readArguments(command, words, {})).toThrow(why)
})

test('a bad value in the environment is named by its variable', () => {
  expect(() => readArguments(command, ['a'], { EDGEMOUNT_PORT: 'http' })).toThrow('(EDGEMOUNT_PORT)')
  expect(() => readArguments(command, ['a'], { EDGEMOUNT_JSON: 'maybe' })).toThrow('it is neither 1 nor 0 (EDGEMOUNT_JSON)')
})

test('--help asks for nothing else', () => {
  expect(readArguments(command, ['--help'], {}).settings.help).toBe(true)
})
