/**
 * Builds what browsers load, from TypeScript into `dist/`: run by `npm run build`, and by npm itself after an install. The same sources give the same bytes.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build } from 'esbuild'
import type { ConsoleFile, ConsoleFiles } from './console-files.ts'

const root = path.resolve(import.meta.dirname, '..')

/** What comes out ← what goes in. A service worker's is a script, which `importScripts` takes, too. */
const bundles: Readonly<Record<string, { readonly entry: string; readonly format: 'esm' | 'iife' }>> = {
  'browser.js': { entry: 'edge/browser/volume.ts', format: 'esm' },
  'register-volume.js': { entry: 'edge/browser/service-worker/registration.ts', format: 'esm' },
  'service-worker.js': { entry: 'edge/browser/service-worker/worker.ts', format: 'iife' },
}

/** Browsers of 2024 and later: they have everything that the code uses, so nothing is filled in. */
const target = 'es2024'

export async function buildBundles(directory: string = path.join(root, 'dist')): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (const [name, { entry, format }] of Object.entries(bundles)) {
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: [entry],
      bundle: true,
      minify: true,
      format,
      platform: 'browser',
      target,
      legalComments: 'none',
      write: false,
    })
    await place(path.join(directory, name), outputFiles[0]!.contents)
  }
  for (const [name, { page, files }] of [['console.js', await buildConsole()], ['status-page.js', await buildStatusPage()]] as const) {
    await place(path.join(directory, name), `export const page = ${JSON.stringify(page)}\nexport const files = ${JSON.stringify(files)}\n`)
  }
}

const types: Readonly<Record<string, string>> = { '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' }

interface PageSources {
  readonly script: string
  readonly style: string
  readonly page: string
}

export async function buildConsole(): Promise<ConsoleFiles> {
  return await buildPage({ script: 'edge/console/main.ts', style: 'edge/console/console.css', page: 'edge/console/console.html' })
}

/** What `edgemount status --web` shows. */
export async function buildStatusPage(): Promise<ConsoleFiles> {
  return await buildPage({ script: 'edge/console/status/main.ts', style: 'edge/console/status/status.css', page: 'edge/console/status/status.html' })
}

/** A page and what it loads, each by a name that says what is in it. */
async function buildPage(sources: PageSources): Promise<ConsoleFiles> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { console: sources.script, style: sources.style },
    outdir: 'dist/console',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target,
    legalComments: 'none',
    metafile: true,
    write: false,
  })
  const files: Record<string, ConsoleFile> = {}
  for (const { path: name, text } of outputFiles) files[path.basename(name)] = { type: types[path.extname(name)] ?? 'text/plain', text }
  const icon = await readFile(path.join(root, 'edge/console/icon.svg'), 'utf8')
  const iconName = `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8)}.svg`
  files[iconName] = { type: types['.svg']!, text: icon }
  const entry = (source: string): string => path.basename(Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === source)?.[0] ?? '')
  const page = await readFile(path.join(root, sources.page), 'utf8')
  return { page: page.replace('{icon}', iconName).replace('{style}', entry(sources.style)).replace('{script}', entry(sources.script)), files }
}

/** At once: whoever reads it meanwhile gets the old one or the new one. */
async function place(file: string, contents: string | Uint8Array): Promise<void> {
  const part = `${file}.${process.pid}.part`
  await writeFile(part, contents)
  await rename(part, file)
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
