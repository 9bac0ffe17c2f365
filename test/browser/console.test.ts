/** The console on Node: where one goes, what one sees there, and what one does, with the mouse, the keyboard and a screen reader's rules. */
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { unzip } from 'unzipit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../edge/edge-under-test.ts'
import { ConsoleBed, expectNoProblems } from '../support/console-bed.ts'
import { consoleFiles } from '../support/console-files.ts'

let edge: EdgeUnderTest
let bed: ConsoleBed

beforeAll(async () => {
  edge = await startEdge({ console: await buildConsole() })
  await edge.commit(...(await consoleFiles(edge.volume)))
  const many = await Promise.all(Array.from({ length: 5000 }, (_, index) => fileOperation(edge.volume, `/many/name-${String(index).padStart(5, '0')}.txt`, index % 50 === 0 ? 'some bytes' : '')))
  await edge.commit(...many)
  bed = await ConsoleBed.start(edge.url)
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
})

describe('where one goes', () => {
  test('from the volumes to a file, back and forward; each has an address of its own', async () => {
    const opened = await bed.open('')
    const { page, shows, names } = opened
    await shows('Volumes')
    await page.getByRole('link', { name: 'demo' }).click()
    await shows('demo')
    expect(await names()).toEqual(['README.md', 'data', 'docs', 'empty folder', 'many', 'media', 'shortcut', 'strange'])
    await page.getByRole('link', { name: 'docs (folder)' }).click()
    await shows('docs')
    expect([page.url(), await page.title()]).toEqual([`${edge.url}/#/demo/docs/`, 'docs · demo · edgemount'])
    await page.getByRole('link', { name: 'notes.txt' }).click()
    await shows('notes.txt')
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
    await page.goBack()
    await shows('docs')
    await page.goBack()
    await shows('demo')
    await page.goForward()
    await shows('docs')
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'Volumes' }).click()
    await shows('Volumes')
    expectNoProblems(opened)
  })

  test('order and filter stand in the address, and are there after a reload', async () => {
    const opened = await bed.open('#/demo/docs/')
    const { page, shows, names } = opened
    await shows('docs')
    await page.getByRole('button', { name: 'Size' }).click()
    await page.waitForFunction(() => document.querySelector('[aria-sort="descending"]')?.textContent === 'Size')
    expect(await names()).toEqual(['long.log', 'notes.txt', 'deep'])
    await page.getByRole('searchbox', { name: 'Filter by name' }).fill('O')
    await page.getByText('2 of 3 names').waitFor()
    expect(page.url()).toBe(`${edge.url}/#/demo/docs/?sort=-size&filter=O`)
    await page.reload()
    await page.getByText('2 of 3 names').waitFor()
    expect(await names()).toEqual(['long.log', 'notes.txt'])
    await page.getByRole('searchbox').fill('nothing like it')
    await page.getByText('No name here has all of these words.').waitFor()
    expectNoProblems(opened)
  })

  test('names of any bytes open by their link', async () => {
    const opened = await bed.open('#/demo/strange/')
    const { page, shows } = opened
    for (const [shown, content] of [['<b>bold<b>.txt', 'no markup'], ['raw\ufffd.txt', 'bytes'], ['ü ñ & 100%?#.txt', 'strange']] as const) {
      await page.locator('.rows a', { hasText: shown }).click()
      await shows(shown)
      await page.locator('pre', { hasText: content }).waitFor()
      await page.goBack()
      await shows('strange')
    }
    expectNoProblems(opened)
  })

  test('a commit of the past is shown as it was, and cannot be changed', async () => {
    const opened = await bed.open('#/demo@2/')
    const { page, shows, names } = opened
    await shows('demo')
    await page.getByText('This is what commit 2 left.').waitFor()
    expect(await names()).not.toContain('many')
    await page.getByRole('button', { name: 'Actions for README.md' }).click()
    expect(await page.getByRole('menuitem').allTextContents()).toEqual(['Download'])
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'Show what is there now' }).click()
    await page.locator('.rows .name', { hasText: 'many' }).waitFor()
    expectNoProblems(opened)
  })
})

