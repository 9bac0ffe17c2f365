/** A mounted volume, as `edgemount mount` makes it: programs find there what POSIX says, as on a local disk. */
import { testPosix } from '../suites/posix.ts'
import { WritableMount } from '../support/writable-mount.ts'

testPosix('a mounted volume', async () => {
  const mount = await WritableMount.create('posix', ['--allow-other'])
  return { directory: mount.folder, isNotOn: mount.directory, dispose: () => mount.dispose() }
})
