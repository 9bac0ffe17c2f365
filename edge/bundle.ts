/**
 * Builds what browsers load, from TypeScript into `dist/`: run by `npm run build`, and by npm itself after an install. The same sources give the same bytes.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')

/** What comes out ← what goes in. */
const bundles: Readonly<Record<string, string>> = {
  'browser.js': 'edge/browser/volume.ts',
}

/** Browsers of 2024 and later: they have everything that the code uses, so nothing is filled in. */
const target = 'es2024'

export async function buildBundles(directory: string = path.join(root, 'dist')): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (const [name, entry] of Object.entries(bundles)) {
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: [entry],
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target,
      legalComments: 'none',
      write: false,
    })
    await writeFile(path.join(directory, name), outputFiles[0]!.contents)
  }
}

/** Declarations for those who write TypeScript; where the compiler is not installed, as in production, there are none. */
function buildTypes(): void {
  const compiler = path.join(root, 'node_modules/.bin/tsc')
  if (existsSync(compiler)) execFileSync(compiler, ['-p', 'edge/browser'], { cwd: root, stdio: 'inherit' })
}

if (process.argv[1] === import.meta.filename) {
  await buildBundles()
  buildTypes()
}
