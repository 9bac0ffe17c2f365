/** `edgemount cat`: the bytes of a file on standard output. */
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { parseRange } from './range-text.ts'
import { withVolume } from './session.ts'

export const catCommand = defineCommand({
  name: 'cat',
  summary: 'Print a file of a volume.',
  parameters: [{ name: 'volume path', help: 'a file; symbolic links are followed' }],
  settings: ['range'],
  without: ['json'],
  examples: [
    ['edgemount cat dir:./data/photos/readme.txt', 'The whole file.'],
    ['edgemount cat --range 0-99 http://127.0.0.1:8787/logs/today.log', 'Its first 100 bytes, read by one range request.'],
  ],
  run: async (call) =>
    await withVolume(required(call, 0), call, async ({ snapshot, place }) => {
      const { signal, output } = call.terminal
      const { path, entry } = await snapshot.follow(place.path, { signal })
      const range = parseRange(call.settings.range, entry.size)
      for await (const bytes of snapshot.read(entry, range, { label: path, signal })) await output.write(bytes)
      return exitCode.ok
    }),
})
