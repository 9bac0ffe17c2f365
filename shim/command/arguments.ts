/**
 * From words to values: reads a command's flags, its parameters and the environment by the table of `config.ts`.
 */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import { environmentName, isSettings, settingNames, settingOf, type Setting, type SettingKind, type SettingName, type Settings } from '../config.ts'
import { commonSettings, type Command } from './command.ts'
import { parseBytes, parseCount, parseDuration, writeBytes, writeDuration } from './quantity.ts'

type Environment = Readonly<Record<string, string | undefined>>
type Value = boolean | number | string | readonly string[] | undefined

export interface Arguments {
  readonly settings: Settings
  readonly parameters: readonly (string | undefined)[]
}

/** A call that cannot be right. `run.ts` adds where to look. */
export class UsageError extends EdgemountError {
  constructor(message: string) {
    super('invalid', message)
    this.name = 'UsageError'
  }
}

/** Throws a `UsageError` that names the first fault. */
export function readArguments(command: Command, words: readonly string[], environment: Environment): Arguments {
  const { values, positionals } = parseWords(command, words)
  const settings: Record<string, unknown> = Object.fromEntries(settingNames.map((name) => [name, valueOf(name, values[name], environment)]))
  if (!isSettings(settings)) throw new EdgemountError('internal', 'Cannot read the settings: one is missing')
  if (!settings.help) checkParameters(command, positionals)
  return { settings, parameters: command.parameters.map((_, index) => positionals[index]) }
}

/** The settings a command takes, its own first. */
export function settingsOf(command: Command): readonly SettingName[] {
  return [...command.settings, ...commonSettings.filter((name) => command.without?.includes(name) !== true)]
}

function parseWords(command: Command, words: readonly string[]): { values: Readonly<Record<string, unknown>>; positionals: readonly string[] } {
  const options: ParseArgsOptionsConfig = {}
  for (const name of settingsOf(command)) {
    const setting = settingOf(name)
    options[name] = {
      type: setting.kind === 'flag' ? 'boolean' : 'string',
      ...(setting.kind === 'list' ? { multiple: true } : {}),
      ...(setting.short === undefined ? {} : { short: setting.short }),
    }
  }
  try {
    return parseArgs({ args: withNumbersJoined(words.map(withCapitalR), options), options, allowPositionals: true, allowNegative: true })
  } catch (error) {
    throw new UsageError(`Cannot run "edgemount ${command.name}": ${sentenceOf(error)}`)
  }
}

/** `ls -R` and `rm -r` are what fingers type: in a group of short flags both mean `--recursive`. */
function withCapitalR(word: string): string {
  return /^-[A-Za-z]+$/.test(word) ? word.replace('r', 'R') : word
}

/** `--range -100`: a value, though it looks like a flag. */
function withNumbersJoined(words: readonly string[], options: ParseArgsOptionsConfig): string[] {
  const joined: string[] = []
  for (const word of words) {
    const last = joined.at(-1) ?? ''
    if (/^-\d/.test(word) && options[last.replace(/^--/, '')]?.type === 'string') joined[joined.length - 1] = `${last}=${word}`
    else joined.push(word)
  }
  return joined
}

/** parseArgs explains itself at length ("To specify a positional argument starting with …"); its first sentence is enough. */
function sentenceOf(error: unknown): string {
  const message = messageOf(error)
  const first = message.split(/\. |\n/)[0] ?? message
  return first.charAt(0).toLowerCase() + first.slice(1)
}

function checkParameters(command: Command, positionals: readonly string[]): void {
  const missing = command.parameters.find((parameter, index) => parameter.isOptional !== true && (positionals[index] ?? '') === '')
  if (missing !== undefined) throw new UsageError(`Cannot run "edgemount ${command.name}": <${missing.name}> is missing (${missing.help})`)
  const surplus = positionals[command.parameters.length]
  if (surplus !== undefined) throw new UsageError(`Cannot run "edgemount ${command.name}": it has no place for "${surplus}"`)
}

function valueOf(name: SettingName, given: unknown, environment: Environment): Value {
  const setting = settingOf(name)
  const variable = environmentName(name)
  const fromEnvironment = variable === undefined ? undefined : environment[variable]
  if (Array.isArray(given)) return given.map(String)
  if (typeof given === 'boolean') return given
  if (typeof given === 'string') return parseValue(setting, given, `--${name}`)
  if (fromEnvironment !== undefined && fromEnvironment !== '') return parseValue(setting, fromEnvironment, variable ?? name)
  return setting.kind === 'list' ? [] : setting.default
}

const parsers: Readonly<Record<SettingKind, (text: string, setting: Setting) => Value>> = {
  flag: parseFlag,
  bytes: parseBytes,
  duration: parseDuration,
  count: parseCount,
  list: (text) => text.split(','),
  text: checkChoice,
}

function parseValue(setting: Setting, text: string, where: string): Value {
  try {
    const value = parsers[setting.kind](text, setting)
    if (typeof value === 'number' && value < (setting.min ?? 0)) throw new EdgemountError('invalid', `Cannot use "${text}": it must be at least ${writeQuantity(setting.kind, setting.min ?? 0)}`)
    if (typeof value === 'number' && value > (setting.max ?? value)) throw new EdgemountError('invalid', `Cannot use "${text}": it must be at most ${writeQuantity(setting.kind, setting.max ?? value)}`)
    return value
  } catch (error) {
    throw new UsageError(`${messageOf(error)} (${where})`)
  }
}

function writeQuantity(kind: SettingKind, value: number): string {
  if (kind === 'bytes') return writeBytes(value)
  return kind === 'duration' ? writeDuration(value) : String(value)
}

function parseFlag(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off)$/i.test(text)) return false
  throw new EdgemountError('invalid', `Cannot read "${text}": it is neither 1 nor 0`)
}

function checkChoice(text: string, setting: Setting): string {
  if (setting.choices === undefined || setting.choices.includes(text)) return text
  throw new EdgemountError('invalid', `Cannot read "${text}": it is none of ${setting.choices.join(', ')}`)
}
