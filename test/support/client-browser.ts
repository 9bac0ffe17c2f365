/**
 * Debian's Chromium with a page on which readers wait: DuckDB and h5wasm, each in a worker. The page, its scripts and their WebAssembly come from
 * a server of the test's own; what they read comes from elsewhere, so every read is one of a foreign origin.
 */
import { createReadStream } from 'node:fs'
import { createServer, type Server } from 'node:http'
import path from 'node:path'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'

export interface ClientBrowser {
  readonly page: Page
  close(): Promise<void>
}

const modules = path.resolve(import.meta.dirname, '../../node_modules')
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Address → file and type. */
const served: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/duckdb.wasm': ['@duckdb/duckdb-wasm/dist/duckdb-eh.wasm', 'application/wasm'],
  '/duckdb-worker.js': ['@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js', 'text/javascript'],
  '/h5wasm.js': ['h5wasm/dist/iife/h5wasm.js', 'text/javascript'],
}

/** Reads part of a dataset; HDF5's reads are synchronous, which only a worker may do over HTTP. */
const h5Worker = `
importScripts('/h5wasm.js')
onmessage = async ({ data: { address, dataset, start, end } }) => {
  try {
    const { FS } = await h5wasm.ready
    FS.createLazyFile('/', 'lazy.h5', address, true, false)
    const file = new h5wasm.File('/lazy.h5', 'r')
    postMessage({ values: [...file.get(dataset).slice([[start, end]])] })
  } catch (error) {
    postMessage({ failure: String(error) })
  }
}`

export async function startClientBrowser(): Promise<ClientBrowser> {
  const script = await build({
    stdin: { contents: "export * from '@duckdb/duckdb-wasm'", resolveDir: modules },
    bundle: true, write: false, format: 'iife', globalName: 'duckdb', platform: 'browser', target: 'es2024',
  })
  const texts: Readonly<Record<string, readonly [text: string, type: string]>> = {
    '/': ['<!doctype html><title>clients</title><script src="/duckdb.js"></script><body></body>', 'text/html'],
    '/duckdb.js': [script.outputFiles[0]!.text, 'text/javascript'],
    '/h5-worker.js': [h5Worker, 'text/javascript'],
  }
  const server = createServer(({ url = '' }, response) => {
    const [text, type] = texts[url] ?? ['', served[url]?.[1] ?? 'text/plain']
    response.setHeader('content-type', type)
    const file = served[url]?.[0]
    if (file === undefined) response.writeHead(url in texts ? 200 : 404).end(text)
    else createReadStream(path.join(modules, file)).pipe(response)
  })
  const port = await listen(server)
  const browser: Browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })
  const page = await browser.newPage()
  await page.goto(`http://localhost:${port}/`)
  return {
    page,
    close: async () => {
      await browser.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
