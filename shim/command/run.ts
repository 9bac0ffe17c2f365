/**
 * Runs one call of `edgemount`: finds the command, reads its words, and turns how it ended into an exit code and, when it
 * failed, one sentence on standard error. Nothing thrown gets past here.
 */
import { codeOf, messageOf } from '../../shared/error.ts'
import { RemoteError } from '../../shared/wire/connection.ts'
import { withoutTokens } from '../../shared/wire/token.ts'
import type { Settings } from '../config.ts'
import { readArguments, UsageError } from './arguments.ts'
import type { Command } from './command.ts'
import { exitCode, exitCodeOf, type ExitCode } from './exit-code.ts'
import { helpOfAll, helpOfCommand } from './help.ts'
import { jsonText, plainText, type Terminal } from './terminal.ts'
import { versionText } from './version.ts'

export async function run(commands: readonly Command[], words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = words
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return await help(commands, rest[0], terminal)
  if (name === '--version' || name === '-V' || name === 'version') return await version(words, terminal)
  const command = commands.find((each) => each.name === name)
  if (command === undefined) {
    await report(terminal, new UsageError(`Cannot run "edgemount ${name}": there is no such command`), wantsJson(words, terminal), 'See: edgemount --help')
    return exitCode.usage
  }
  return await runCommand(command, rest, terminal)
}

async function runCommand(command: Command, words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let settings: Settings | undefined
  try {
    const parsed = readArguments(command, words, terminal.environment)
    settings = parsed.settings
    if (settings.help) {
      await terminal.output.write(helpOfCommand(command))
      return exitCode.ok
    }
    return await command.run({ ...parsed, terminal })
  } catch (error) {
    if (terminal.signal.aborted && codeOf(error) === 'aborted') {
      await report(terminal, error, settings?.json === true, '')
      return exitCode.interrupted
    }
    await report(terminal, error, settings?.json ?? wantsJson(words, terminal), hintFor(error, command, settings))
    return exitCodeOf(error)
  }
}

function hintFor(error: unknown, command: Command, settings: Settings | undefined): string {
  if (error instanceof UsageError) return `See: edgemount ${command.name} --help`
  const isAsked = isUnauthorized(error) && (settings?.token ?? '') === ''
  return isAsked ? 'Set EDGEMOUNT_TOKEN to a token for this edge, or give --token; who runs the edge makes one with: edgemount token create' : ''
}

/** An edge wants a token, or another one. */
function isUnauthorized(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof RemoteError && cause.status === 401) return true
  return false
}

/** What can be known of it before the words are read, or when they cannot be. */
function wantsJson(words: readonly string[], { environment }: Terminal): boolean {
  return words.includes('--json') || /^(1|true|yes|on)$/i.test(environment['EDGEMOUNT_JSON'] ?? '')
}

async function version(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const text = versionText()
  await terminal.output.write(wantsJson(words, terminal) ? jsonText({ version: text }, terminal.output) : `edgemount ${text}\n`)
  return exitCode.ok
}

async function help(commands: readonly Command[], name: string | undefined, terminal: Terminal): Promise<ExitCode> {
  const command = commands.find((each) => each.name === name)
  await terminal.output.write(command === undefined ? helpOfAll(commands) : helpOfCommand(command))
  return exitCode.ok
}

async function report(terminal: Terminal, error: unknown, isJson: boolean, hint: string): Promise<void> {
  const code = codeOf(error)
  const message = withoutTokens(messageOf(error))
  if (isJson) {
    await terminal.remarks.write(`${JSON.stringify({ error: { code, message } })}\n`)
    return
  }
  // A bug has no sentence for people: its trace is what helps.
  const trace = code === 'internal' && error instanceof Error && error.stack !== undefined ? withoutTokens(error.stack) : message
  await terminal.remarks.write(`${plainText(message, terminal.remarks) === message ? trace : plainText(message, terminal.remarks)}\n${hint === '' ? '' : `${hint}\n`}`)
}
