/** `edgemount mkdir`: an empty directory in a volume, in one commit. */
import { EdgemountError } from '../../shared/error.ts'
import { rootPath } from '../../shared/path.ts'
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { refusePinned } from './open.ts'
import { withVolume } from './session.ts'
import { jsonText } from './terminal.ts'

export const mkdirCommand = defineCommand({
  name: 'mkdir',
  summary: 'Make a directory in a volume.',
  parameters: [{ name: 'volume path', help: 'the directory to make' }],
  settings: ['parents', 'message', 'author'],
  details: 'With --parents missing directories above it are made too, and one that is there already is fine.',
  examples: [
    ['edgemount mkdir dir:./data/photos/2025', 'One directory.'],
    ['edgemount mkdir -p http://127.0.0.1:8787/photos/2025/june', 'With all on the way.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    return await withVolume(required(call, 0), call, async ({ volume, snapshot, place: { path, ...place } }) => {
      refusePinned({ path, ...place }, 'write to')
      if (path === rootPath) throw new EdgemountError('conflict', `Cannot make "/" of "${place.volume}": it is there already; name a directory in it`)
      const { seq } = await volume.writer().commit([{ op: 'mkdir', path, parents: settings.parents }], {
        base: snapshot,
        message: settings.message,
        signal: terminal.signal,
      })
      if (settings.json) await terminal.output.write(jsonText({ path, seq }, terminal.output))
      else if (!settings.quiet) await terminal.remarks.write(`Made ${path} (commit ${seq}).\n`)
      return exitCode.ok
    })
  },
})
