/** `edgemount ls`: what is in a directory of a volume. */
import { codeOf } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { baseName, childPath } from '../../shared/path.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { type Call, defineCommand, required } from './command.ts'
import { entryJson, longLine } from './entry-text.ts'
import { exitCode } from './exit-code.ts'
import { withVolume } from './session.ts'
import { isWholeSource, volumesAt } from './store-folder.ts'
import { plainText } from './terminal.ts'

/** Lines are written in portions: a write for each of a million would take longer than the listing. */
const portionCharacters = 64 * 1024

export const lsCommand = defineCommand({
  name: 'ls',
  summary: 'List a directory of a volume, or the volumes of a store or edge.',
  parameters: [{ name: 'volume path', help: 'a directory, or any other path to see just that; a store or an edge' }],
  settings: ['long', 'zero', 'recursive'],
  details: 'Names come in byte order, one on each line; a directory has a slash at its end. With -R paths are relative to the directory that was asked for. --json prints one line for each entry.',
  examples: [
    ['edgemount ls dir:./data/photos', 'The names in the root of the volume.'],
    ['edgemount ls -l http://127.0.0.1:8787/photos/2024', 'With mode, owner, size and time, over an edge.'],
    ['edgemount ls dir:./data', 'The volumes of the store ./data.'],
    ['edgemount ls -R dir:./data/photos@12', 'Everything, as commit 12 left it.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const text = required(call, 0)
    if (isWholeSource(text)) {
      await printVolumes(call, text)
      return exitCode.ok
    }
    const list = withVolume(text, call, async ({ snapshot, place }) => {
      let lines = ''
      for await (const { path, entry } of entriesAt(snapshot, place.path, settings.recursive, terminal.signal)) {
        const name = entry.kind === 'directory' ? `${path}/` : path
        const line = settings.long ? longLine(name, entry) : name
        const shown = settings.zero ? `${line}\0` : `${plainText(line, terminal.output)}\n`
        lines += settings.json ? `${JSON.stringify(entryJson(path, entry))}\n` : shown
        if (lines.length < portionCharacters) continue
        await terminal.output.write(lines)
        lines = ''
      }
      await terminal.output.write(lines)
      return exitCode.ok
    })
    return await list.catch(async (error: unknown) => {
      // It may be a store or an edge below a longer address; whatever is wrong with that, what was asked for is not there.
      if (codeOf(error) === 'not-found' && (await printVolumes(call, text).catch(() => 0)) > 0) return exitCode.ok
      throw error
    })
  },
})

/** Gives how many there are. */
async function printVolumes({ settings, terminal }: Call<never>, text: string): Promise<number> {
  let count = 0
  for await (const volume of volumesAt(text, { timeout: settings.timeout, token: settings.token, signal: terminal.signal })) {
    await terminal.output.write(settings.json ? `${JSON.stringify({ volume })}\n` : `${volume}\n`)
    count += 1
  }
  return count
}

async function* entriesAt(snapshot: Snapshot, top: string, isRecursive: boolean, signal: AbortSignal): AsyncGenerator<{ path: string; entry: Entry }> {
  const { path, entry } = await snapshot.follow(top, { signal })
  if (entry.kind !== 'directory') {
    yield { path: baseName(path), entry }
    return
  }
  if (!isRecursive) {
    let after: string | undefined
    for (let isLast = false; !isLast; ) {
      const listing = await snapshot.list(entry, { after, signal })
      for (const item of listing.items) yield { path: item.name, entry: item.entry }
      after = listing.items.at(-1)?.name
      isLast = listing.isLast
    }
    return
  }
  const skipped = childPath(path, 'x').length - 1
  for await (const found of snapshot.walk(path, { signal })) if (found.path !== path) yield { path: found.path.slice(skipped), entry: found.entry }
}
