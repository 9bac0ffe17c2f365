/**
 * The console in Chromium, as an edge serves it: a fresh context a test, in the size and colours that are asked for, with axe-core at hand, what came over the network
 * counted, and everything that went wrong collected. Screenshots go into `test/artifacts/`.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type axe from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { launchChromium, problemsOf } from './chromium.ts'

const root = path.resolve(import.meta.dirname, '../..')
const artifacts = path.join(root, 'test/artifacts')
const axeSource = readFileSync(path.join(root, 'node_modules/axe-core/axe.min.js'), 'utf8')

/** In the page. */
declare const axeCore: typeof axe

export interface Look {
  readonly width?: 'phone' | 'desktop'
  readonly scheme?: 'light' | 'dark'
  /** Before the fragment; the edge's root unless given. */
  readonly base?: string
}

export interface ConsolePage {
  readonly page: Page
  readonly context: BrowserContext
  readonly problems: string[]
  /** Addresses that were asked for, in order. */
  readonly requests: string[]
  /** Bytes of bodies that have come so far. */
  readonly received: () => number
  /** From now on the network brings no more than this in a second. */
  slow(bytesPerSecond: number): Promise<void>
  /** Waits until the title of the view is this. */
  shows(title: string): Promise<void>
  /** Names in the table, those that are drawn. */
  names(): Promise<string[]>
  shoot(name: string): Promise<void>
  /** What axe-core finds: rule and place, a line each. */
  violations(): Promise<string[]>
}

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } }

export class ConsoleBed {
  readonly #browser: Browser
  readonly #url: string

  private constructor(browser: Browser, url: string) {
    this.#browser = browser
    this.#url = url
  }

  static async start(url: string): Promise<ConsoleBed> {
    mkdirSync(artifacts, { recursive: true })
    return new ConsoleBed(await launchChromium(), url)
  }

  async close(): Promise<void> {
    await this.#browser.close()
  }

  /** A page at an address of the console; `fragment` begins with `#`. */
  async open(fragment: string, { width = 'desktop', scheme = 'light', base = `${this.#url}/` }: Look = {}): Promise<ConsolePage> {
    const context = await this.#browser.newContext({ viewport: sizes[width], colorScheme: scheme, hasTouch: width === 'phone' })
    onTestFinished(() => context.close())
    const problems = problemsOf(context)
    const requests: string[] = []
    context.on('request', (request) => requests.push(request.url()))
    const page = await context.newPage()
    let bytes = 0
    const session = await context.newCDPSession(page)
    await session.send('Network.enable')
    session.on('Network.dataReceived', ({ dataLength }) => (bytes += dataLength))
    await page.goto(`${base}${fragment}`)
    const look = `${width}-${scheme}`
    return {
      page,
      context,
      problems,
      requests,
      received: () => bytes,
      slow: async (bytesPerSecond) => {
        await session.send('Network.emulateNetworkConditions', { offline: false, latency: 5, downloadThroughput: bytesPerSecond, uploadThroughput: -1 })
      },
      shows: (title) => page.locator('h1', { hasText: title }).waitFor(),
      names: async () => {
        // The heading is there before the rows.
        await page.locator('.rows .name').first().waitFor()
        return await page.locator('.rows .name').allTextContents()
      },
      shoot: async (name) => {
        await page.screenshot({ path: path.join(artifacts, `console-${name}-${look}.png`) })
      },
      violations: () => violationsOf(page),
    }
  }
}

async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(`if (globalThis.axeCore === undefined) { const module = undefined; ${axeSource}; globalThis.axeCore = axe }`)
  // Colours that are under way to others are neither.
  await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== 'running'))
  return await page.evaluate(async () => {
    const { violations } = await axeCore.run(document, { resultTypes: ['violations'] })
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`))
  })
}

/** Nothing went wrong, but for what the test caused. */
export function expectNoProblems({ problems }: ConsolePage, ...caused: readonly RegExp[]): void {
  expect(problems.filter((problem) => !caused.some((pattern) => pattern.test(problem)))).toEqual([])
}
