/**
 * What a subcommand is: a row of the `--help` list, the settings it takes, and a function. `run.ts` calls it.
 */
import type { SettingName, Settings } from '../config.ts'
import type { ExitCode } from './exit-code.ts'
import type { Terminal } from './terminal.ts'

export interface Parameter {
  readonly name: string
  readonly help: string
  readonly isOptional?: boolean
}

export interface Call<N extends SettingName> {
  /** Only what the command lists: whoever reads another setting does not compile. */
  readonly settings: Pick<Settings, N | CommonSetting>
  /** As many as there are parameters; undefined for an optional one that was left out. */
  readonly parameters: readonly (string | undefined)[]
  readonly terminal: Terminal
}

/** What every command takes. */
export const commonSettings = ['json', 'quiet', 'timeout', 'token', 'log-level', 'log-format', 'help'] as const satisfies readonly SettingName[]
export type CommonSetting = (typeof commonSettings)[number]

export interface CommandDefinition<N extends SettingName> {
  readonly name: string
  readonly summary: string
  readonly parameters: readonly Parameter[]
  readonly settings: readonly N[]
  /** What every command takes, but this one has no use for. */
  readonly without?: readonly CommonSetting[]
  /** Of settings that mean something else to this command, and have no default then. */
  readonly ownHelp?: Readonly<Partial<Record<N, string>>>
  /** Paragraphs below the usage line. */
  readonly details?: string
  readonly examples: readonly (readonly [line: string, meaning: string])[]
  run(call: Call<N>): Promise<ExitCode>
}

export interface Command extends Omit<CommandDefinition<SettingName>, 'run'> {
  run(call: Call<SettingName>): Promise<ExitCode>
}

export function defineCommand<const N extends SettingName>(definition: CommandDefinition<N>): Command {
  return { ...definition, run: (call) => definition.run(call) }
}

/** A parameter that is not optional. */
export function required(call: { readonly parameters: readonly (string | undefined)[] }, index: number): string {
  return call.parameters[index] ?? ''
}
