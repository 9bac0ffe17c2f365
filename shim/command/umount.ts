/** `edgemount umount`: takes a mount away, with what was written to it published, kept or thrown away. */
import { codeOf, EdgemountError, messageOf } from '../../shared/error.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import type { UmountRequest } from '../control/messages.ts'
import { isEdgemount } from '../fuse/mount-table.ts'
import { unmount } from '../fuse/unmount.ts'
import { numberOf, textOf } from './answer-field.ts'
import { askPatiently, askStatus } from './ask-mount.ts'
import { type Call, defineCommand, required } from './command.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { amountText, keptText, type Left, leftOf } from './left.ts'
import { busyError } from './mount-control.ts'
import { type FoundMount, findMountPoint } from './mount-point.ts'
import { jsonText, plainText, readLine } from './terminal.ts'

const umountSettings = ['force', 'discard', 'wait'] as const
type UmountCall = Call<(typeof umountSettings)[number]>

export const umountCommand = defineCommand({
  name: 'umount',
  summary: 'Unmount a folder.',
  parameters: [{ name: 'folder', help: 'where a volume is mounted' }],
  without: ['token'],
  settings: umountSettings,
  details:
    'Asks the process of the mount, which publishes what was written and ends cleanly; where there is none any more, the dead mount is taken away. When not everything can be published, because the store is away, or within --wait, the rest is kept in the cache on this machine, the exit code is 11, and the next mount of the volume with this cache publishes it. --discard throws it away instead: on a terminal it asks for the name of the volume, elsewhere it needs --force. With --force a mount in use is taken away: what is open there fails.',
  examples: [
    ['edgemount umount ~/photos', ''],
    ['edgemount umount --force ~/photos', 'Although a shell stands in it.'],
    ['edgemount umount --wait 0ms ~/photos', 'At once: what is not published yet is published by the next mount.'],
    ['edgemount umount --discard ~/photos', 'Without what is not published, after asking.'],
  ],
  run: async (call) => {
    const text = required(call, 0)
    const found = await findMountPoint(text)
    const left = leftOf(await askStatus(found.directory, call.terminal).catch(() => undefined))
    if (call.settings.discard && left !== undefined && left.changeCount > 0) await confirmDiscard(call, found, left)
    const request: UmountRequest = { command: 'umount', isForced: call.settings.force, discards: call.settings.discard, waitMs: call.settings.wait }
    const asked = await askPatiently(found.directory, request, call).catch((error: unknown) => {
      if (codeOf(error) !== 'aborted') throw error
      throw new EdgemountError('aborted', `${messageOf(error)}. The process of the mount goes on publishing what is left, and ends then`)
    })
    if (asked === undefined) await takeAway(call, text, found)
    return await say(call, found.directory, fieldOf(asked?.answer, 'unpublished') ?? null, call.settings.discard ? left : undefined)
  },
})

/** Throws unless whoever calls means it. */
async function confirmDiscard({ settings, terminal }: UmountCall, { directory }: FoundMount, left: Left): Promise<void> {
  const status = await askStatus(directory, terminal)
  const volume = textOf(status, 'volume')
  if (!terminal.input.isTerminal) {
    if (settings.force) return
    throw new EdgemountError('conflict', `Cannot discard ${amountText(left)}, of "${directory}": that is not published anywhere. Add --force to throw it away all the same`)
  }
  await terminal.remarks.write(`Type the name of the volume to throw away ${amountText(left)}: `)
  const typed = await readLine(terminal.input, terminal.signal)
  if (typed?.trim() === volume) return
  throw new EdgemountError('conflict', `Cannot discard ${amountText(left)}: that is not the name of the volume. Nothing was unmounted`)
}

/** Its process is gone. */
async function takeAway({ settings }: UmountCall, text: string, { directory, mounted }: FoundMount): Promise<void> {
  if (mounted === undefined || !isEdgemount(mounted)) throw new EdgemountError('not-found', `Cannot unmount "${text}": nothing of edgemount is mounted there. See: edgemount status`)
  if (settings.discard) throw new EdgemountError('unavailable', `Cannot discard what "${text}" has not published: its process is gone. Unmount it without --discard, mount the volume again, and discard it then`)
  const result = await unmount(directory, { isLazy: settings.force })
  if (result === 'busy') throw busyError(directory)
}

async function say({ settings, terminal }: UmountCall, directory: string, unpublished: unknown, discarded: Left | undefined): Promise<ExitCode> {
  const isKept = unpublished !== null
  const dropped = discarded === undefined ? null : { changeCount: discarded.changeCount, dirtyBytes: discarded.dirtyBytes }
  if (settings.json) await terminal.output.write(jsonText({ directory, unpublished, discarded: dropped }, terminal.output))
  else if (!settings.quiet) {
    const what = discarded === undefined || discarded.changeCount === 0 ? '' : `, without ${amountText(discarded)} that ${discarded.changeCount === 1 ? 'was' : 'were'} not published`
    await terminal.remarks.write(`Unmounted ${directory}${what}.\n`)
  }
  if (!isKept) return exitCode.ok
  const kept = {
    changeCount: numberOf(unpublished, 'changeCount'),
    dirtyBytes: numberOf(unpublished, 'dirtyBytes'),
    why: textOf(unpublished, 'why') ?? '?',
    directory: textOf(unpublished, 'directory'),
  }
  if (!settings.json) await terminal.remarks.write(`${plainText(keptText(kept), terminal.remarks)}\n`)
  return exitCode.kept
}
