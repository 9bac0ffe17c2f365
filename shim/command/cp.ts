/** `edgemount cp`: copies within a volume, without moving a byte, or from one volume to another; in one commit. */
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { defineCommand, required } from './command.ts'
import { copyOperations } from './copy-operations.ts'
import { checkMove, destinationOf } from './destination.ts'
import { exitCode } from './exit-code.ts'
import { Meter } from './meter.ts'
import { refusePinned } from './open.ts'
import { counted, formatBytes } from './quantity.ts'
import { withVolume } from './session.ts'
import { jsonText } from './terminal.ts'

export const cpCommand = defineCommand({
  name: 'cp',
  summary: 'Copy a file or directory within a volume, or to another one.',
  parameters: [
    { name: 'volume path', help: 'what to copy; may be of an older commit (photos@12/…)' },
    { name: 'new volume path', help: 'where it goes; into a directory when it ends with "/" or is one' },
  ],
  settings: ['recursive', 'parents', 'message', 'author'],
  details:
    'Within a volume no bytes move: the copy shares the stored chunks. Modes, owners, times of change, extended attributes and hard links are kept. A file that is there is replaced (older commits keep it), a directory is not.',
  examples: [
    ['edgemount cp dir:./data/photos@12/report.pdf dir:./data/photos/report.pdf', 'Brings an old version back.'],
    ['edgemount cp -R dir:./data/photos/2019 http://127.0.0.1:8787/archive/', 'A directory into another volume.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const { signal } = terminal
    return await withVolume(required(call, 0), call, async ({ volume, snapshot, place }) => {
      const entry = await snapshot.resolve(place.path, { signal })
      if (entry.kind === 'directory' && !settings.recursive) throw new EdgemountError('invalid', `Cannot copy "${place.path}": it is a directory; with -R it is copied with everything in it`)
      return await withVolume(required(call, 1), call, async (target) => {
        refusePinned(target.place, 'copy to')
        const isSameVolume = target.volume.config.id === volume.config.id
        const to = await destinationOf(target.snapshot, target.place.path, required(call, 1), place.path === '/' ? `/${place.volume}` : place.path, signal)
        checkMove('copy', place.path, entry, to, isSameVolume && place.seq === undefined)
        const copied = { count: 0, bytes: 0 }
        const meter = new Meter(systemClock, terminal.remarks, settings.quiet || settings.json, () => `${counted(copied.count, 'entry')}, ${formatBytes(copied.bytes)}`)
        try {
          const writer = target.volume.writer()
          const operations = await copyOperations({
            snapshot,
            from: place.path,
            to: to.path,
            writer,
            isSameVolume,
            makesParents: settings.parents,
            signal,
            copied: ({ size, kind }) => {
              copied.count += 1
              if (kind === 'file') copied.bytes += size
            },
          })
          const { seq, conflicts } = await writer.commit(operations, { base: target.snapshot, message: settings.message, signal })
          await meter.stop()
          const path = conflicts.find((conflict) => conflict.path === to.path)?.keptAs ?? to.path
          if (settings.json) await terminal.output.write(jsonText({ path, count: copied.count, bytes: copied.bytes, seq }, terminal.output))
          else if (!settings.quiet) await terminal.remarks.write(`Copied ${counted(copied.count, 'entry')}, ${formatBytes(copied.bytes)}, to ${path} (commit ${seq}).\n`)
          return exitCode.ok
        } finally {
          await meter.stop()
        }
      })
    })
  },
})
