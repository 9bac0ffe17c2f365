/** `edgemount stat`: everything a volume knows of one path. */
import type { Entry, Hash } from '../../shared/format/entry.ts'
import { contentVersionOf } from '../../shared/format/entry-codec.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { formatTime } from '../../shared/wire/messages.ts'
import { nodeHash } from '../sys/node-hash.ts'
import { defineCommand, required } from './command.ts'
import { entryJson, modeText } from './entry-text.ts'
import { exitCode } from './exit-code.ts'
import { counted, formatBytes } from './quantity.ts'
import { withVolume } from './session.ts'
import { jsonText, plainText } from './terminal.ts'

export const statCommand = defineCommand({
  name: 'stat',
  summary: 'Say everything about one path of a volume.',
  parameters: [{ name: 'volume path', help: 'symbolic links at its end are not followed' }],
  settings: [],
  examples: [['edgemount stat dir:./data/photos/2024/beach.jpg', 'Kind, size, mode, owner, times, chunks, content version.']],
  run: async (call) =>
    await withVolume(required(call, 0), call, async ({ snapshot, place }) => {
      const { output, signal } = call.terminal
      const entry = await snapshot.resolve(place.path, { signal })
      const version = entry.kind === 'file' ? await contentVersionOf(entry, nodeHash) : undefined
      const chunkCount = entry.kind === 'file' ? await countChunks(snapshot, entry, signal) : 0
      if (call.settings.json) {
        await output.write(jsonText({ seq: snapshot.seq, ...entryJson(place.path, entry, version), ...(entry.kind === 'file' ? { chunks: chunkCount } : {}) }, output))
      } else {
        await output.write(plainLines({ path: place.path, seq: snapshot.seq, entry, version, chunkCount }).map((line) => `${plainText(line, output)}\n`).join(''))
      }
      return exitCode.ok
    }),
})

async function countChunks(snapshot: Snapshot, entry: Entry, signal: AbortSignal): Promise<number> {
  let count = 0
  for await (const { run } of snapshot.runs(entry, undefined, { signal })) if (run.kind === 'chunk') count += 1
  return count
}

interface Facts {
  readonly path: string
  readonly seq: number
  readonly entry: Entry
  readonly version: Hash | undefined
  readonly chunkCount: number
}

function plainLines({ path, seq, entry, version, chunkCount }: Facts): string[] {
  const { content } = entry
  const lines: [string, string][] = [
    ['path', path],
    ['commit', String(seq)],
    ['kind', entry.kind],
    ['mode', `${entry.mode.toString(8).padStart(4, '0')} ${modeText(entry)}`],
    ['owner', `uid ${entry.uid}, gid ${entry.gid}`],
    ['modified', formatTime(entry.mtime) ?? '?'],
    ['changed', formatTime(entry.ctime) ?? '?'],
    ['id', String(entry.id)],
    ['links', String(entry.linkCount)],
  ]
  if (entry.kind === 'file') {
    lines.push(['size', `${entry.size} (${formatBytes(entry.size)})`], ['stored', content.kind === 'inline' ? 'inline' : counted(chunkCount, 'chunk')])
    if (version !== undefined) lines.push(['version', version])
  }
  if (content.kind === 'target') lines.push(['target', content.target])
  if (content.kind === 'tree') lines.push(['entries', String(content.root.entryCount)])
  if (content.kind === 'device') lines.push(['device', `${content.major}, ${content.minor}`])
  for (const [name, value] of entry.xattrs) lines.push([`xattr ${name}`, `${value.length} bytes`])
  return lines.map(([name, value]) => `${name.padEnd(10)} ${value}`)
}
