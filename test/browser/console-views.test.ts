/**
 * What the console shows of each kind of content, in light and dark, on a desk and on a phone: seen by eye in `test/artifacts/`, and by axe-core here. And what stands
 * where something cannot be shown.
 */
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import { testKeys, tokenFor } from '../edge/access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../edge/edge-under-test.ts'
import { videoBytes } from '../suites/console/world.ts'
import { ConsoleBed, type ConsolePage, type Look, expectNoProblems } from '../support/console-bed.ts'
import { consoleFiles } from '../support/console-files.ts'

let edge: EdgeUnderTest
let closed: EdgeUnderTest
let bed: ConsoleBed

beforeAll(async () => {
  const console = await buildConsole()
  edge = await startEdge({ console })
  closed = await startEdge({ console, access: { keys: testKeys } })
  for (const each of [edge, closed]) await each.commit(...(await consoleFiles(each.volume)))
  await edge.commit(await fileOperation(edge.volume, '/numbers.json', '{"id":12345678901234567890,"price":1.10,"names":["a","b"],"none":{}}'), await fileOperation(edge.volume, '/none.json', '{"id":1}\n{"id":2}'))
  const partly = parquetWriteBuffer({ columnData: [{ name: 'packed', data: [1, 2], codec: 'LZO' }, { name: 'plain', data: [3, 4] }], compressors: { LZO: (bytes) => bytes } })
  await edge.commit(await fileOperation(edge.volume, '/media/video.webm', await videoBytes()), await fileOperation(edge.volume, '/data/partly.parquet', new Uint8Array(partly)))
  bed = await ConsoleBed.start(edge.url)
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
  await closed?.close()
})

const looks: readonly Look[] = [
  { width: 'desktop', scheme: 'light' },
  { width: 'desktop', scheme: 'dark' },
  { width: 'phone', scheme: 'light' },
  { width: 'phone', scheme: 'dark' },
]

/** The views, and when each is there. */
const views: readonly (readonly [name: string, fragment: string, isThere: (page: ConsolePage) => Promise<unknown>])[] = [
  ['volumes', '#/', ({ shows }) => shows('Volumes')],
  ['folder', '#/demo/', ({ page }) => page.locator('.rows .name').first().waitFor()],
  ['filtered', '#/demo/?filter=nothing%20like%20it', ({ page }) => page.getByText('No name here has all of these words.').waitFor()],
  ['empty', '#/demo/empty%20folder/', ({ page }) => page.getByText('This folder is empty.').waitFor()],
  ['past', '#/demo@2/docs/', ({ page }) => page.getByText('This is what commit 2 left.').waitFor()],
  ['upload', '#/demo/docs/?panel=upload', ({ page }) => page.locator('.drop-zone').waitFor()],
  ['details', '#/demo/README.md?panel=details', ({ page }) => page.locator('dt', { hasText: 'Content' }).waitFor()],
  ['markdown', '#/demo/README.md', ({ page }) => page.locator('article h2', { hasText: 'Read me' }).waitFor()],
  ['text', '#/demo/docs/long.log', ({ page }) => page.getByText('The first 256 KiB of 820 KiB are shown.').waitFor()],
  ['json', '#/demo/numbers.json', ({ page }) => page.locator('pre', { hasText: '"id": 12345678901234567890,' }).waitFor()],
  ['csv', '#/demo/data/cities.csv', ({ page }) => page.getByRole('cell', { name: 'City, 59' }).waitFor()],
  ['parquet', '#/demo/data/table.parquet', ({ page }) => page.getByRole('cell', { name: '2023-11-14T22:13:20.000Z' }).waitFor()],
  ['parquet-partly', '#/demo/data/partly.parquet', ({ page }) => page.getByText('“packed” is compressed with LZO').waitFor()],
  ['picture', '#/demo/media/picture.png', ({ page }) => page.getByText('64 × 48 pixels').waitFor()],
  ['audio', '#/demo/media/tone.wav', ({ page }) => page.waitForFunction(() => (document.querySelector('audio')?.duration ?? 0) > 1.9)],
  ['video', '#/demo/media/video.webm', ({ page }) => page.waitForFunction(() => (document.querySelector('video')?.readyState ?? 0) >= 2)],
  ['pdf', '#/demo/media/page.pdf', ({ page }) => page.locator('iframe, .no-preview').waitFor()],
  ['no-preview', '#/demo/data/random.bin', ({ page }) => page.getByText('This file is not text').waitFor()],
  ['not-found', '#/demo/none/at/all', ({ shows }) => shows('There is nothing here')],
]

