/** Files of a volume that a mount with an empty cache finds, and what is left of changes to them in another such mount. The oracle is the local disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { testPublished } from '../suites/posix-published.ts'
import { WritableMount } from '../support/writable-mount.ts'

testPublished('the local file system', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'edgemount-posix-'))
  return { directory, settle: () => Promise.resolve(), dispose: async () => rmSync(directory, { recursive: true, force: true }) }
})

for (const flags of [[], ['--passthrough', 'off']]) {
  testPublished(`a mounted volume${flags.length === 0 ? '' : ` with ${flags.join(' ')}`}`, async () => {
    const mount = await WritableMount.create('published', ['--allow-other', ...flags])
    return { directory: mount.folder, settle: () => mount.remount({ withEmptyCache: true }), dispose: () => mount.dispose() }
  })
}
