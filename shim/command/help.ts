/**
 * `--help`, for all commands and for one, and the two tables of README.md that say the same.
 */
import { environmentName, settingNames, settingOf, unitOfKind, type SettingName } from '../config.ts'
import { settingsOf } from './arguments.ts'
import type { Command } from './command.ts'
import { exitCodeHelp } from './exit-code.ts'
import { writeBytes, writeDuration } from './quantity.ts'

const columnsMax = 110

export function usageLine(command: Command): string {
  const parameters = command.parameters.map((parameter) => (parameter.isOptional === true ? `[<${parameter.name}>]` : `<${parameter.name}>`))
  return ['edgemount', command.name, '[flags]', ...parameters].join(' ')
}

export function helpOfCommand(command: Command): string {
  const parts = [`${command.summary}\n\nUsage: ${usageLine(command)}`]
  if (command.parameters.length > 0) parts.push(rows(command.parameters.map((parameter) => [`<${parameter.name}>`, parameter.help])))
  if (command.details !== undefined) parts.push(wrap(command.details, 0))
  parts.push(`Flags:\n${rows(settingsOf(command).map((name) => [flagOf(name), flagHelp(name, command.ownHelp?.[name])]))}`)
  parts.push(`Examples:\n${command.examples.map(([line, meaning]) => `  ${line}\n      ${meaning}`).join('\n')}`)
  return `${parts.join('\n\n')}\n`
}

export function helpOfAll(commands: readonly Command[]): string {
  return `${[
    'edgemount: mount object storage as a local folder, and serve the same files at the edge.\n\nUsage: edgemount <command> [flags] …',
    `Commands:\n${rows(commands.map((command) => [command.name, command.summary]))}`,
    wrap(
      'A <volume path> is <source>/<volume>[@<seq>][/<path>]: the source is the URL of an edge (http://127.0.0.1:8787) or a store (dir:./data); "@12" is the volume as commit 12 left it.',
      0,
    ),
    `Exit codes:\n${rows(Object.entries(exitCodeHelp))}`,
    'edgemount <command> --help says more, with examples; edgemount --version says which edgemount this is.',
  ].join('\n\n')}\n`
}

export function readmeCommands(commands: readonly Command[]): string {
  const lines = commands.map((command) => tableLine([`\`${usageLine(command).replace(' [flags]', '')}\``, command.summary]))
  return [tableLine(['command', 'what it does']), tableLine(['---', '---']), ...lines].join('\n')
}

export function readmeSettings(): string {
  const lines = settingNames.map((name) => {
    const variable = environmentName(name)
    return tableLine([`\`${flagOf(name)}\``, variable === undefined ? '' : `\`${variable}\``, unitOfKind[settingOf(name).kind], defaultOf(name), settingOf(name).help])
  })
  return [tableLine(['flag', 'environment', 'unit', 'default', 'meaning']), tableLine(['---', '---', '---', '---', '---']), ...lines].join('\n')
}

export function readmeExitCodes(): string {
  const lines = Object.entries(exitCodeHelp).map(([code, meaning]) => tableLine([code, meaning]))
  return [tableLine(['code', 'meaning']), tableLine(['---', '---']), ...lines].join('\n')
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function flagOf(name: SettingName): string {
  const setting = settingOf(name)
  const value = setting.kind === 'flag' ? '' : ` ${setting.value ?? setting.choices?.join('|') ?? `<${setting.kind}>`}`
  return `${setting.short === undefined ? '' : `-${setting.short}, `}--${name}${value}`
}

function flagHelp(name: SettingName, ownHelp: string | undefined): string {
  const variable = environmentName(name)
  const byDefault = ownHelp === undefined ? defaultOf(name) : ''
  const notes = [byDefault === '' ? '' : `default: ${byDefault}`, variable === undefined ? '' : `environment: ${variable}`].filter((note) => note !== '')
  const help = ownHelp ?? settingOf(name).help
  return notes.length === 0 ? help : `${help} (${notes.join('; ')})`
}

function defaultOf(name: SettingName): string {
  const setting = settingOf(name)
  if (setting.defaultText !== undefined) return setting.defaultText
  if (setting.default === undefined || typeof setting.default === 'boolean') return ''
  if (setting.kind === 'bytes') return writeBytes(Number(setting.default))
  if (setting.kind === 'duration') return writeDuration(Number(setting.default))
  return String(setting.default)
}

/** Two columns, the second wrapped; a long first cell has a line of its own. */
function rows(cells: readonly (readonly [string, string])[]): string {
  const width = Math.min(26, Math.max(...cells.map(([first]) => first.length)))
  return cells
    .map(([first, second]) => {
      const text = wrap(second, width + 4)
      return first.length > width ? `  ${first}\n${' '.repeat(width + 4)}${text}` : `  ${first.padEnd(width)}  ${text}`
    })
    .join('\n')
}

/** Breaks text between words; lines after the first are indented by `indent`. */
function wrap(text: string, indent: number): string {
  let out = ''
  let column = indent
  for (const word of text.split(' ')) {
    if (out === '') {
      out = word
      column += word.length
    } else if (column + 1 + word.length > columnsMax) {
      out += `\n${' '.repeat(indent)}${word}`
      column = indent + word.length
    } else {
      out += ` ${word}`
      column += 1 + word.length
    }
  }
  return out
}