/** What opens on top of a folder, and how. */
const dialogs: readonly (readonly [name: string, open: (page: Page) => Promise<unknown>])[] = [
  ['menu', (page) => page.getByRole('button', { name: 'Actions for README.md' }).click()],
  ['rename', (page) => press(page, 'F2')],
  ['delete', (page) => press(page, 'Delete')],
  ['keyboard', (page) => page.getByRole('button', { name: 'Keyboard shortcuts' }).click()],
]

async function press(page: Page, key: string): Promise<void> {
  await page.locator('.rows a', { hasText: 'README.md' }).focus()
  await page.keyboard.press(key)
}

/** The narrowest window that people have, and what a finger can hit; links within a text may be smaller. */
const narrow = 320
const finger = 40

/** What is smaller than a finger: its name and size. */
function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate((least) => {
    const targets = [...document.querySelectorAll<HTMLElement>('button, a, input:not([hidden]), select, summary, [role="menuitem"]')].filter((each) => each.closest('p, article, .skip, dd') === null)
    return targets.flatMap((target) => {
      const { width, height } = (target.closest('.cell-name')?.parentElement ?? target.closest('.check') ?? target).getBoundingClientRect()
      const isShown = width > 1 && height > 1 && getComputedStyle(target).visibility === 'visible'
      return isShown && (height < least || width < least) ? [`${(target.getAttribute('aria-label') ?? target.textContent) || target.tagName}: ${Math.round(width)} × ${Math.round(height)}`] : []
    })
  }, finger)
}

test.each(looks)('every view and dialog, $width and $scheme: nothing that axe-core finds, nothing wider than the window, nothing too small for a finger', async (look) => {
  const opened = await bed.open('#/', look)
  const { page } = opened
  const found: string[] = []
  const looked = async (name: string): Promise<void> => {
    for (const violation of await opened.violations()) found.push(`${name}: ${violation}`)
    const tooWide = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    if ((await tooWide()) > 0) found.push(`${name}: ${await tooWide()} pixels too wide`)
    await opened.shoot(name)
    if (look.width !== 'phone') return
    for (const target of await smallTargets(page)) found.push(`${name}: too small: ${target}`)
    if (look.scheme !== 'light') return
    const before = page.viewportSize()!
    await page.setViewportSize({ ...before, width: narrow })
    if ((await tooWide()) > 0) found.push(`${name}: ${await tooWide()} pixels too wide for ${narrow}`)
    await opened.shoot(`${name}-narrow`)
    await page.setViewportSize(before)
  }
  for (const [name, fragment, isThere] of views) {
    await page.evaluate((hash) => (location.hash = hash), fragment)
    await isThere(opened)
    await looked(name)
  }
  await page.evaluate(() => (location.hash = '#/demo/'))
  await page.locator('.rows .name', { hasText: 'README.md' }).waitFor()
  for (const [name, open] of dialogs) {
    await open(page)
    await page.locator('dialog, .menu').waitFor()
    await looked(name)
    await page.keyboard.press('Escape')
    await page.locator('dialog, .menu').waitFor({ state: 'detached' })
  }
  expect(found).toEqual([])
  expectNoProblems(opened)
}, 60_000)

