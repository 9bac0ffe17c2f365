/**
 * The `edgemount` command in a few files instead of hundreds, for the tests that start it hundreds of times: it is there in half the time, a mount too. Made by
 * `vitest.config.ts` at each run. Tests of how it starts take the sources.
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'

/** Another run may still start an older one. */
const keptMs = 24 * 3600 * 1000
const prefix = 'test-command-'

/** Gives the file to start. It stands as deep below `root` as the sources, which find others by that. */
export async function bundleCommand(root: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    // Threads have files of their own, next to what starts them.
    entryPoints: ['shim/main.ts', 'shim/daemon/fs-thread.ts', 'shim/fuse/notify-worker.ts'],
    entryNames: '[name]',
    outExtension: { '.js': '.mjs' },
    outdir: path.join(root, 'dist/command'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    external: ['#console', '#status-page'],
    legalComments: 'none',
    write: false,
  })
  const hash = createHash('sha256')
  for (const { path: file, contents } of outputFiles) hash.update(path.basename(file)).update(contents)
  const directory = path.join(root, 'dist', `${prefix}${hash.digest('hex').slice(0, 16)}`)
  const file = path.join(directory, 'main.mjs')
  if (await isThere(file)) return file
  await mkdir(path.join(root, 'dist'), { recursive: true })
  await removeOld(path.join(root, 'dist'))
  const making = await mkdtemp(path.join(root, 'dist', `${prefix}new-`))
  for (const { path: name, contents } of outputFiles) await writeFile(path.join(making, path.basename(name)), contents)
  // Another run may have been first.
  await rename(making, directory).catch(() => rm(making, { recursive: true, force: true }))
  return file
}

async function removeOld(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(prefix)) continue
    const made = await stat(path.join(directory, name)).catch(() => undefined)
    if (made !== undefined && Date.now() - made.mtimeMs > keptMs) await rm(path.join(directory, name), { recursive: true, force: true })
  }
}

async function isThere(file: string): Promise<boolean> {
  return await stat(file).then(() => true, () => false)
}
