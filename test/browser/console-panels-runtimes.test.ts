/** Uploads, history and shared addresses in the console of Deno and workerd, once each; `console-uploads.test.ts` and `console-panels.test.ts` look closely on Node. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundles } from '../../edge/bundle.ts'
import { tokenFor } from '../edge/access/tokens.ts'
import { type EdgeUnderTest, fileOperation } from '../edge/edge-under-test.ts'
import { closedRuntimes } from '../edge/runtimes.ts'
import { type ChromiumBed, startChromium } from '../support/chromium.ts'

let bed: ChromiumBed

beforeAll(async () => {
  await buildBundles()
  bed = await startChromium({ '/': { text: '<!doctype html><title>begin</title><link rel="icon" href="data:,"><script>isReady = true</script>', type: 'text/html' } })
})

afterAll(() => bed?.close())

describe.each(closedRuntimes.filter(([name]) => name !== 'Node'))('on %s', (_, start) => {
  let edge: EdgeUnderTest

  beforeAll(async () => {
    edge = await start()
    await edge.commit({ op: 'mkdir', path: '/in' }, await fileOperation(edge.volume, '/in/old.txt', 'as it was'))
    await edge.commit(await fileOperation(edge.volume, '/in/old.txt', 'as it is', { replace: true }))
  })

  afterAll(() => edge?.close())

  it('files go up in one request and in parts, an old version comes back, and an address is shared', async () => {
    const { page, problems } = await bed.visit()
    const token = await tokenFor({ rights: ['read', 'list', 'write'] })
    const textOf = async (path: string): Promise<string> => await (await edge.fetch(`/v1/demo/files${path}`, { headers: { 'x-api-key': token } })).text()
    const go = async (fragment: string): Promise<void> => {
      await page.goto('about:blank')
      await page.goto(`${edge.url}/t/${token}/${fragment}`)
    }
    await go('#/demo/in/?panel=upload')
    const long = Buffer.alloc(9 * 1024 * 1024, 'long ')
    await page.getByLabel('Files to upload').setInputFiles([{ name: 'new.txt', mimeType: 'text/plain', buffer: Buffer.from('new') }, { name: 'long.bin', mimeType: 'application/octet-stream', buffer: long }])
    await page.getByRole('heading', { name: 'Uploads are done' }).waitFor({ timeout: 20_000 })
    expect([await textOf('/in/new.txt'), (await textOf('/in/long.bin')) === long.toString()]).toEqual(['new', true])
    await go('#/demo/in/old.txt?panel=history')
    await page.getByRole('button', { name: 'Restore commit 2' }).click()
    await page.getByRole('button', { name: 'Restore', exact: true }).click()
    await page.getByText('Restored “/in/old.txt”').waitFor()
    expect(await textOf('/in/old.txt')).toBe('as it was')
    await go('#/demo/in/old.txt?panel=share')
    await page.getByRole('button', { name: 'Make an address' }).click()
    const address = await page.getByLabel('Address', { exact: true }).inputValue()
    expect(await (await fetch(address)).text()).toBe('as it was')
    expect(problems).toEqual([])
  }, 60_000)
})
