/** Every action of the console by keyboard alone: where Tab leads, what has the focus when something ends, and Escape. What the keys of a folder do is in `console.test.ts`. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../edge/edge-under-test.ts'
import { testKeys, tokenFor } from '../edge/access/tokens.ts'
import { ConsoleBed, expectNoProblems } from '../support/console-bed.ts'
import { parquetBytes } from '../support/console-files.ts'

let edge: EdgeUnderTest
let bed: ConsoleBed
let base: string

beforeAll(async () => {
  edge = await startEdge({ console: await buildConsole(), access: { keys: testKeys, tokenRate: 0, anonymousRate: 0 } })
  const put = (name: string, body: string | Uint8Array): ReturnType<typeof fileOperation> => fileOperation(edge.volume, name, body, { replace: true })
  await edge.commit(await put('/docs/poem.txt', 'one\ntwo\n'), await put('/docs/a.txt', 'a'), await put('/docs/b.txt', 'b'), await put('/table.parquet', parquetBytes(250)), await put('/long.log', 'a line\n'.repeat(60_000)))
  await edge.commit(await put('/docs/poem.txt', 'one\n2\n'))
  bed = await ConsoleBed.start(edge.url)
  base = `${edge.url}/t/${await tokenFor()}/`
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
})

/** What has the focus, as a screen reader says it; `(nothing)` is the page as a whole. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const at = document.activeElement
    if (at === null || at === document.body) return '(nothing)'
    return at.getAttribute('aria-label') ?? document.querySelector(`label[for="${at.id}"]`)?.textContent ?? at.textContent
  })

/** Presses Tab until it is reached. */
async function tabTo(page: Page, name: string, key = 'Tab'): Promise<void> {
  const passed: string[] = []
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press(key)
    const at = await focused(page)
    if (at === name) return
    passed.push(at)
  }
  throw new Error(`${name} is not reached: ${passed.join(', ')}`)
}

test('names: a menu, its questions, and Escape out of each; then the row beside has the focus', async () => {
  const opened = await bed.open('#/demo/docs/', { base })
  const { page } = opened
  await page.locator('.rows a').first().waitFor()
  await tabTo(page, 'a.txt')
  await page.keyboard.press('Shift+F10')
  await page.keyboard.press('ArrowUp')
  expect(await focused(page)).toBe('Delete')
  await page.keyboard.press('Escape')
  await expect.poll(() => focused(page)).toMatch(/a\.txt$/)
  await page.keyboard.press('Delete')
  // Within the question Tab goes round.
  const round = new Set<string>()
  for (let press = 0; press < 6; press += 1) {
    round.add(await focused(page))
    await page.keyboard.press('Tab')
  }
  expect([...round].filter((name) => name !== '(nothing)').toSorted()).toEqual(['Cancel', 'Delete'])
  await page.keyboard.press('Escape')
  await expect.poll(() => focused(page)).toMatch(/a\.txt$/)
  await page.keyboard.press('Shift+F10')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await tabTo(page, 'Delete')
  await page.keyboard.press('Enter')
  await page.getByText('Deleted “a.txt”.').waitFor()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await expect.poll(() => focused(page)).toBe('b.txt')
  await tabTo(page, 'Close this message')
  await page.keyboard.press('Enter')
  await expect.poll(() => focused(page)).toBe('docs')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
  await page.keyboard.press('Escape')
  await expect.poll(() => focused(page)).toBe('docs')
  expectNoProblems(opened)
})

test('uploads are chosen, watched, tried again and put away', async () => {
  const opened = await bed.open('#/demo/docs/?panel=upload', { base })
  const { page } = opened
  await page.locator('.drop-zone').waitFor()
  await tabTo(page, 'Choose files')
  let isRefused = true
  await page.route('**/files/docs/up.txt', async (route, request) => {
    if (request.method() === 'PUT' && isRefused) return await route.fulfill({ status: 403, contentType: 'application/json', body: '{"error":{"code":"denied","message":"Cannot write: the token allows to read"}}' })
    await route.continue()
  })
  const chooser = page.waitForEvent('filechooser')
  // The browser is told first that nobody sees its own window.
  await tabTo(page, 'Choose a folder')
  await tabTo(page, 'Choose files', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await (await chooser).setFiles([{ name: 'up.txt', mimeType: 'text/plain', buffer: Buffer.from('up') }])
  await page.getByRole('heading', { name: '1 upload failed' }).waitFor()
  isRefused = false
  await tabTo(page, 'Try again: /docs/up.txt')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Uploads are done' }).waitFor()
  await expect.poll(() => focused(page)).not.toBe('(nothing)')
  await tabTo(page, 'Close the list of uploads', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await expect.poll(() => focused(page)).toBe('docs')
  expectNoProblems(opened, /403|404/)
})

test('history: what changed and back, a question left and answered; share: an address made and copied', async () => {
  const opened = await bed.open('#/demo/docs/poem.txt', { base })
  const { page, context } = opened
  await page.locator('pre').waitFor()
  await tabTo(page, 'History')
  await page.keyboard.press('Enter')
  await page.getByText('commit 3').waitFor()
  expect(await focused(page)).toBe('poem.txt')
  await tabTo(page, 'Changes of commit 3')
  await page.keyboard.press('Enter')
  await page.getByRole('region', { name: 'Lines that differ' }).waitFor()
  expect(await focused(page)).toBe('What commit 3 changed')
  await tabTo(page, 'Back to the history', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await expect.poll(() => focused(page)).toBe('Changes of commit 3')
  await tabTo(page, 'Restore commit 2')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await expect.poll(() => focused(page)).toBe('Restore commit 2')
  await page.keyboard.press('Enter')
  await tabTo(page, 'As a copy beside it')
  await page.keyboard.press('Space')
  await tabTo(page, 'Restore')
  await page.keyboard.press('Enter')
  await page.getByText('Restored “/docs/poem (commit 2).txt”').waitFor()
  await page.locator('h1', { hasText: 'poem (commit 2).txt' }).waitFor()
  await expect.poll(() => focused(page)).toBe('poem (commit 2).txt')
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await tabTo(page, 'Share')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Make an address' }).waitFor()
  await tabTo(page, 'Make an address')
  await page.keyboard.press('Enter')
  await page.getByLabel('Address', { exact: true }).waitFor()
  await expect.poll(() => focused(page)).not.toBe('(nothing)')
  await tabTo(page, 'Copy')
  await page.keyboard.press('Enter')
  await page.getByText('The address is copied.').waitFor()
  expect(await focused(page)).toBe('Copy')
  expectNoProblems(opened)
})

test('previews: more rows and more text come without the place being lost', async () => {
  const opened = await bed.open('#/demo/table.parquet', { base })
  const { page } = opened
  await page.getByText('The first 100 rows of 250 are shown.').waitFor()
  await tabTo(page, 'Next 100 rows')
  await page.keyboard.press('Enter')
  await page.getByText('The first 200 rows of 250 are shown.').waitFor()
  await expect.poll(() => focused(page)).toBe('Next 100 rows')
  await page.keyboard.press('Enter')
  await page.getByText('All rows are shown.').waitFor()
  await expect.poll(() => focused(page)).not.toBe('(nothing)')
  await page.evaluate(() => (location.hash = '#/demo/long.log'))
  await page.getByText('The first 256 KiB').waitFor()
  await tabTo(page, 'Show more')
  await page.keyboard.press('Enter')
  await page.getByText('The first 410 KiB of 410 KiB are shown.').waitFor()
  await expect.poll(() => focused(page)).not.toBe('(nothing)')
  expectNoProblems(opened)
})
