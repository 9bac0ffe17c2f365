/** Temporary directories that are gone when the test is over. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'

/** For use inside a test: the directory is removed when that test ends. */
export async function tempDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgemount-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
