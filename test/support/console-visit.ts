/**
 * A person at the console: a page of a real browser at an edge's `/`, looked at by axe-core and kept as pictures at the widths of a phone and a desk, light and dark.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Page } from 'playwright-core'

const artifacts = path.resolve(import.meta.dirname, '../artifacts')
let axe: Promise<string> | undefined

/** What axe-core finds wrong with what is shown now, as `rule: element`. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  axe ??= readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const source = await axe
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(source)
  const found: unknown = await page.evaluate(`axe.run(document).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 200))))`)
  return Array.isArray(found) ? found.map(String) : ['axe said nothing']
}

/** Four pictures, and what axe says of each. */
export async function lookAt(page: Page, name: string): Promise<readonly string[]> {
  await mkdir(artifacts, { recursive: true })
  const before = page.viewportSize()
  const found: string[] = []
  for (const [width, size] of [['desktop', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }]] as const) {
    await page.setViewportSize(size)
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
      found.push(...(await violationsOf(page)).map((text) => `${name} ${width} ${scheme} ${text}`))
      await page.screenshot({ path: path.join(artifacts, `${name}-${width}-${scheme}.png`) })
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  if (before !== null) await page.setViewportSize(before)
  return found
}
