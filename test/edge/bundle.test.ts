/** What browsers load: that it is built, the same each time, and stays small. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { buildBundles, buildConsole } from '../../edge/bundle.ts'
import { tempDirectory } from '../support/temp-directory.ts'

test('edgemount/browser is at most 30 KB compressed, needs nothing else, and is the same each time', async () => {
  const directory = await tempDirectory()
  const build = async (name: string): Promise<string> => {
    await buildBundles(path.join(directory, name))
    return await readFile(path.join(directory, name, 'browser.js'), 'utf8')
  }
  const text = await build('first')
  expect(await build('second')).toBe(text)
  expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(30_000)
  expect(text).not.toMatch(/\bimport *["'({*]|\brequire\(|process\.env|node:/)
  expect(text).toMatch(/export\{/)
})

test('it is a module that Node can load, too', async () => {
  const directory = await tempDirectory()
  await buildBundles(directory)
  const loaded: unknown = await import(pathToFileURL(path.join(directory, 'browser.js')).href)
  expect(Object.keys(loaded as object).toSorted()).toEqual(['BrowserVolume', 'createFetch', 'openVolume'])
})

test('the service worker is a script of at most 45 KB compressed, and what registers it is small', async () => {
  const directory = await tempDirectory()
  await buildBundles(directory)
  const worker = await readFile(path.join(directory, 'service-worker.js'), 'utf8')
  expect(gzipSync(worker, { level: 9 }).length).toBeLessThanOrEqual(45_000)
  expect(worker).not.toMatch(/\b(?:import|export) *["'({*]|\brequire\(|process\.env|node:/)
  const page = await readFile(path.join(directory, 'register-volume.js'))
  expect(gzipSync(page, { level: 9 }).length).toBeLessThanOrEqual(5000)
})

test('the console is at most 80 KB compressed until somebody opens a Parquet file', async () => {
  const { page, files } = await buildConsole()
  const sizeOf = (name: string): number => gzipSync(files[name]!.text, { level: 9 }).length
  // What the page names, and what that imports at once.
  const loaded = new Set(Object.keys(files).filter((name) => page.includes(name)))
  for (const name of loaded) for (const [, other] of files[name]!.text.matchAll(/from"\.\/([^"]+)"/g)) loaded.add(other!)
  const lazy = Object.keys(files).filter((name) => !loaded.has(name))
  expect(lazy.map((name) => name.replace(/-\w+\.js$/, '')).toSorted()).toEqual(['compressions', 'parquet-view'])
  expect([...loaded].reduce((sum, name) => sum + sizeOf(name), 0)).toBeLessThanOrEqual(80_000)
  expect(Object.values(files).filter(({ text }) => /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function\(/.test(text))).toEqual([])
})
