/** History, differences, bringing back, shared addresses and peers in the console, in Chromium; and what pages of a volume may do on its origin. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import { startGuardedEdge } from '../edge/access/guarded-edge.ts'
import { tokenFor } from '../edge/access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../edge/edge-under-test.ts'
import { type ChromiumBed, startChromium } from '../support/chromium.ts'
import { pngBytes } from '../support/console-files.ts'
import { lookAt } from '../support/console-visit.ts'

let bed: ChromiumBed
let edge: EdgeUnderTest
let closed: EdgeUnderTest
const seqs: Record<string, number> = {}
/** Says what it may do: the origin that it has, and whether it can write. */
const script = `<!doctype html><title>page</title><p id="ran">no</p><script>
document.getElementById('ran').textContent = 'as ' + origin
let kept = 'yes'
try { localStorage.setItem('a', 'b') } catch { kept = 'no' }
fetch('/v1/demo/files/stolen.txt', { method: 'PUT', body: 'x' }).then(({ status }) => status, () => 'refused').then((status) => { document.title = 'write ' + status + ', storage ' + kept })
</script>`

beforeAll(async () => {
  const console = await buildConsole()
  edge = await startEdge({ console })
  closed = await startGuardedEdge({ console })
  bed = await startChromium({ '/': { text: '<!doctype html><title>begin</title><link rel="icon" href="data:,"><script>isReady = true</script>', type: 'text/html' } })
  const put = async (path: string, body: string): ReturnType<typeof fileOperation> => await fileOperation(edge.volume, path, body, { replace: true })
  seqs['first'] = await edge.commit(await put('/docs/poem.txt', 'one\ntwo\nthree\nfour\n'), await put('/docs/lost.txt', 'lost'), await put('/page.html', script))
  seqs['second'] = await edge.commit(await put('/docs/poem.txt', 'one\n2\nthree\nfour\nfive\n'))
  seqs['third'] = await edge.commit({ op: 'unlink', path: '/docs/lost.txt' })
  await closed.commit(await fileOperation(closed.volume, '/docs/a.txt', 'shared text'), await fileOperation(closed.volume, '/secret.txt', 'secret'), await fileOperation(closed.volume, '/page.html', `${script}<img src="picture.png"><img src="https://elsewhere.example/pixel.png"><link rel="stylesheet" href="style.css"><iframe src="docs/a.txt"></iframe>`), await fileOperation(closed.volume, '/picture.png', pngBytes()), await fileOperation(closed.volume, '/style.css', '#ran { color: rgb(1, 2, 3) }'))
})

afterAll(async () => {
  await bed?.close()
  await edge?.close()
  await closed?.close()
})

const open = async (page: Page, url: string): Promise<void> => {
  await page.goto('about:blank')
  await page.goto(url)
  await page.locator('h1').waitFor()
}

