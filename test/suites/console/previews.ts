/** Every preview of the console, as each runtime has to serve it. What does not depend on the runtime is looked at closely in `test/browser/console-views.test.ts`. */
import { expect, test } from 'vitest'
import { expectNoProblems } from '../../support/console-bed.ts'
import { type ConsoleWorld, go, openConsole } from './world.ts'

export function previewSuite(world: () => ConsoleWorld): void {
  test('text goes on where one wants it to, Markdown leads on, and tables have their rows', async () => {
    const opened = await openConsole(world(), '')
    const { page, shows } = opened
    // The token is for one volume, so the console begins in it.
    await shows('demo')
    await page.locator('.rows .name', { hasText: 'README.md' }).waitFor()
    await go(opened, '#/demo/README.md')
    await page.waitForFunction(() => (document.querySelector<HTMLImageElement>('article img')?.naturalWidth ?? 0) === 64)
    await page.getByRole('link', { name: 'a file' }).click()
    await page.locator('pre', { hasText: 'line 200' }).waitFor()
    await go(opened, '#/demo/docs/long.log')
    await page.getByText('The first 256 KiB of 820 KiB are shown.').waitFor()
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByText('The first 820 KiB of 820 KiB are shown.').waitFor()
    expect(await page.locator('pre').evaluate((pre) => pre.textContent.length)).toBe(840_000)
    await go(opened, '#/demo/data/cities.csv')
    await page.getByRole('cell', { name: 'City, 59' }).waitFor()
    await go(opened, '#/demo/data/table.parquet')
    await page.getByText('500 rows, 3 columns, 1 row group').waitFor()
    await page.getByText('The first 100 rows of 500 are shown.').waitFor()
    await page.getByRole('button', { name: 'Next 100 rows' }).click()
    await page.getByText('The first 200 rows of 500 are shown.').waitFor()
    expect(await page.locator('.data').last().locator('tbody tr').last().innerText()).toBe('200\t199\tcity 3\t2023-11-14T22:16:39.000Z')
    await go(opened, '#/demo/data/nested.parquet')
    await page.getByRole('cell', { name: '["a","b"]' }).waitFor()
    await go(opened, '#/demo/strange/raw%FF.txt')
    await page.locator('pre', { hasText: 'bytes' }).waitFor()
    await go(opened, '#/demo/data/empty')
    await page.getByText('This file is empty.').waitFor()
    await go(opened, '#/demo/data/random.bin')
    await page.getByText('there is no preview of its kind').waitFor()
    await go(opened, '#/demo/none')
    await shows('There is nothing here')
    expectNoProblems(opened)
  })

  test('pictures, sound, video and PDF are read by the browser itself, and can be sought in', async () => {
    const { edge, token } = world()
    const opened = await openConsole(world(), '#/demo/media/picture.png')
    const { page } = opened
    await page.getByText('64 × 48 pixels').waitFor()
    await go(opened, '#/demo/media/drawing.svg')
    await page.getByText('120 × 80 pixels').waitFor()
    expect(await page.evaluate(() => 'isHacked' in globalThis)).toBe(false)
    for (const [name, tag, duration] of [['tone.wav', 'audio', 1.9], ['video.webm', 'video', 3.9]] as const) {
      await go(opened, `#/demo/media/${name}`)
      await page.waitForFunction(([of, least]) => (document.querySelector<HTMLMediaElement>(of)?.duration ?? 0) > least, [tag, duration] as const)
      await page.evaluate(async (of) => {
        const player = document.querySelector<HTMLMediaElement>(of)!
        player.muted = true
        player.currentTime = player.duration * 0.75
        await new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }))
        await player.play()
      }, tag)
      await page.waitForFunction(([of, from]) => document.querySelector<HTMLMediaElement>(of)!.currentTime > from, [tag, duration * 0.76] as const)
    }
    await go(opened, '#/demo/media/page.pdf')
    if (await page.evaluate(() => navigator.pdfViewerEnabled)) expect(await page.locator('iframe').getAttribute('src')).toBe(`${edge.url}/t/${token}/v1/demo/files/media/page.pdf`)
    else await page.getByText('This browser has no viewer for PDF.').waitFor()
    await go(opened, '#/demo/media/broken.png')
    await page.getByText('This browser cannot show the picture').waitFor()
    expectNoProblems(opened)
  })
}