describe('a preview', () => {
  test('of Markdown runs nothing, loads nothing from elsewhere, and leads to files of the volume', async () => {
    const opened = await bed.open('#/demo/README.md')
    const { page, shows, requests } = opened
    await page.locator('article').waitFor()
    await page.waitForFunction(() => (document.querySelector<HTMLImageElement>('article img')?.naturalWidth ?? 0) === 64)
    expect(await page.evaluate(() => 'isHacked' in globalThis)).toBe(false)
    expect(await page.locator('article script, article [onerror], article a[href^="javascript"]').count()).toBe(0)
    expect(requests.filter((address) => !address.startsWith(edge.url))).toEqual([])
    expect(await page.getByRole('link', { name: 'elsewhere' }).getAttribute('rel')).toBe('noopener noreferrer')
    await page.getByRole('button', { name: 'Source' }).click()
    await page.locator('pre', { hasText: '<script>globalThis' }).waitFor()
    await page.getByRole('button', { name: 'Source' }).click()
    await page.getByRole('link', { name: 'a file' }).click()
    await shows('notes.txt')
    expectNoProblems(opened)
  })

  test('of JSON is indented in the digits of the file, which can be seen as it is', async () => {
    const opened = await bed.open('#/demo/numbers.json')
    const { page } = opened
    const text = page.locator('pre')
    await text.waitFor()
    expect(await text.textContent()).toBe('{\n  "id": 12345678901234567890,\n  "price": 1.10,\n  "names": [\n    "a",\n    "b"\n  ],\n  "none": {}\n}')
    await page.getByRole('button', { name: 'As it is' }).click()
    expect(await text.textContent()).toBe('{"id":12345678901234567890,"price":1.10,"names":["a","b"],"none":{}}')
    await page.evaluate(() => (location.hash = '#/demo/none.json'))
    await page.locator('pre', { hasText: '{"id":2}' }).waitFor()
    expect(await page.getByRole('button', { name: 'As it is' }).count()).toBe(0)
    expectNoProblems(opened)
  })

  test('of a drawing runs no script in it; of a damaged picture says so', async () => {
    const opened = await bed.open('#/demo/media/drawing.svg')
    await opened.page.getByText('120 × 80 pixels').waitFor()
    expect(await opened.page.evaluate(() => 'isHacked' in globalThis)).toBe(false)
    expectNoProblems(opened)
    const broken = await bed.open('#/demo/media/broken.png')
    await broken.page.getByText('This browser cannot show the picture').waitFor()
    expectNoProblems(broken)
  })

  test('of PDF is the browser\'s own, or says that there is none', async () => {
    const opened = await bed.open('#/demo/media/page.pdf')
    const { page } = opened
    if (await page.evaluate(() => navigator.pdfViewerEnabled)) {
      expect(await page.locator('iframe').getAttribute('src')).toBe(`${edge.url}/v1/demo/files/media/page.pdf`)
      await page.waitForTimeout(500)
    } else {
      await page.getByText('This browser has no viewer for PDF.').waitFor()
      expect(await page.locator('.no-preview a').getAttribute('href')).toMatch(/page\.pdf\?download$/)
    }
    expectNoProblems(opened)
  })
})

