/** `edgemount diff`: what changed between two commits of a volume. */
import { EdgemountError } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { childPath } from '../../shared/path.ts'
import { diffSnapshots, type Difference } from '../../shared/volume/diff.ts'
import { isSameContent } from '../../shared/volume/merge.ts'
import { defineCommand, required } from './command.ts'
import { entryJson } from './entry-text.ts'
import { exitCode } from './exit-code.ts'
import { parseCount } from './quantity.ts'
import { withVolume } from './session.ts'
import { plainText } from './terminal.ts'

type Change = 'added' | 'removed' | 'content' | 'attributes'

const signs: Readonly<Record<Change, string>> = { added: '+', removed: '-', content: '~', attributes: '.' }

export const diffCommand = defineCommand({
  name: 'diff',
  summary: 'Say what changed between two commits of a volume.',
  parameters: [
    { name: 'volume', help: '<source>/<volume>' },
    { name: 'seqA', help: 'the older commit; 1 is the empty volume' },
    { name: 'seqB', help: 'the newer commit; the newest unless given', isOptional: true },
  ],
  settings: [],
  details:
    'Each line is a sign and a path: "+" added, "-" removed, "~" other content, "." other mode, owner, time or attributes. Directories that are the same on both sides are skipped unread. Files with several names are told as "inode <id>". --json prints one line for each.',
  examples: [
    ['edgemount diff dir:./data/photos 11 12', 'What commit 12 did.'],
    ['edgemount diff --json http://127.0.0.1:8787/photos 1', 'Everything since the beginning.'],
  ],
  run: async (call) => {
    const { terminal, settings } = call
    return await withVolume(required(call, 0), call, async ({ volume, snapshot }) => {
      const last = call.parameters[2]
      const a = await volume.at(seqOf(required(call, 1)), { signal: terminal.signal })
      const b = last === undefined ? snapshot : await volume.at(seqOf(last), { signal: terminal.signal })
      for await (const difference of diffSnapshots(a, b, { signal: terminal.signal, isDeep: true })) {
        const change = changeOf(difference.before, difference.after)
        if (change === undefined) continue
        const path = pathOf(difference)
        await terminal.output.write(settings.json ? `${JSON.stringify({ change, ...sidesOf(path, difference) })}\n` : `${signs[change]} ${plainText(path, terminal.output)}\n`)
      }
      return exitCode.ok
    })
  },
})

function seqOf(text: string): number {
  const seq = parseCount(text.replace(/^@/, ''))
  if (seq > 0) return seq
  throw new EdgemountError('invalid', `Cannot compare commit "${text}": commits count from 1`)
}

function pathOf(difference: Difference): string {
  if (difference.kind === 'root') return '/'
  return difference.kind === 'inode' ? `inode ${difference.id}` : childPath(difference.directoryPath, difference.name)
}

/** Undefined for a directory that only has changed names in it: those are told themselves. */
function changeOf(before: Entry | undefined, after: Entry | undefined): Change | undefined {
  if (before === undefined) return 'added'
  if (after === undefined) return 'removed'
  if (before.kind !== after.kind) return 'content'
  if (!isSameContent(before.content, after.content)) return 'content'
  if (before.kind !== 'directory') return 'attributes'
  return before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid || before.id !== after.id ? 'attributes' : undefined
}

function sidesOf(path: string, { before, after }: Difference): Readonly<Record<string, unknown>> {
  return {
    path,
    ...(before === undefined ? {} : { before: entryJson(path, before) }),
    ...(after === undefined ? {} : { after: entryJson(path, after) }),
  }
}
