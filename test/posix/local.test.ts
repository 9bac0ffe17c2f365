/** The oracle: what the suite says of POSIX, the local file system says too. As root, as in every run that counts. */
import { mkdtempSync } from 'node:fs'
import { chmod, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { testPosix } from '../suites/posix.ts'

testPosix('the local file system', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'edgemount-posix-'))
  await chmod(directory, 0o755)
  return { directory, dispose: () => rm(directory, { recursive: true, force: true }) }
})
