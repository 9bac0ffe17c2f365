/** `edgemount status --web`: the page of a real mount, in Chromium. What is read and written shows within seconds, nobody without the address sees it, and Ctrl-C ends it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildBundles } from '../../edge/bundle.ts'
import { Running, edgemountOk, forceUnmount } from '../support/command.ts'
import { lookAt } from '../support/console-visit.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'edgemount-status-web-'))
const folder = path.join(directory, 'mnt')
const env = { XDG_RUNTIME_DIR: directory, XDG_CACHE_HOME: path.join(directory, 'cache') }
const volume = `dir:${path.join(directory, 'data')}/photos`
let mount: Running
let browser: Browser

beforeAll(async () => {
  await buildBundles()
  mkdirSync(folder)
  await edgemountOk(['create', volume], { env })
  await writeFile(path.join(directory, 'large.bin'), Buffer.alloc(6 * 1024 * 1024, 'edgemount status '))
  await edgemountOk(['put', path.join(directory, 'large.bin'), `${volume}/large.bin`], { env })
  mount = new Running(['mount', volume, folder, '--write-back-delay', '1h'], { env })
  await mount.mounted(folder)
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })
}, 60_000)

afterAll(async () => {
  await browser?.close()
  forceUnmount(folder)
  await mount?.stop('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

test('charts and numbers follow what the mount does; nothing else is told, and Ctrl-C ends it', async () => {
  const web = new Running(['status', '--web', folder], { env })
  try {
    const [, url = ''] = await web.printed(/(http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/)\n/)
    for (const other of [url.replace(/[\w-]{32}\/$/, ''), url.replace(/\/$/, ''), url.replace(/.\/$/, '!/'), `${url}..`]) expect([other, (await fetch(other)).status]).toEqual([other, 404])
    expect((await fetch(url, { method: 'POST' })).status).toBe(405)
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    const problems: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
    })
    page.on('pageerror', (error) => problems.push(String(error)))
    await page.goto(url)
    await page.getByRole('heading', { name: folder }).waitFor()
    await page.getByText('Numbers', { exact: true }).click()
    await readFile(path.join(folder, 'large.bin'))
    await writeFile(path.join(folder, 'new.bin'), Buffer.alloc(2 * 1024 * 1024, 'x'))
    const most = (name: string): Promise<string | null> => page.getByRole('row', { name }).getByRole('cell').last().textContent()
    await expect.poll(() => most('Read, by tier: store'), { timeout: 10_000 }).toMatch(/[1-9].*B\/s/)
    await expect.poll(() => most('Not published yet'), { timeout: 10_000 }).toBe('2.0 MiB')
    await expect.poll(() => most('Waiting to be published: files'), { timeout: 10_000 }).toBe('1')
    expect(await most('Reads that waited for nothing')).toMatch(/%$/)
    expect(await page.locator('.chart-picture').count()).toBe(5)
    expect(await lookAt(page, 'status-web')).toEqual([])
    expect(problems).toEqual([])
    expect(await web.stop('SIGINT')).toBe(0)
    await page.getByText('The command has ended').waitFor()
  } finally {
    await web.stop('SIGKILL')
  }
}, 60_000)
