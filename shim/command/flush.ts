/** `edgemount flush`: publishes what a mount has written. */
import { closeSync, constants, openSync } from 'node:fs'
import { getSystemErrorName } from 'node:util'
import { untilAborted } from '../../shared/abort.ts'
import { systemClock } from '../../shared/clock.ts'
import { codeOf, EdgemountError, messageOf } from '../../shared/error.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import { listOf, numberOf, textOf } from './answer-field.ts'
import { askPatiently, askStatus } from './ask-mount.ts'
import { defineCommand, required } from './command.ts'
import { syncFileSystem } from '../sys/sync-file-system.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { leftOf } from './left.ts'
import { findMountPoint } from './mount-point.ts'
import { jsonText, plainText, type Terminal } from './terminal.ts'

export const flushCommand = defineCommand({
  name: 'flush',
  summary: 'Publish what was written to a mount, and wait for it.',
  parameters: [{ name: 'folder', help: 'where a volume is mounted' }],
  without: ['token'],
  settings: ['wait'],
  details:
    'Ends when everything that was written before is in the volume. When the store is away it says so, with exit code 7; everything is kept on this machine then, and published when the store is back. A file that keeps changing while it is read is named, all others are published, and the exit code is 3. --wait says for how long to try; else it is tried as long as it gets on.',
  examples: [
    ['edgemount flush ~/photos', 'Before this machine goes away.'],
    ['edgemount flush --wait 5m --json ~/photos', 'For five minutes at most, from a script.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const text = required(call, 0)
    const { directory } = await findMountPoint(text)
    try {
      await writeBack(directory, settings.wait, terminal.signal)
      const asked = await askPatiently(directory, { command: 'flush', waitMs: settings.wait }, call)
      if (asked === undefined) throw new EdgemountError('not-found', `Cannot flush "${text}": no mount of this user answers there. See: edgemount status`)
      if (settings.json) await terminal.output.write(jsonText({ directory, seq: numberOf(asked.answer, 'seq'), leftOut: [] }, terminal.output))
      else if (!settings.quiet) await terminal.remarks.write(`Everything is published (commit ${numberOf(asked.answer, 'seq')}).\n`)
      return exitCode.ok
    } catch (error) {
      if (codeOf(error) === 'aborted') throw new EdgemountError('aborted', `${messageOf(error)}. The mount goes on publishing by itself`)
      if (codeOf(error) !== 'unavailable') throw error
      return await tellLeftOut(directory, terminal, settings.json, error)
    }
  },
})

/** Where the kernel gathers writes (mounts of who is not root) it is asked to give them to the mount first. */
async function writeBack(directory: string, waitMs: number | undefined, signal: AbortSignal): Promise<void> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const written = (ended: AbortSignal): Promise<number> => untilAborted(syncFileSystem(fd), ended)
    const code = await (waitMs === undefined ? written(signal) : withDeadline(systemClock, waitMs, `write the kernel's pages to "${directory}"`, signal, written))
    if (code < 0) throw new EdgemountError('unavailable', `Cannot flush "${directory}": the kernel could not write its pages to the mount (${getSystemErrorName(code)})`)
  } finally {
    closeSync(fd)
  }
}

interface LeftOut {
  readonly path: string
  readonly why: string
}

/** Throws the error when it is not about single files. */
async function tellLeftOut(directory: string, terminal: Terminal, isJson: boolean, error: unknown): Promise<ExitCode> {
  const status = await askStatus(directory, terminal).catch(() => undefined)
  const leftOut = leftOutOf(status)
  if (leftOut.length === 0 || leftOf(status)?.error !== undefined) throw error
  if (isJson) await terminal.output.write(jsonText({ directory, seq: numberOf(status, 'seq'), leftOut }, terminal.output))
  else for (const { path, why } of leftOut) await terminal.remarks.write(`${plainText(`Cannot publish "${path}": ${why}`, terminal.remarks)}\n`)
  return exitCode.partly
}

/** Files that the last round could not publish. */
export function leftOutOf(status: unknown): readonly LeftOut[] {
  return listOf(fieldOf(status, 'publishing'), 'leftOut').map((each) => ({ path: textOf(each, 'path') ?? '?', why: textOf(each, 'why') ?? '?' }))
}
