/** `edgemount log`: the commits of a volume. */
import { EdgemountError } from '../../shared/error.ts'
import type { CommitRecord } from '../../shared/format/commit.ts'
import type { CommitOperation } from '../../shared/format/commit-operation.ts'
import { rootPath } from '../../shared/path.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { counted } from './quantity.ts'
import { withVolume } from './session.ts'
import { plainText } from './terminal.ts'

export const logCommand = defineCommand({
  name: 'log',
  summary: 'List the commits of a volume, the newest first.',
  parameters: [{ name: 'volume', help: '<source>/<volume>, or <volume>@<seq> to begin there' }],
  settings: ['limit', 'follow'],
  details: '--json prints one line for each commit, with its operations where the record holds them.',
  examples: [
    ['edgemount log dir:./data/photos', 'All commits.'],
    ['edgemount log --limit 5 --json http://127.0.0.1:8787/photos', 'The last five, for a script.'],
    ['edgemount log --follow dir:./data/photos', 'New commits as they come, until Ctrl-C.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    return await withVolume(required(call, 0), call, async ({ volume, snapshot, place }) => {
      if (place.path !== rootPath) throw new EdgemountError('unsupported', `Cannot list the commits of "${place.path}": the log is that of the whole volume "${place.volume}"; what a commit did tells: edgemount diff`)
      const print = async (record: CommitRecord): Promise<void> => {
        await terminal.output.write(settings.json ? `${JSON.stringify(recordJson(record))}\n` : `${plainText(recordLine(record), terminal.output)}\n`)
      }
      if (settings.follow) {
        for await (const record of volume.follow({ after: snapshot.seq, signal: terminal.signal })) await print(record)
      }
      for await (const record of backwards(volume, snapshot.record, settings.limit ?? Infinity, terminal.signal)) await print(record)
      return exitCode.ok
    })
  },
})

async function* backwards(volume: Volume, newest: CommitRecord, limit: number, signal: AbortSignal): AsyncGenerator<CommitRecord> {
  if (limit === 0) return
  yield newest
  for (let seq = newest.seq - 1, count = 1; seq >= 1 && count < limit; seq -= 1, count += 1) yield (await volume.at(seq, { signal })).record
}

function recordLine(record: CommitRecord): string {
  const { seq, time, author, message, operations, operationPages } = record
  const what = operationPages === undefined ? summaryOf(operations) : 'many operations'
  return `${String(seq).padStart(6)}  ${new Date(time).toISOString().slice(0, 19).replace('T', ' ')}Z  ${author}  ${what}${message === undefined ? '' : `  ${JSON.stringify(message)}`}`
}

/** One operation is told whole, several by their counts. */
function summaryOf(operations: readonly CommitOperation[]): string {
  const [first] = operations
  if (first === undefined) return 'empty'
  if (operations.length === 1) return `${first.op} ${first.path}${first.to === undefined ? '' : ` -> ${first.to}`}`
  const counts = new Map<string, number>()
  for (const { op } of operations) counts.set(op, (counts.get(op) ?? 0) + 1)
  return [...counts].map(([op, count]) => counted(count, op)).join(', ')
}

function recordJson(record: CommitRecord): Readonly<Record<string, unknown>> {
  const { seq, parent, time, author, message, operations, operationPages } = record
  return {
    seq,
    parent: parent ?? null,
    time: new Date(time).toISOString(),
    author,
    ...(message === undefined ? {} : { message }),
    ...(operationPages === undefined ? { operations } : { operationPages: operationPages.length }),
  }
}
