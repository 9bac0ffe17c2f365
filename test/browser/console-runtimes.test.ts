/** The same console on Deno and workerd: each view and each action once, as `console.test.ts` and `console-views.test.ts` look at them closely on Node. */
import { readFile } from 'node:fs/promises'
import { unzip } from 'unzipit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildBundles, buildConsole } from '../../edge/bundle.ts'
import { builtConsole } from '../../edge/console-files.ts'
import { testSecrets, tokenFor } from '../edge/access/tokens.ts'
import { startDenoEdge } from '../edge/deno-under-test.ts'
import { type EdgeUnderTest, fileOperation } from '../edge/edge-under-test.ts'
import { startWorkerdEdge } from '../edge/workerd-under-test.ts'
import { ConsoleBed, expectNoProblems } from '../support/console-bed.ts'
import { consoleFiles } from '../support/console-files.ts'

const runtimes = [
  ['Deno', (variables?: Record<string, string>) => startDenoEdge(variables)],
  ['workerd', (variables?: Record<string, string>) => startWorkerdEdge(variables)],
] as const

beforeAll(() => buildBundles())

test('what the command serves on Node is what was built', async () => {
  expect(await builtConsole()).toEqual(await buildConsole())
})

describe.each(runtimes)('on %s', (_, start) => {
  let edge: EdgeUnderTest
  let bed: ConsoleBed

  beforeAll(async () => {
    edge = await start()
    await edge.commit(...(await consoleFiles(edge.volume)))
    bed = await ConsoleBed.start(edge.url)
  })

  afterAll(async () => {
    await bed?.close()
    await edge?.close()
  })

  test('the page and its files are those of Node', async () => {
    const { page, files } = await buildConsole()
    expect(await (await edge.fetch('/', { headers: { accept: 'text/html' } })).text()).toBe(page)
    for (const [name, { text, type }] of Object.entries(files)) {
      const response = await edge.fetch(`/console/${name}`)
      expect([response.headers.get('content-type'), await response.text()]).toEqual([type, text])
    }
  })

  test('every view shows what is there', async () => {
    const opened = await bed.open('')
    const { page, shows } = opened
    await shows('Volumes')
    await page.getByRole('link', { name: 'demo' }).click()
    await page.locator('.rows .name', { hasText: 'README.md' }).waitFor()
    const seen = async (fragment: string, isThere: () => Promise<unknown>): Promise<void> => {
      await page.evaluate((hash) => (location.hash = hash), fragment)
      await isThere()
    }
    await seen('#/demo/README.md', () => page.waitForFunction(() => (document.querySelector<HTMLImageElement>('article img')?.naturalWidth ?? 0) === 64))
    await seen('#/demo/docs/long.log', () => page.getByText('The first 256 KiB of 820 KiB are shown.').waitFor())
    await seen('#/demo/data/cities.csv', () => page.getByRole('cell', { name: 'City, 59' }).waitFor())
    await seen('#/demo/data/table.parquet', () => page.getByText('The first 100 rows of 500 are shown.').waitFor())
    await seen('#/demo/media/picture.png', () => page.getByText('64 × 48 pixels').waitFor())
    await seen('#/demo/media/tone.wav', () => page.waitForFunction(() => (document.querySelector('audio')?.duration ?? 0) > 1.9))
    await seen('#/demo/strange/raw%FF.txt', () => page.locator('pre', { hasText: 'bytes' }).waitFor())
    await seen('#/demo/none', () => shows('There is nothing here'))
    expectNoProblems(opened)
  })

  test('renames, deletes, archives, and what others change shows', async () => {
    await edge.commit(await fileOperation(edge.volume, '/work/one.txt', 'one'), await fileOperation(edge.volume, '/work/inner/two.txt', 'two'))
    const opened = await bed.open('#/demo/work/')
    const { page, shows, names } = opened
    await shows('work')
    await page.locator('.rows a', { hasText: 'one.txt' }).focus()
    await page.keyboard.press('F2')
    await page.keyboard.type('first')
    await page.keyboard.press('Enter')
    await page.locator('.rows .name', { hasText: 'first.txt' }).waitFor()
    await page.locator('.rows a', { hasText: 'inner' }).focus()
    await page.keyboard.press('Delete')
    await page.getByRole('dialog').getByText('1 file, 3 B.').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.locator('.rows .name', { hasText: 'inner' }).waitFor({ state: 'detached' })
    await edge.commit(await fileOperation(edge.volume, '/work/late.txt', 'late'))
    await page.locator('.rows .name', { hasText: 'late.txt' }).waitFor({ timeout: 5000 })
    expect(await names()).toEqual(['first.txt', 'late.txt'])
    const [archive] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download as zip' }).click()])
    const { entries } = await unzip(new Uint8Array(await readFile(await archive.path())).buffer)
    expect(Object.keys(entries)).toEqual(['work/', 'work/first.txt', 'work/late.txt'])
    expectNoProblems(opened)
  })

  test('with secrets a token is asked for, and opens what it reaches', async () => {
    const closed = await start({ EDGEMOUNT_SECRETS: testSecrets })
    try {
      await closed.commit(await fileOperation(closed.volume, '/docs/notes.txt', 'for some'))
      const opened = await bed.open('', { base: `${closed.url}/` })
      const { page, shows } = opened
      await shows('A token is needed')
      const token = await tokenFor({ volume: 'demo', prefix: '/docs', rights: ['read', 'list'] })
      await page.getByLabel('Token').fill(token)
      await page.keyboard.press('Enter')
      await shows('docs')
      await page.locator('.rows a', { hasText: 'notes.txt' }).click()
      await page.locator('pre', { hasText: 'for some' }).waitFor()
      expect(page.url()).toBe(`${closed.url}/t/${token}/#/demo/docs/notes.txt`)
      expectNoProblems(opened, /401/)
    } finally {
      await closed.close()
    }
  })
})
