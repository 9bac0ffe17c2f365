/**
 * Random reads in a page: `edgemount/browser`, which fetches and verifies whole chunks, beside plain `fetch` with `Range` of the same ranges in the same page. Cold, and once
 * more after the volume was opened anew, so that everything comes from IndexedDB. Without Chromium there are no rows.
 */
import { existsSync } from 'node:fs'
import type * as Edgemount from '../../edge/browser/volume.ts'
import { fileOperation, startEdge, volumeName } from '../edge/edge-under-test.ts'
import { bundleForPage, startChromium } from '../support/chromium.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import type { Row } from './table.ts'

/** In the page. */
declare const edgemount: typeof Edgemount

const KiB = 1024
const fileBytes = 128 * KiB * KiB
const readBytes = 256 * KiB
const readCount = 60

interface Times {
  readonly cold: number
  readonly cached: number
  readonly plain: number
  readonly plainAgain: number
}

export async function benchBrowser(rounds: number): Promise<Row[]> {
  if (!existsSync('/usr/bin/chromium')) {
    console.error('(chromium is not installed: the rows of the browser are left out)')
    return []
  }
  const edge = await startEdge()
  const page = '<!doctype html><script type="module">globalThis.edgemount = await import("/browser.js"); globalThis.isReady = true</script>'
  const script = await bundleForPage("export * from './edge/browser/volume.ts'")
  const bed = await startChromium({ '/': { text: page, type: 'text/html' }, '/browser.js': { text: script, type: 'text/javascript' } })
  const times: Times[] = []
  try {
    const random = new SeededRandom(41)
    await edge.commit(await fileOperation(edge.volume, '/big.bin', random.bytes(fileBytes)))
    for (let round = 0; round < rounds; round += 1) {
      const starts = Array.from({ length: readCount }, () => new DataView(random.bytes(4).buffer).getUint32(0) % (fileBytes - readBytes))
      times.push(await measure(bed, `${edge.url}/v1/${volumeName}`, starts))
    }
  } finally {
    await bed.close()
    await edge.close()
  }
  const perSecond = (pick: (times: Times) => number): number[] => times.map((each) => (readCount * 1000) / pick(each))
  return [
    { name: 'browser: random reads of 256 KiB, cold', unit: 'reads/s', values: perSecond(({ cold }) => cold), baseline: { name: 'fetch with Range', values: perSecond(({ plain }) => plain) } },
    { name: 'browser: the same reads once more, from IndexedDB', unit: 'reads/s', values: perSecond(({ cached }) => cached), baseline: { name: 'fetch with Range', values: perSecond(({ plainAgain }) => plainAgain) } },
  ]
}

async function measure(bed: Awaited<ReturnType<typeof startChromium>>, url: string, starts: readonly number[]): Promise<Times> {
  const context = await bed.browser.newContext()
  try {
    const page = await context.newPage()
    await page.goto(`${bed.url}/`)
    await page.waitForFunction(() => 'isReady' in globalThis)
    return await page.evaluate(
      async ({ url, starts, length }) => {
        const ours = async (): Promise<number> => {
          const volume = await edgemount.openVolume(url)
          await volume.stat('/big.bin')
          const startMs = performance.now()
          for (const start of starts) await volume.read('/big.bin', { start, end: start + length })
          const elapsedMs = performance.now() - startMs
          await volume.close()
          return elapsedMs
        }
        const theirs = async (): Promise<number> => {
          const startMs = performance.now()
          for (const start of starts) {
            const response = await fetch(`${url}/files/big.bin`, { headers: { range: `bytes=${start}-${start + length - 1}` } })
            await response.arrayBuffer()
          }
          return performance.now() - startMs
        }
        return { plain: await theirs(), cold: await ours(), plainAgain: await theirs(), cached: await ours() }
      },
      { url, starts, length: readBytes },
    )
  } finally {
    await context.close()
  }
}
