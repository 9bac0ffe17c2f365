/** Every action of the console, as each runtime has to carry it out. Odd cases are in `test/browser/console.test.ts`, `console-uploads.test.ts` and `console-panels.test.ts`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { unzip } from 'unzipit'
import { expect, test } from 'vitest'
import { tokenFor } from '../../edge/access/tokens.ts'
import { fileOperation } from '../../edge/edge-under-test.ts'
import { expectNoProblems } from '../../support/console-bed.ts'
import { tempDirectory } from '../../support/temp-directory.ts'
import { type ConsoleWorld, go, openConsole, textOf } from './world.ts'

export function actionSuite(world: () => ConsoleWorld): void {
  test('renames, deletes, archives, and what others change shows', async () => {
    const { edge } = world()
    const opened = await openConsole(world(), '#/demo/work/')
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
    await page.getByRole('button', { name: 'Actions for first.txt' }).click()
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Download' }).click()])
    expect([file.suggestedFilename(), await readFile(await file.path(), 'utf8')]).toEqual(['first.txt', 'one'])
    expectNoProblems(opened)
  })

  test('a folder that is dropped comes whole, and a long file goes on where it was after a reload', async () => {
    const folder = await tempDirectory()
    await mkdir(path.join(folder, 'photos/2026'), { recursive: true })
    await mkdir(path.join(folder, 'photos/empty'))
    await writeFile(path.join(folder, 'photos/a.txt'), 'photo a')
    await writeFile(path.join(folder, 'photos/2026/b.txt'), 'photo b')
    const long = Buffer.alloc(34 * 1024 * 1024, 'edgemount ')
    await writeFile(path.join(folder, 'long.bin'), long)
    const { edge, token } = world()
    await edge.commit({ op: 'mkdir', path: '/in' })
    const opened = await openConsole(world(), '#/demo/in/')
    const { page, context, shows } = opened
    await shows('in')
    const done = (): Promise<void> => page.getByRole('heading', { name: 'Uploads are done' }).waitFor({ timeout: 20_000 })
    const tools = await context.newCDPSession(page)
    const drag = { x: 400, y: 300, data: { items: [], files: [path.join(folder, 'photos')], dragOperationsMask: 1 } }
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await tools.send('Input.dispatchDragEvent', { type, ...drag })
    await done()
    await page.locator('.rows .name', { hasText: 'photos' }).waitFor()
    expect([await textOf(world(), '/in/photos/a.txt'), await textOf(world(), '/in/photos/2026/b.txt')]).toEqual(['photo a', 'photo b'])
    expect((await edge.fetch('/v1/demo/stat/in/photos/empty', { headers: { 'x-api-key': token } })).status).toBe(200)
    await page.getByRole('button', { name: 'Close the list of uploads' }).click()
    const offsets: string[] = []
    let isHeld = true
    await page.route('**/uploads/**', async (route, request) => {
      if (request.method() !== 'PATCH') return await route.continue()
      const offset = request.headers()['upload-offset'] ?? ''
      offsets.push(offset)
      // The second part does not arrive before the reload.
      if (offset === '0' || !isHeld) await route.continue()
    })
    await go(opened, '#/demo/in/?panel=upload')
    await page.getByLabel('Files to upload').setInputFiles(path.join(folder, 'long.bin'))
    await expect.poll(() => offsets, { timeout: 20_000 }).toEqual(['0', '33554432'])
    page.on('dialog', (dialog) => void dialog.accept())
    await page.reload()
    await page.getByText('Begun and not ended').waitFor()
    isHeld = false
    await page.getByLabel('Files to upload').setInputFiles(path.join(folder, 'long.bin'))
    await done()
    expect(offsets).toEqual(['0', '33554432', '33554432'])
    const stored = Buffer.from(await (await edge.fetch('/v1/demo/files/in/long.bin', { headers: { 'x-api-key': token } })).arrayBuffer())
    expect(stored.equals(long)).toBe(true)
    // Whether a name is taken is asked for by that name, and the browser tells of every 404.
    expectNoProblems(opened, /404/)
  }, 60_000)

  test('the history of a file: what a commit changed, what changed since, and an old version brought back', async () => {
    const { edge } = world()
    const put = (text: string): ReturnType<typeof fileOperation> => fileOperation(edge.volume, '/poem.txt', text, { replace: true })
    const first = await edge.commit(await put('one\ntwo\nthree\n'))
    const second = await edge.commit(await put('one\n2\nthree\nfour\n'))
    const opened = await openConsole(world(), '#/demo/poem.txt?panel=history')
    const { page } = opened
    await page.getByRole('button', { name: `Changes of commit ${second}` }).click()
    await page.getByRole('region', { name: 'Lines that differ' }).waitFor()
    const lines = await page.locator('.lines tbody tr').evaluateAll((rows) => rows.map((row) => `${row.className} ${row.lastElementChild?.textContent}`))
    expect(lines).toEqual(['line-same one', 'line-removed two', 'line-added 2', 'line-same three', 'line-added four'])
    await page.getByRole('button', { name: 'Back to the history' }).click()
    await page.getByRole('button', { name: `Since then: what changed after commit ${first}` }).click()
    await page.getByRole('heading', { name: `What changed since commit ${first}` }).waitFor()
    await page.getByRole('button', { name: 'Back to the history' }).click()
    await page.getByRole('button', { name: `Restore commit ${first}` }).click()
    await page.getByRole('button', { name: 'Restore', exact: true }).click()
    await page.getByText('Restored “/poem.txt”').waitFor()
    expect(await textOf(world(), '/poem.txt')).toBe('one\ntwo\nthree\n')
    await page.getByRole('link', { name: `View commit ${second}` }).click()
    await page.getByText('This is what commit').waitFor()
    await page.locator('pre', { hasText: 'four' }).waitFor()
    expectNoProblems(opened)
  })

  test('addresses are shared and open that alone, peers are listed, and without a token one is asked for', async () => {
    const { edge, bed, token } = world()
    const opened = await openConsole(world(), '#/demo/docs/notes.txt?panel=share')
    const { page } = opened
    const address = page.getByLabel('Address', { exact: true })
    await page.getByRole('button', { name: 'Make an address' }).click()
    const file = await address.inputValue()
    expect([(await (await fetch(file)).text()).startsWith('line 1\n'), file.includes(token)]).toEqual([true, false])
    await go(opened, '#/demo/docs/?panel=share')
    await page.getByRole('button', { name: 'Make an address' }).click()
    const folder = await address.inputValue()
    const said = { urls: ['http://10.0.0.7:8788'], zone: 'rack-4', cacheBytes: 10 * 1024 ** 3, version: '0.4.0' }
    expect((await edge.fetch('/v1/demo/peers/01jda7x3m0', { method: 'PUT', body: JSON.stringify(said), headers: { 'x-api-key': await tokenFor() } })).status).toBe(200)
    await go(opened, '#/demo/?panel=peers')
    await page.getByRole('cell', { name: '10 GiB' }).waitFor()
    expectNoProblems(opened)
    const guest = await bed.open('', { base: folder })
    await guest.page.getByRole('link', { name: 'notes.txt' }).waitFor()
    expect((await fetch(folder.replace(/#.*/, 'v1/demo/files/README.md'))).status).toBe(403)
    expectNoProblems(guest)
    const stranger = await bed.open('', { base: `${edge.url}/` })
    await stranger.shows('A token is needed')
    await stranger.page.getByLabel('Token').fill(token)
    await stranger.page.keyboard.press('Enter')
    await stranger.shows('demo')
    expectNoProblems(stranger, /401/)
  })
}