describe('history', () => {
  it('of a file: its commits, the lines that differ, and an old version brought back', async () => {
    const { page, problems } = await bed.visit()
    await open(page, `${edge.url}/#/demo/docs/poem.txt?panel=history`)
    await page.getByText(`commit ${seqs['second']}`).waitFor()
    expect(await lookAt(page, 'history-file')).toEqual([])
    await page.getByRole('button', { name: `Changes of commit ${seqs['second']}` }).click()
    await page.getByRole('region', { name: 'Lines that differ' }).waitFor()
    const lines = await page.locator('.lines tbody tr').evaluateAll((rows) => rows.map((row) => `${row.className} ${row.lastElementChild?.textContent}`))
    expect(lines).toEqual(['line-same one', 'line-removed two', 'line-added 2', 'line-same three', 'line-same four', 'line-added five'])
    expect(await lookAt(page, 'history-lines')).toEqual([])
    await page.getByRole('button', { name: 'Back to the history' }).click()
    await page.getByRole('button', { name: `Since then: what changed after commit ${seqs['first']}` }).click()
    await page.getByRole('heading', { name: `What changed since commit ${seqs['first']}` }).waitFor()
    const since = page.url()
    await page.goBack()
    // The list that was left, and the place in it.
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(`Since then: what changed after commit ${seqs['first']}`)
    await page.goForward()
    await page.getByRole('heading', { name: `What changed since commit ${seqs['first']}` }).waitFor()
    await page.goBack()
    await page.getByRole('button', { name: `Restore commit ${seqs['first']}` }).waitFor()
    const [withIt, without] = [new URL(since).hash, new URL(page.url()).hash]
    expect([withIt, without]).toEqual([`#/demo/docs/poem.txt?panel=history&from=${seqs['first']}`, '#/demo/docs/poem.txt?panel=history'])
    await open(page, since)
    await page.getByRole('region', { name: 'Lines that differ' }).waitFor()
    await page.getByRole('button', { name: 'Back to the history' }).click()
    await page.getByRole('button', { name: `Restore commit ${seqs['first']}` }).click()
    expect(await lookAt(page, 'history-restore')).toEqual([])
    await page.getByRole('button', { name: 'Restore', exact: true }).click()
    await page.getByText('Restored “/docs/poem.txt”').waitFor()
    expect(await (await edge.fetch('/v1/demo/files/docs/poem.txt')).text()).toBe('one\ntwo\nthree\nfour\n')
    await page.getByRole('link', { name: `View commit ${seqs['second']}` }).click()
    await page.getByText('This is what commit').waitFor()
    await page.getByText('five').waitFor()
    expect(problems).toEqual([])
  })

  it('of a folder: what a commit changed, and what it removed brought back', async () => {
    const { page, problems } = await bed.visit()
    await open(page, `${edge.url}/#/demo/docs/?panel=history`)
    await page.getByRole('button', { name: `Changes of commit ${seqs['third']}` }).click()
    await page.getByText('Removed').waitFor()
    expect(await lookAt(page, 'history-folder')).toEqual([])
    expect(new URL(page.url()).hash).toBe(`#/demo/docs/?panel=history&from=${seqs['second']}&to=${seqs['third']}`)
    await page.reload()
    await page.getByRole('heading', { name: `What commit ${seqs['third']} changed` }).waitFor()
    await page.getByRole('button', { name: 'Restore /docs/lost.txt' }).click()
    await page.getByLabel('As a copy beside it').check()
    await page.getByRole('button', { name: 'Restore', exact: true }).click()
    await page.getByText('Restored “/docs/lost (commit').waitFor()
    expect(await (await edge.fetch(`/v1/demo/files/docs/lost%20(commit%20${seqs['third']! - 1}).txt`)).text()).toBe('lost')
    // A commit that there is not, in an address that somebody typed.
    await page.goto(`${edge.url}/#/demo/docs/poem.txt?panel=history&from=${seqs['first']}&to=999`)
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor()
    // Whether something has the name is asked for by it.
    expect(problems.filter((problem) => !problem.includes('404'))).toEqual([])
  })
})

