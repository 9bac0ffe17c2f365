/** Uploads in the console, in Chromium: chosen and dropped, whole and in parts, over cuts and reloads, and never over what is there. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../edge/edge-under-test.ts'
import { type ChromiumBed, startChromium } from '../support/chromium.ts'
import { lookAt } from '../support/console-visit.ts'

let bed: ChromiumBed
let edge: EdgeUnderTest
let folder: string

beforeAll(async () => {
  const console = await buildConsole()
  edge = await startEdge({ console })
  bed = await startChromium({ '/': { text: '<!doctype html><title>begin</title><link rel="icon" href="data:,"><script>isReady = true</script>', type: 'text/html' } })
  folder = await mkdtemp(path.join(tmpdir(), 'edgemount-test-'))
  await mkdir(path.join(folder, 'photos/2026'), { recursive: true })
  await mkdir(path.join(folder, 'photos/empty'))
  await writeFile(path.join(folder, 'photos/a.txt'), 'photo a')
  await writeFile(path.join(folder, 'photos/2026/b.txt'), 'photo b')
  await edge.commit({ op: 'mkdir', path: '/in' }, await fileOperation(edge.volume, '/in/taken.txt', 'old'))
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
  await rm(folder, { recursive: true, force: true })
})

const textOf = async (name: string): Promise<string> => await (await edge.fetch(`/v1/demo/files${name}`)).text()
const existsAt = async (name: string): Promise<boolean> => (await edge.fetch(`/v1/demo/stat${name}`)).ok
const open = async (page: Page, address: string): Promise<void> => {
  await page.goto('about:blank')
  await page.goto(`${edge.url}/${address}`)
  await page.locator('h1').waitFor()
}
const done = (page: Page): Promise<void> => page.getByRole('heading', { name: 'Uploads are done' }).waitFor({ timeout: 20_000 })
const choose = async (page: Page, files: readonly { name: string; text: string }[]): Promise<void> => {
  await page.getByLabel('Files to upload').setInputFiles(files.map(({ name, text }) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) })))
}

describe('uploads', () => {
  it('what is chosen goes into the folder, and what is taken is asked about once', async () => {
    const { page, problems } = await bed.visit()
    await open(page, '#/demo/in/?panel=upload')
    await choose(page, [{ name: 'one.txt', text: 'one' }, { name: 'two ü.txt', text: 'two' }, { name: 'nothing', text: '' }])
    await done(page)
    expect([await textOf('/in/one.txt'), await textOf('/in/two%20%C3%BC.txt'), await textOf('/in/nothing')]).toEqual(['one', 'two', ''])
    await page.getByRole('button', { name: 'Close the list of uploads' }).click()
    await choose(page, [{ name: 'taken.txt', text: 'new' }, { name: 'one.txt', text: 'other' }, { name: 'three.txt', text: 'three' }])
    await page.getByRole('button', { name: 'Keep both' }).click()
    await done(page)
    expect([await textOf('/in/taken.txt'), await textOf('/in/taken%20(2).txt'), await textOf('/in/one%20(2).txt'), await textOf('/in/three.txt')]).toEqual(['old', 'new', 'other', 'three'])
    await choose(page, [{ name: 'taken.txt', text: 'skipped' }])
    await page.getByRole('button', { name: 'Skip' }).click()
    await done(page)
    expect(await textOf('/in/taken.txt')).toBe('old')
    await choose(page, [{ name: 'taken.txt', text: 'replaced' }])
    expect(await lookAt(page, 'uploads-question')).toEqual([])
    await page.getByRole('button', { name: 'Replace' }).click()
    await done(page)
    expect(await textOf('/in/taken.txt')).toBe('replaced')
    expect(await lookAt(page, 'uploads-done')).toEqual([])
    expect(problems).toEqual([])
  })

  it('a folder that is chosen keeps its names', async () => {
    const { page, problems } = await bed.visit()
    await edge.commit({ op: 'mkdir', path: '/chosen' })
    await open(page, '#/demo/chosen/?panel=upload')
    await page.getByLabel('A folder to upload').setInputFiles(path.join(folder, 'photos'))
    await done(page)
    expect([await textOf('/chosen/photos/a.txt'), await textOf('/chosen/photos/2026/b.txt')]).toEqual(['photo a', 'photo b'])
    expect(problems).toEqual([])
  })

  it('a long file goes on where it was: after a reload, and after a cut', async () => {
    const { page, problems } = await bed.visit()
    const file = path.join(folder, 'long.bin')
    const bytes = Buffer.alloc(40 * 1024 * 1024, 'edgemount ')
    await writeFile(file, bytes)
    const offsets: string[] = []
    let isHeld = true
    await page.route('**/uploads/**', async (route, request) => {
      if (request.method() !== 'PATCH') return await route.continue()
      const offset = request.headers()['upload-offset'] ?? ''
      offsets.push(offset)
      // The second part never arrives.
      if (offset !== '0' && isHeld) return
      await route.continue()
    })
    await open(page, '#/demo/in/?panel=upload')
    await page.getByLabel('Files to upload').setInputFiles(file)
    await expect.poll(() => offsets, { timeout: 20_000 }).toEqual(['0', '33554432'])
    expect(await lookAt(page, 'uploads-under-way')).toEqual([])
    const asked: string[] = []
    page.on('dialog', (dialog) => {
      asked.push(dialog.type())
      void dialog.accept()
    })
    await page.reload()
    expect(asked).toEqual(['beforeunload'])
    await page.getByText('Begun and not ended').waitFor()
    expect(await existsAt('/in/long.bin')).toBe(false)
    isHeld = false
    let isCut = true
    await page.route('**/uploads/**', async (route, request) => {
      if (request.method() !== 'PATCH' || !isCut) return await route.fallback()
      isCut = false
      await route.abort('connectionreset')
    })
    await page.getByLabel('Files to upload').setInputFiles(file)
    await page.getByText('Trying again').waitFor()
    await done(page)
    expect(offsets).toEqual(['0', '33554432', '33554432'])
    const stored = Buffer.from(await (await edge.fetch('/v1/demo/files/in/long.bin')).arrayBuffer())
    expect(stored.equals(bytes)).toBe(true)
    expect(problems.filter((problem) => !problem.includes('404') && !problem.includes('CONNECTION_RESET'))).toEqual([])
  }, 60_000)

  it('what is cancelled leaves nothing, and what fails says why and can be tried again', async () => {
    const { page, problems } = await bed.visit()
    await open(page, '#/demo/in/?panel=upload')
    let status = 507
    await page.route('**/files/in/fails.txt', async (route, request) => {
      if (request.method() === 'PUT' && status !== 200) return await route.fulfill({ status, contentType: 'application/json', body: '{"error":{"code":"denied","message":"Cannot write \\"/in/fails.txt\\": the token allows to read, and not to write"}}' })
      await route.continue()
    })
    await choose(page, [{ name: 'fails.txt', text: 'fails' }])
    await page.getByText('the token allows to read').waitFor()
    expect(await lookAt(page, 'uploads-failed')).toEqual([])
    status = 200
    await page.getByRole('button', { name: 'Try again: /in/fails.txt' }).click()
    await done(page)
    expect(await textOf('/in/fails.txt')).toBe('fails')
    await page.route('**/files/in/slow.txt', () => undefined)
    await choose(page, [{ name: 'slow.txt', text: 'slow' }])
    await page.getByRole('button', { name: 'Cancel /in/slow.txt' }).click()
    await page.getByText('Cancelled').waitFor()
    expect(await existsAt('/in/slow.txt')).toBe(false)
    expect(problems.filter((problem) => !problem.includes('507'))).toEqual([])
  })
})