test('what is not there leads on: to what is there now, to the folder above, to the volumes', async () => {
  const opened = await bed.open('#/nothing/a/b')
  const { page, shows } = opened
  const links = (): Promise<string[]> => page.locator('.error-view .buttons a').allTextContents()
  await shows('There is nothing here')
  expect(await links()).toEqual(['To the volumes'])
  await page.evaluate(() => (location.hash = '#/demo@9999/docs/'))
  await page.getByText('9999').first().waitFor()
  expect(await links()).toEqual(['To what is there now', 'To the folder above', 'To the volumes'])
  await page.evaluate(() => (location.hash = '#/-bad/'))
  await shows('This cannot be shown')
  expect(await links()).toEqual(['To the volumes'])
  await page.getByRole('link', { name: 'To the volumes' }).click()
  await shows('Volumes')
  expectNoProblems(opened, /404/)
})

describe('many names', () => {
  test('are read as one scrolls, drawn few at a time, and all filtered', async () => {
    const opened = await bed.open('#/demo/many/')
    const { page, shows, names } = opened
    await shows('many')
    await page.getByText('1,000 names and more').waitFor()
    expect((await names()).length).toBeLessThan(80)
    expect(await page.locator('table').getAttribute('aria-rowcount')).toBe('-1')
    await page.locator('.rows a').first().focus()
    // The end is the last name, and not the last of those that were read.
    await page.keyboard.press('End')
    await page.getByText('5,000 names', { exact: true }).waitFor()
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('name-04999.txt')
    expect((await names()).length).toBeLessThan(80)
    expect(await page.locator('table').getAttribute('aria-rowcount')).toBe('5001')
    await page.getByRole('searchbox').fill('name-04 50')
    await page.getByText('of 5,000 names').waitFor()
    expect(await names()).toContain('name-04500.txt')
    await opened.shoot('many')
    expectNoProblems(opened)
  })

  test('an order that needs all of them reads all of them, and going back finds the place again', async () => {
    const opened = await bed.open('#/demo/many/?sort=-name')
    const { page, shows, names } = opened
    await page.getByText('5,000 names', { exact: true }).waitFor()
    expect((await names())[0]).toBe('name-04999.txt')
    await page.evaluate(() => scrollTo(0, 60_000))
    await page.waitForFunction(() => scrollY > 50_000)
    // In the middle of the window there; what is drawn until it has scrolled is elsewhere.
    const name = 'name-03330.txt'
    await page.locator('.rows a', { hasText: name }).click()
    await shows(name)
    await page.goBack()
    await shows('many')
    await page.waitForFunction(() => scrollY > 50_000)
    expect(await names()).toContain(name)
    expectNoProblems(opened)
  })
})