describe('share', () => {
  it('of a file and of a folder: others open it, and nothing else', async () => {
    const { page, context, problems } = await bed.visit()
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const token = await tokenFor({ rights: ['read', 'list'] })
    await open(page, `${closed.url}/t/${token}/#/demo/docs/a.txt?panel=share`)
    await page.getByRole('button', { name: 'Make an address' }).click()
    const address = await page.getByLabel('Address', { exact: true }).inputValue()
    expect([await (await fetch(address)).text(), address.includes(token)]).toEqual(['shared text', false])
    await page.getByRole('button', { name: 'Copy' }).click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(address)
    expect(await lookAt(page, 'share')).toEqual([])
    await open(page, `${closed.url}/t/${token}/#/demo/docs/?panel=share`)
    await page.getByRole('button', { name: 'Make an address' }).click()
    const folder = await page.getByLabel('Address', { exact: true }).inputValue()
    const guest = await bed.visit()
    await open(guest.page, folder)
    await guest.page.getByRole('link', { name: 'a.txt' }).waitFor()
    expect((await fetch(folder.replace(/#.*/, 'v1/demo/files/secret.txt'))).status).toBe(403)
    expect([...problems, ...guest.problems]).toEqual([])
  })

  it('without a token says why there is nothing to sign', async () => {
    const { page, problems } = await bed.visit()
    await open(page, `${edge.url}/#/demo/docs/poem.txt?panel=share`)
    await page.getByText('You came without a token').waitFor()
    expect(await page.getByLabel('Address', { exact: true }).inputValue()).toBe(`${edge.url}/v1/demo/files/docs/poem.txt`)
    expect(await lookAt(page, 'share-open')).toEqual([])
    expect(problems).toEqual([])
  })
})

describe('with a token for a part', () => {
  it('files go up and their past is told there, and nothing of the rest is asked for', async () => {
    const { page, problems, requests } = await bed.visit()
    const token = await tokenFor({ prefix: '/docs', rights: ['read', 'list', 'write'] })
    await open(page, `${closed.url}/t/${token}/#/demo/docs/?panel=upload`)
    await page.getByLabel('Files to upload').setInputFiles([{ name: 'mine.txt', mimeType: 'text/plain', buffer: Buffer.from('mine') }])
    await page.getByRole('heading', { name: 'Uploads are done' }).waitFor()
    await open(page, `${closed.url}/t/${token}/#/demo/docs/mine.txt?panel=history`)
    await page.getByText('Added').waitFor()
    expect(await page.getByRole('link', { name: 'Peers' }).count()).toBe(0)
    const reader = await tokenFor({ prefix: '/docs', rights: ['read', 'list'] })
    await open(page, `${closed.url}/t/${reader}/#/demo/docs/`)
    expect(await page.getByRole('link', { name: 'Upload' }).count()).toBe(0)
    expect(requests.filter((url) => url.includes('/packs/') || url.endsWith('/log'))).toEqual([])
    // Whether a name is taken is asked for by that name there, and the browser tells of every 404.
    expect(problems.filter((problem) => !problem.includes('404'))).toEqual([])
  })
})

describe('peers', () => {
  it('are listed with what they say of themselves', async () => {
    const { page, problems } = await bed.visit()
    await open(page, `${edge.url}/#/demo/?panel=peers`)
    await page.getByText('Nobody is listed now').waitFor()
    const said = { urls: ['http://10.0.0.7:8788'], zone: 'rack-4', cacheBytes: 10 * 1024 ** 3, version: '0.4.0' }
    expect((await edge.fetch('/v1/demo/peers/01jda7x3m0', { method: 'PUT', body: JSON.stringify(said) })).status).toBe(200)
    await open(page, `${edge.url}/#/demo/?panel=peers`)
    await page.getByRole('cell', { name: '10 GiB' }).waitFor()
    expect(await lookAt(page, 'peers')).toEqual([])
    expect(problems).toEqual([])
  })
})

describe('pages of a volume', () => {
  it('have an origin of their own on an edge that can be written to', async () => {
    const { page, problems } = await bed.visit()
    await page.goto(`${edge.url}/v1/demo/files/page.html`)
    await expect.poll(() => page.title()).toBe('write 403, storage no')
    expect(await page.locator('#ran').textContent()).toBe('as null')
    expect((await edge.fetch('/v1/demo/stat/stolen.txt')).status).toBe(404)
    expect(problems.length).toBeGreaterThan(0)
  })

  it('are saved at an address that holds a token; opened with one they run no script, and load from the same place alone', async () => {
    const { page, requests, problems } = await bed.visit()
    const token = await tokenFor()
    for (const url of [`${closed.url}/t/${token}/v1/demo/files/page.html`, `${closed.url}/v1/demo/files/page.html?t=${token}`]) {
      const [saved] = await Promise.all([page.waitForEvent('download'), page.goto(url).catch(() => undefined)])
      expect([saved.suggestedFilename(), await page.title()]).toEqual(['page.html', 'begin'])
      await saved.delete()
    }
    await page.setExtraHTTPHeaders({ authorization: `Bearer ${token}` })
    requests.length = 0
    await page.goto(`${closed.url}/v1/demo/files/page.html`)
    expect([await page.title(), await page.locator('#ran').textContent()]).toEqual(['page', 'no'])
    expect(await page.locator('#ran').evaluate((text) => getComputedStyle(text).color)).toBe('rgb(1, 2, 3)')
    await page.waitForFunction(() => document.images[0]?.naturalWidth === 64)
    expect(requests.filter((url) => url.startsWith(closed.url)).map((url) => new URL(url).pathname).toSorted()).toEqual(['/v1/demo/files/page.html', '/v1/demo/files/picture.png', '/v1/demo/files/style.css'])
    expect(problems.find((problem) => problem.includes('elsewhere.example') && problem.includes('img-src'))).toBeDefined()
    expect((await closed.fetch('/v1/demo/stat/stolen.txt', { headers: { 'x-api-key': token } })).status).toBe(404)
  })
})
