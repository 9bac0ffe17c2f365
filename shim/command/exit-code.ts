/**
 * Exit codes: what a script learns without reading a word. README.md shows this table.
 */
import type { ErrorCode } from '../../shared/error.ts'
import { codeOf } from '../../shared/error.ts'

export const exitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  partly: 3,
  notFound: 4,
  denied: 5,
  conflict: 6,
  unavailable: 7,
  corrupt: 8,
  exhausted: 9,
  unsupported: 10,
  kept: 11,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

export const exitCodeHelp: Readonly<Record<ExitCode, string>> = {
  0: 'Done.',
  1: 'Failed, for a reason that has no code of its own.',
  2: 'The call cannot be right: an unknown flag, a missing argument, a value that is not one.',
  3: 'Partly done: some files could not be read, or changed while they were read; all others are in.',
  4: 'Not found: the folder, volume, path or mount does not exist.',
  5: 'No right to do this.',
  6: 'In the way: it exists already, is mounted, is not empty, is in use, or was changed by somebody else.',
  7: 'The edge or store cannot be reached, or took too long.',
  8: 'Stored bytes are not what their hash says, or a volume is damaged in another way.',
  9: 'No room, or a limit was reached.',
  10: 'This machine, store or build cannot do it.',
  11: 'Unmounted, but not everything is published: the rest is kept on this machine for the next mount of the volume.',
  130: 'Interrupted (Ctrl-C); nothing of it is visible in the volume.',
}

const exitCodeOfError: Readonly<Record<ErrorCode, ExitCode>> = {
  'not-found': exitCode.notFound,
  conflict: exitCode.conflict,
  stale: exitCode.conflict,
  invalid: exitCode.usage,
  denied: exitCode.denied,
  unsupported: exitCode.unsupported,
  exhausted: exitCode.exhausted,
  unavailable: exitCode.unavailable,
  corrupt: exitCode.corrupt,
  aborted: exitCode.interrupted,
  closed: exitCode.unavailable,
  internal: exitCode.failed,
}

export function exitCodeOf(error: unknown): ExitCode {
  return exitCodeOfError[codeOf(error)]
}
