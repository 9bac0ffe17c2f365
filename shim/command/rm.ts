/** `edgemount rm`: removes a path, in one commit. Older commits keep it. */
import { codeOf, EdgemountError } from '../../shared/error.ts'
import { rootPath } from '../../shared/path.ts'
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { refusePinned } from './open.ts'
import { withVolume } from './session.ts'
import { jsonText } from './terminal.ts'

export const rmCommand = defineCommand({
  name: 'rm',
  summary: 'Remove a file or directory from a volume.',
  parameters: [{ name: 'volume path', help: 'what to remove' }],
  settings: ['recursive', 'force', 'message', 'author'],
  details: 'Older commits keep what was there: `edgemount ls <volume>@<seq>` still shows it.',
  examples: [
    ['edgemount rm dir:./data/photos/blurred.jpg', 'One file.'],
    ['edgemount rm -R http://127.0.0.1:8787/photos/2019', 'A directory with everything in it.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    return await withVolume(required(call, 0), call, async ({ volume, snapshot, place }) => {
      refusePinned(place, 'remove from')
      if (place.path === rootPath) throw new EdgemountError('invalid', `Cannot remove "/" of "${place.volume}": that is the volume; name what is in it`)
      const entry = await snapshot.resolve(place.path, { signal: terminal.signal }).catch((error: unknown) => {
        if (settings.force && codeOf(error) === 'not-found') return undefined
        throw error
      })
      if (entry === undefined) return exitCode.ok
      const isDirectory = entry.kind === 'directory'
      const isEmpty = entry.content.kind === 'tree' && entry.content.root.entryCount === 0
      if (isDirectory && !isEmpty && !settings.recursive) throw new EdgemountError('conflict', `Cannot remove "${place.path}": the directory is not empty. With -R it goes with everything in it`)
      const { seq } = await volume.writer().commit([isDirectory ? { op: 'rmdir', path: place.path, recursive: true } : { op: 'unlink', path: place.path }], {
        base: snapshot,
        message: settings.message,
        signal: terminal.signal,
      })
      if (settings.json) await terminal.output.write(jsonText({ removed: place.path, seq }, terminal.output))
      else if (!settings.quiet) await terminal.remarks.write(`Removed ${place.path} (commit ${seq}).\n`)
      return exitCode.ok
    })
  },
})