describe('what one does', () => {
  test('renames and deletes by the menu of a row; what goes is said before', async () => {
    await edge.commit(await fileOperation(edge.volume, '/work/one.txt', 'one'), await fileOperation(edge.volume, '/work/inner/a/two.txt', 'two two'), await fileOperation(edge.volume, '/work/taken.txt', ''))
    const opened = await bed.open('#/demo/work/')
    const { page, shows, names } = opened
    await shows('work')
    await page.getByRole('button', { name: 'Actions for one.txt' }).click()
    await page.getByRole('menuitem', { name: 'Rename or move' }).click()
    const field = page.getByRole('textbox', { name: /^New name/ })
    expect(await field.evaluate((input: HTMLInputElement) => input.value.slice(input.selectionStart!, input.selectionEnd!))).toBe('one')
    await field.fill('taken.txt')
    await page.getByRole('button', { name: 'Rename', exact: true }).click()
    await page.getByRole('dialog').getByText('something of that name is there; choose another one.').waitFor()
    expect(await opened.violations()).toEqual([])
    await opened.shoot('rename')
    await field.fill('first ü.txt')
    await page.getByRole('button', { name: 'Rename', exact: true }).click()
    await page.locator('.rows .name', { hasText: 'first ü.txt' }).waitFor()
    await page.getByRole('button', { name: 'Actions for inner' }).click()
    await opened.shoot('menu')
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByText('1 file and 1 folder, 7 B.').waitFor()
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Cancel')
    await opened.shoot('delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('Deleted “inner”.').waitFor()
    await page.locator('.rows .name', { hasText: 'inner' }).waitFor({ state: 'detached' })
    expect(await names()).toEqual(['first ü.txt', 'taken.txt'])
    expectNoProblems(opened, /409/)
  })

  test('renames what is shown, and is led to it; deletes it, and is led out of it', async () => {
    await edge.commit(await fileOperation(edge.volume, '/moving/file.txt', 'text'))
    const opened = await bed.open('#/demo/moving/file.txt')
    const { page, shows } = opened
    await shows('file.txt')
    await page.getByRole('button', { name: 'Rename or move' }).click()
    await page.getByRole('textbox').fill('/moving/other.txt')
    await page.getByRole('button', { name: 'Rename', exact: true }).click()
    await shows('other.txt')
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await shows('moving')
    await page.getByText('This folder is empty.').waitFor()
    expectNoProblems(opened)
  })

  test('makes a folder, and not over what has its name', async () => {
    await edge.commit(await fileOperation(edge.volume, '/making/file.txt', 'text'), { op: 'mkdir', path: '/making/old', mode: 0o755 })
    const opened = await bed.open('#/demo/making/')
    const { page, shows, names } = opened
    await shows('making')
    await page.getByRole('button', { name: 'New folder' }).click()
    const field = page.getByRole('textbox', { name: 'Name' })
    for (const [name, why] of [['a/b', 'Cannot use the name'], ['file.txt', 'a file is there'], ['old', 'it is there already']] as const) {
      await field.fill(name)
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').getByText(why).waitFor()
    }
    expect(await opened.violations()).toEqual([])
    await field.fill('néw 100% #')
    await page.keyboard.press('Enter')
    await page.locator('.rows .name', { hasText: 'néw 100% #' }).waitFor()
    expect([await names(), (await edge.fetch('/v1/demo/stat/making/n%C3%A9w%20100%25%20%23')).status]).toEqual([['file.txt', 'néw 100% #', 'old'], 200])
    expectNoProblems(opened, /409/)
    const past = await bed.open('#/demo@2/docs/')
    await past.page.getByText('This is what commit 2 left.').waitFor()
    expect(await past.page.getByRole('button', { name: 'New folder' }).count()).toBe(0)
  })

  test('hears of what failed after the question was closed', async () => {
    await edge.commit(await fileOperation(edge.volume, '/slow/file.txt', 'text'))
    const opened = await bed.open('#/demo/slow/file.txt')
    const { page, shows } = opened
    await shows('file.txt')
    let answer: () => void = () => undefined
    const answered = new Promise<void>((resolve) => (answer = resolve))
    await page.route('**/files/slow/file.txt', async (route) => {
      if (route.request().method() !== 'DELETE') return await route.continue()
      await answered
      await route.fulfill({ status: 507, contentType: 'application/json', body: '{"error":{"code":"exhausted","message":"Cannot write: the store has no room"}}' })
    })
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    answer()
    await page.getByRole('alert').getByText('Cannot write: the store has no room.').waitFor()
    expectNoProblems(opened, /507/)
  })

  test('a name that is no text keeps its bytes, unless another one is typed; a question ends with its place', async () => {
    await edge.commit(await fileOperation(edge.volume, '/bytes/bad\udcff.txt', ''), await fileOperation(edge.volume, '/bytes/new\nline.txt', ''))
    const opened = await bed.open('#/demo/bytes/')
    const { page, shows, names } = opened
    await shows('bytes')
    const stored = async (): Promise<string> => (await edge.fetch('/v1/demo/list/bytes')).text().then((text) => text.replace(/^.*"path"/, ''))
    const before = await stored()
    expect(before).toContain(String.raw`bad\udcff.txt`)
    const shown = await names()
    const dialog = page.getByRole('dialog')
    const open = async (index: number): Promise<void> => {
      await page.getByRole('button', { name: 'Actions for' }).nth(index).click()
      await page.getByRole('menuitem', { name: 'Rename or move' }).click()
    }
    for (const index of shown.keys()) {
      await open(index)
      await page.keyboard.press('Enter')
      await dialog.waitFor({ state: 'detached' })
    }
    await open(0)
    await page.getByRole('textbox', { name: /^New name/ }).fill('other\ufffd.txt')
    await page.keyboard.press('Enter')
    await dialog.getByText('it stands for bytes that are no text; write a name without it').waitFor()
    await page.evaluate(() => (location.hash = '#/demo/'))
    await dialog.waitFor({ state: 'detached' })
    expect(await stored()).toBe(before)
    expectNoProblems(opened)
  })

  test('changes nothing that somebody else has changed since it was shown, says so, and looks again', async () => {
    const put = (path: string, body: string): ReturnType<typeof fileOperation> => fileOperation(edge.volume, path, body, { replace: true })
    const first = await edge.commit(await put('/shared/plan.txt', 'one'), await put('/shared/box/in.txt', 'in'), await put('/shared/third.txt', 'third'), { op: 'symlink', path: '/shared/link', target: 'plan.txt' })
    await edge.commit(await put('/shared/plan.txt', 'two'))
    const opened = await bed.open('#/demo/shared/')
    const { page, shows } = opened
    const dialog = page.getByRole('dialog')
    const choose = async (name: string, action: string): Promise<void> => {
      await page.getByRole('button', { name: `Actions for ${name}` }).click()
      await page.getByRole('menuitem', { name: action }).click()
    }
    const isRefused = async (done: string): Promise<void> => {
      await dialog.getByText(`since it was shown here, so it was not ${done}. Look again at what is there now`).waitFor()
      expect(await opened.violations()).toEqual([])
      await opened.shoot(`changed-${done}`)
      await page.locator('.view').evaluate((view: HTMLElement) => (view.dataset['isOld'] = ''))
      await dialog.getByRole('button', { name: 'Look again' }).click()
      await page.locator('.view:not([data-is-old])').waitFor()
    }
    const textOf = async (path: string): Promise<string> => (await edge.fetch(`/v1/demo/files${path}`)).text()
    await shows('shared')
    await choose('plan.txt', 'Rename or move')
    await edge.commit(await put('/shared/plan.txt', 'three'))
    await page.keyboard.type('old plan')
    await page.keyboard.press('Enter')
    await isRefused('renamed')
    await choose('plan.txt', 'Delete')
    await edge.commit(await put('/shared/plan.txt', 'four'))
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await isRefused('deleted')
    await choose('box', 'Delete')
    await dialog.getByText('1 file, 2 B.').waitFor()
    await edge.commit(await put('/shared/box/deep/late.txt', 'late'))
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await isRefused('deleted')
    expect([await textOf('/shared/plan.txt'), await textOf('/shared/box/deep/late.txt')]).toEqual(['four', 'late'])
    await choose('box', 'Delete')
    await dialog.getByText('2 files and 1 folder, 6 B.').waitFor()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.locator('.rows .name', { hasText: 'box' }).waitFor({ state: 'detached' })
    await page.evaluate(() => (location.hash = '#/demo/shared/plan.txt?panel=history'))
    await page.getByRole('button', { name: `Restore commit ${first}` }).click()
    await dialog.getByText('What is there now: a file of 4 B.').waitFor()
    await edge.commit(await put('/shared/plan.txt', 'five'))
    await dialog.getByRole('button', { name: 'Restore' }).click()
    await isRefused('restored')
    expect(await textOf('/shared/plan.txt')).toBe('five')
    await page.getByRole('button', { name: `Restore commit ${first}` }).click()
    await dialog.getByRole('button', { name: 'Restore' }).click()
    await page.getByText('Restored “/shared/plan.txt”').waitFor()
    expect(await textOf('/shared/plan.txt')).toBe('one')
    // What is shown by way of a symlink is not what has its name.
    await page.evaluate(() => (location.hash = '#/demo/shared/link'))
    await shows('link')
    await page.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByText('The symbolic link “link” goes.').waitFor()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await shows('shared')
    expect(await textOf('/shared/plan.txt')).toBe('one')
    expectNoProblems(opened, /412/)
  })

  test('sees what others change, as it happens', async () => {
    const opened = await bed.open('#/demo/live/')
    const { page, shows } = opened
    await shows('There is nothing here')
    await edge.commit(await fileOperation(edge.volume, '/live/first.txt', 'one'))
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.locator('.rows .name', { hasText: 'first.txt' }).waitFor()
    await edge.commit(await fileOperation(edge.volume, '/live/second.txt', 'two'))
    await page.locator('.rows .name', { hasText: 'second.txt' }).waitFor({ timeout: 3000 })
    await page.locator('.rows a').first().click()
    await page.locator('pre', { hasText: 'one' }).waitFor()
    await edge.commit(await fileOperation(edge.volume, '/live/first.txt', 'changed', { replace: true }))
    await page.locator('pre', { hasText: 'changed' }).waitFor({ timeout: 3000 })
    await edge.commit({ op: 'unlink', path: '/live/first.txt' })
    await shows('There is nothing here')
    expectNoProblems(opened)
  })

  test('downloads a file, and a folder as an archive', async () => {
    const opened = await bed.open('#/demo/docs/')
    const { page, shows } = opened
    await shows('docs')
    const [folder] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download as zip' }).click()])
    expect(folder.suggestedFilename()).toBe('docs.zip')
    const { entries } = await unzip(new Uint8Array(await readFile(await folder.path())).buffer)
    expect(Object.keys(entries)).toEqual(['docs/', 'docs/deep/', 'docs/deep/er/', 'docs/deep/er/leaf.txt', 'docs/long.log', 'docs/notes.txt'])
    await page.getByRole('button', { name: 'Actions for notes.txt' }).click()
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Download' }).click()])
    expect([file.suggestedFilename(), (await readFile(await file.path())).length]).toEqual(['notes.txt', 1691])
    expectNoProblems(opened)
  })
})

describe('with the keyboard alone', () => {
  const focused = (page: Page) =>
    page.evaluate(() => {
      const at = document.activeElement
      const marked = at?.matches('.cell-name a') === true ? getComputedStyle(at, '::after') : at === null ? undefined : getComputedStyle(at)
      return { name: at?.getAttribute('aria-label') ?? at?.textContent ?? '', isVisible: marked !== undefined && marked.outlineStyle !== 'none' && Number.parseFloat(marked.outlineWidth) >= 2 }
    })

  test('everything is reached, and is seen to be', async () => {
    const opened = await bed.open('#/demo/')
    const { page, shows } = opened
    await shows('demo')
    await page.locator('.rows a').first().waitFor()
    const seen: string[] = []
    for (;;) {
      await page.keyboard.press('Tab')
      if (await page.evaluate(() => document.activeElement === document.body)) break
      const { name, isVisible } = await focused(page)
      expect([name, isVisible]).toEqual([name, true])
      seen.push(name)
    }
    expect(seen.slice(0, 5)).toEqual(['To the content', 'edgemount', 'Switch between light and dark', 'Keyboard shortcuts', 'Volumes'])
    expect(seen).toEqual(expect.arrayContaining(['Download as zip', 'Files', 'Details', 'Filter by name', 'Name', 'Size', 'Modified', 'README.md', 'Actions for README.md']))
    // One row is in the order of Tab: after it the page ends.
    expect(seen.indexOf('Actions for README.md') - seen.indexOf('README.md')).toBe(1)
    expectNoProblems(opened)
  })

  test('a file is found, opened, renamed and left', async () => {
    await edge.commit(await fileOperation(edge.volume, '/keys/a.txt', 'aaa'), await fileOperation(edge.volume, '/keys/b.txt', 'bbb'))
    const opened = await bed.open('#/demo/keys/')
    const { page, shows } = opened
    await shows('keys')
    await page.locator('.rows a').first().waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('txt')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    expect((await focused(page)).name).toBe('b.txt')
    await page.keyboard.press('F2')
    await page.keyboard.type('z')
    await page.keyboard.press('Enter')
    await page.locator('.rows .name', { hasText: 'z.txt' }).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    // The focus is where the work goes on.
    expect((await focused(page)).name).toBe('z.txt')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Delete')
    expect(await opened.violations()).toEqual([])
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.locator('.rows .name', { hasText: 'a.txt' }).waitFor({ state: 'detached' })
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect((await focused(page)).name).toBe('z.txt')
    await page.keyboard.press('Shift+F10')
    expect((await focused(page)).name).toBe('Download')
    expect(await opened.violations()).toEqual([])
    await page.keyboard.press('Escape')
    await page.locator('.rows a', { hasText: 'z.txt' }).focus()
    await page.keyboard.press('Enter')
    await shows('z.txt')
    await page.keyboard.press('[')
    await page.locator('dt', { hasText: 'Permissions' }).waitFor()
    await page.keyboard.press('u')
    await shows('keys')
    await page.keyboard.press('?')
    const list = page.getByRole('dialog', { name: 'Keyboard' })
    await list.waitFor()
    expect(await opened.violations()).toEqual([])
    await opened.shoot('keyboard')
    await list.getByRole('checkbox').uncheck()
    await page.keyboard.press('Escape')
    await page.keyboard.press('u')
    await page.waitForTimeout(100)
    await shows('keys')
    expectNoProblems(opened)
  })

  test('light and dark can be switched, and stay', async () => {
    const opened = await bed.open('#/demo/', { scheme: 'dark' })
    const { page, shows } = opened
    await shows('demo')
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const dark = await ground()
    await page.keyboard.press('t')
    expect(await ground()).toBe('rgb(255, 255, 255)')
    await page.reload()
    await shows('demo')
    expect(await ground()).toBe('rgb(255, 255, 255)')
    await page.getByRole('button', { name: 'Switch between light and dark' }).click()
    expect(await ground()).toBe(dark)
    expect(await page.evaluate(() => Object.keys(localStorage))).toEqual(['edgemount-theme'])
  })
})
