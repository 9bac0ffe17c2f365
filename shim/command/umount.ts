/** `edgemount umount`. */
import { EdgemountError } from '../../shared/error.ts'
import { systemClock } from '../../shared/clock.ts'
import { askControl } from '../control/control-client.ts'
import { socketDirectory, socketPath } from '../control/socket-directory.ts'
import { isEdgemount } from '../fuse/mount-table.ts'
import { unmount } from '../fuse/unmount.ts'
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { findMountPoint } from './mount-point.ts'
import { busyError } from './mounting.ts'
import { jsonText } from './terminal.ts'
import { userId } from './user.ts'

/** A mount may have to wait for requests under way. */
const unmountMs = 60_000

export const umountCommand = defineCommand({
  name: 'umount',
  summary: 'Unmount a folder.',
  parameters: [{ name: 'folder', help: 'where a volume is mounted' }],
  settings: ['force'],
  details: 'Asks the process of the mount, which ends cleanly; where there is none any more, the dead mount is taken away. With --force a mount in use is detached: it ends when its last file is closed.',
  examples: [
    ['edgemount umount ~/photos', ''],
    ['edgemount umount --force ~/photos', 'Although a shell stands in it.'],
  ],
  run: async ({ settings, parameters, terminal }) => {
    const text = required({ parameters }, 0)
    const { directory, mounted } = await findMountPoint(text)
    const socket = socketPath(socketDirectory(terminal.environment, userId()), directory)
    const asked = await askControl(systemClock, socket, { command: 'umount', isForced: settings.force }, unmountMs)
    if (asked === undefined) {
      if (mounted === undefined || !isEdgemount(mounted)) throw new EdgemountError('not-found', `Cannot unmount "${text}": nothing of edgemount is mounted there. See: edgemount status`)
      const result = await unmount(directory, { isLazy: settings.force })
      if (result === 'busy') throw busyError(directory)
    }
    if (settings.json) await terminal.output.write(jsonText({ directory }, terminal.output))
    else if (!settings.quiet) await terminal.remarks.write(`Unmounted ${directory}.\n`)
    return exitCode.ok
  },
})
