/** `edgemount import`: a folder into a volume, in one commit. */
import { compileExcludes } from '../upload/exclude.ts'
import { parseChunking } from './chunking.ts'
import { defineCommand, required } from './command.ts'
import { outcomeJson, printProblems, runImport, summaryLine } from './import-run.ts'
import { findFolder, protectedPathsFor } from './local-folder.ts'
import { refusePinned } from './open.ts'
import { withVolume } from './session.ts'
import { jsonText } from './terminal.ts'

export const importCommand = defineCommand({
  name: 'import',
  summary: 'Copy a folder into a volume, in one commit.',
  parameters: [
    { name: 'folder', help: 'what to import: the folder’s contents, not the folder itself' },
    { name: 'volume path', help: '<source>/<volume>[/<path>]; a missing volume is made' },
  ],
  settings: ['delete', 'exclude', 'checksum', 'one-file-system', 'dry-run', 'jobs', 'chunking', 'message', 'author'],
  details:
    'Modes, owners, times to the nanosecond, symbolic links, hard links, extended attributes, fifos, sockets and devices are kept. Files whose size and time are as in the volume are not read again; of changed files only new chunks are stored. Nothing is visible before the end. A file that cannot be read is reported, all others go in, and the exit code is 3. With --delete, what --exclude leaves out stays in the volume.',
  examples: [
    ['edgemount import ~/photos dir:./data/photos', 'Into the volume "photos" of the store ./data.'],
    ['edgemount import --delete --exclude node_modules --exclude "*.tmp" . http://127.0.0.1:8787/project', 'Make the volume equal to this folder, over an edge.'],
    ['edgemount import -n ~/photos dir:./data/photos/2024', 'Only say what would be done.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const folder = await findFolder(required(call, 0))
    const chunking = parseChunking(settings.chunking)
    // A pattern that cannot be must not leave an empty volume behind.
    compileExcludes(settings.exclude)
    return await withVolume(
      required(call, 1),
      call,
      async (opened) => {
        const { place, wasCreated } = opened
        refusePinned(place, 'import into')
        if (wasCreated && !settings.json && !settings.quiet) await terminal.remarks.write(`Created the volume "${place.volume}" in ${place.source}.\n`)
        const outcome = await runImport({ opened, folder, protectedPaths: await protectedPathsFor(place.source), settings, terminal })
        if (settings.json) {
          await terminal.output.write(jsonText(outcomeJson(outcome, place.volume, place.path), terminal.output))
          return outcome.code
        }
        await printProblems(outcome.report.problems, terminal)
        for (const { path, keptAs } of outcome.conflicts) await terminal.remarks.write(`Conflict at ${path}: somebody else changed it meanwhile; see ${keptAs}\n`)
        await terminal.output.write(`${summaryLine(outcome, place.volume, settings['dry-run'])}\n`)
        return outcome.code
      },
      { chunking },
    )
  },
})