describe('a token', () => {
  test('in the address opens what it reaches, and what it does not allow is not offered', async () => {
    const token = await tokenFor({ volume: 'demo', prefix: '/docs', rights: ['read', 'list'] })
    const opened = await bed.open('', { base: `${closed.url}/t/${token}/` })
    const { page, shows } = opened
    await shows('docs')
    expect(await page.getByRole('navigation', { name: 'Path' }).innerText()).toContain('demo/docs')
    expect(await page.getByRole('link', { name: 'Volumes' }).count()).toBe(0)
    await page.getByRole('link', { name: 'notes.txt' }).click()
    await page.locator('pre', { hasText: 'line 200' }).waitFor()
    expect(page.url()).toBe(`${closed.url}/t/${token}/#/demo/docs/notes.txt`)
    expect(await page.getByRole('button', { name: 'Delete' }).count()).toBe(0)
    expect(await page.evaluate(() => [...Object.values(localStorage), ...Object.values(sessionStorage), document.cookie].join())).not.toContain(token)
    await page.goto(`${closed.url}/t/${token}/#/demo/data/`)
    await shows('You may not see this')
    await opened.shoot('denied')
    expect(await opened.violations()).toEqual([])
    expectNoProblems(opened, /403/)
  })

  test('that has expired is told, and a new one opens the same place', async () => {
    const expiry = Math.floor(Date.now() / 1000) + 5
    const late = await tokenFor({ volume: 'demo', expiry })
    const opened = await bed.open('#/demo/docs/', { base: `${closed.url}/t/${late}/` })
    const { page, shows } = opened
    await shows('docs')
    await page.waitForTimeout(Math.max(0, expiry * 1000 + 200 - Date.now()))
    await page.evaluate(() => (location.hash = '#/demo/docs/long.log'))
    await shows('The token has expired')
    await opened.shoot('expired')
    expect(await opened.violations()).toEqual([])
    const token = await tokenFor({ volume: 'demo' })
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Open' }).click()
    await shows('long.log')
    expect(page.url()).toBe(`${closed.url}/t/${token}/#/demo/docs/long.log`)
    expectNoProblems(opened, /40[13]/)
  })

  test('is not needed to look at a public volume by its address; to change it one is asked for', async () => {
    const admin = await tokenFor()
    const access = { method: 'PUT', headers: { 'x-api-key': admin, 'if-match': '"absent"' }, body: '{"format":1,"publicRead":true,"revoked":[]}' }
    expect((await closed.fetch('/v1/demo/access', access)).status).toBe(204)
    for (const look of [looks[0]!, looks[3]!]) {
      const opened = await bed.open('#/demo/docs/', { ...look, base: `${closed.url}/` })
      const { page, shows } = opened
      await shows('docs')
      await page.locator('.rows .name', { hasText: 'notes.txt' }).waitFor()
      await page.getByText('This volume is public').waitFor()
      expect(await page.locator('.actions').innerText()).toBe('Download as zip')
      expect(await page.locator('.tabs').innerText()).toBe('Files\nHistory\nShare\nDetails')
      expect(await opened.violations()).toEqual([])
      await opened.shoot('public')
      await page.getByText('This volume is public').click()
      expect(await opened.violations()).toEqual([])
      await opened.shoot('public-token')
    }
    const opened = await bed.open('#/other/', { base: `${closed.url}/` })
    const { page, shows } = opened
    await shows('A token is needed')
    await page.getByRole('link', { name: 'To the start' }).click()
    await page.getByLabel('Public volume').fill('demo')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'docs (folder)' }).click()
    await page.locator('.rows a', { hasText: 'notes.txt' }).click()
    await page.locator('pre', { hasText: 'line 200' }).waitFor()
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
    expect(file.suggestedFilename()).toBe('notes.txt')
    await page.getByRole('link', { name: 'History' }).click()
    await page.getByText('Added').waitFor()
    expect(await page.getByRole('button', { name: 'Restore' }).count()).toBe(0)
    await page.evaluate(() => (location.hash = '#/demo/?panel=peers'))
    await page.getByRole('link', { name: 'docs (folder)' }).waitFor()
    await page.getByText('This volume is public').click()
    await page.getByLabel('Token').fill(await tokenFor({ volume: 'demo' }))
    await page.keyboard.press('Enter')
    await page.getByText('Nobody is listed now').waitFor()
    expect(await page.getByText('This volume is public').count()).toBe(0)
    expectNoProblems(opened, /401/)
  })

  test('is asked for where there is none', async () => {
    for (const look of looks) {
      const opened = await bed.open('', { ...look, base: `${closed.url}/` })
      await opened.shows('A token is needed')
      expect(await opened.violations()).toEqual([])
      await opened.shoot('sign-in')
    }
    const { page, shows } = await bed.open('', { base: `${closed.url}/#/other/` })
    const token = await tokenFor()
    // One that was mistyped is told where it was typed, and the place is not forgotten.
    await page.getByLabel('Token').fill('em1.mistyped')
    await page.keyboard.press('Enter')
    await page.getByText('Cannot read the token').waitFor()
    await shows('A token is needed')
    await page.getByLabel('Token').fill(token)
    await page.keyboard.press('Enter')
    await shows('You may not see this')
    expect(page.url()).toBe(`${closed.url}/t/${token}/#/other/`)
  })
})

test('an edge that is away is told, and what is kept is shown; it is tried again, by hand and by itself', async () => {
  const opened = await bed.open('#/demo/docs/notes.txt')
  const { page, context, shows } = opened
  await page.locator('pre', { hasText: 'line 200' }).waitFor()
  const isEdge = (url: URL): boolean => /^\/(v1|healthz)/.test(url.pathname)
  await context.route(isEdge, (route) => route.abort('internetdisconnected'))
  await page.evaluate(() => (location.hash = '#/demo/data/random.bin'))
  await shows('The edge is away')
  await page.getByText('It is tried again by itself in 2 s.').waitFor()
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('It is tried again by itself in 4 s.').waitFor()
  expect(await opened.violations()).toEqual([])
  await opened.shoot('away')
  await context.unroute(isEdge)
  // By itself.
  await page.getByText('This file is not text').waitFor()
  expectNoProblems(opened, /ERR_INTERNET_DISCONNECTED/)
})
