/** `edgemount mv`: renames within a volume, in one commit; no bytes move. */
import { EdgemountError } from '../../shared/error.ts'
import { defineCommand, required } from './command.ts'
import { checkMove, destinationOf } from './destination.ts'
import { exitCode } from './exit-code.ts'
import { refusePinned } from './open.ts'
import { withVolume } from './session.ts'
import { jsonText } from './terminal.ts'

export const mvCommand = defineCommand({
  name: 'mv',
  summary: 'Rename or move a file or directory within a volume.',
  parameters: [
    { name: 'volume path', help: 'what to move' },
    { name: 'new volume path', help: 'where it goes; into a directory when it ends with "/" or is one' },
  ],
  settings: ['parents', 'message', 'author'],
  details: 'No bytes move. A file that is there is replaced (older commits keep it), a directory is not. With --parents missing directories on the way are made.',
  examples: [
    ['edgemount mv dir:./data/photos/beach.jpg dir:./data/photos/2024/', 'As /2024/beach.jpg.'],
    ['edgemount mv http://127.0.0.1:8787/photos/2019 http://127.0.0.1:8787/photos/old', 'A whole directory.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const { signal } = terminal
    return await withVolume(required(call, 0), call, async ({ volume, snapshot, place }) => {
      refusePinned(place, 'move in')
      const entry = await snapshot.resolve(place.path, { signal })
      return await withVolume(required(call, 1), call, async (target) => {
        refusePinned(target.place, 'move to')
        if (target.volume.config.id !== volume.config.id) {
          throw new EdgemountError('invalid', `Cannot move "${required(call, 0)}" to "${required(call, 1)}": they are two volumes. Copy it (edgemount cp), then remove it (edgemount rm)`)
        }
        const to = await destinationOf(snapshot, target.place.path, required(call, 1), place.path, signal)
        checkMove('move', place.path, entry, to, true)
        const { seq, conflicts } = await volume.writer().commit([{ op: 'rename', path: place.path, to: to.path, replace: true, parents: settings.parents }], {
          base: snapshot,
          message: settings.message,
          signal,
        })
        const path = conflicts[0]?.keptAs ?? to.path
        if (settings.json) await terminal.output.write(jsonText({ from: place.path, path, seq }, terminal.output))
        else if (!settings.quiet) await terminal.remarks.write(`Moved ${place.path} to ${path} (commit ${seq}).\n`)
        return exitCode.ok
      })
    })
  },
})
