/**
 * Debian's Chromium for tests of what runs in pages: one browser a file, a server for the pages, and a fresh context a test, whose console errors, exceptions and failed
 * requests are collected as `problems`. Pages are on `localhost`, where browsers allow everything; edges are on another port, so they are another origin.
 */
import { createServer, type Server } from 'node:http'
import path from 'node:path'
import { build } from 'esbuild'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const root = path.resolve(import.meta.dirname, '../..')

/** What a page's server has, by address. */
export type ServedFiles = Readonly<Record<string, { readonly text: string | Uint8Array; readonly type: string }>>

export interface Visit {
  readonly context: BrowserContext
  readonly page: Page
  /** Addresses that pages and their workers asked for beyond their own server, in order. */
  readonly requests: string[]
  /** What went wrong that nobody expected: a test looks at it at its end, or takes out what it caused. */
  readonly problems: string[]
  /** Another tab beside the first. */
  newPage(): Promise<Page>
}

export interface ChromiumBed {
  readonly url: string
  readonly browser: Browser
  visit(): Promise<Visit>
  close(): Promise<void>
}

/** A TypeScript module of the project, or of a package, as one script for a page. */
export async function bundleForPage(contents: string): Promise<string> {
  const { outputFiles } = await build({ stdin: { contents, resolveDir: root, loader: 'ts' }, bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2024' })
  return outputFiles[0]!.text
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })
}

export async function startChromium(files: ServedFiles): Promise<ChromiumBed> {
  const server = createServer(({ url = '' }, response) => {
    const file = files[url.replace(/\?.*/, '')]
    if (file === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': file.type }).end(file.text)
  })
  const url = `http://localhost:${await listen(server)}`
  const browser = await launchChromium()
  return {
    url,
    browser,
    visit: () => visit(browser, url),
    close: async () => {
      await browser.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function visit(browser: Browser, url: string): Promise<Visit> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const requests: string[] = []
  context.on('request', (request) => {
    if (!request.url().startsWith(url)) requests.push(request.url())
  })
  const problems = problemsOf(context)
  const newPage = async (): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(`${url}/`)
    await page.waitForFunction(() => 'isReady' in globalThis)
    return page
  }
  return { context, page: await newPage(), requests, problems, newPage }
}

/** Collects what goes wrong in pages from now on. */
export function problemsOf(context: BrowserContext): string[] {
  const problems: string[] = []
  context.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? ''
    // What a page itself gave up is no failure.
    if (why !== 'net::ERR_ABORTED') problems.push(`${request.url()} failed: ${why}`)
  })
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(`${message.type()}: ${message.text()}`)
  })
  context.on('weberror', (error) => problems.push(String(error.error())))
  return problems
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
