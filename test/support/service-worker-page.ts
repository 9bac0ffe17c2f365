/** A page for tests of the service worker, with a script `/more.js` of the test's own, and the worker that its app has: it keeps the page itself for offline use, and takes edgemount's in. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { buildBundles } from '../../edge/bundle.ts'
import type { ServedFiles } from './chromium.ts'

export const shellWorker = '/app-worker.js'

const page = `<!doctype html><title>service worker</title><link rel="icon" href="data:,"><script src="/more.js"></script><script type="module">
  globalThis.edgemount = await import('/register-volume.js')
  globalThis.isReady = true
</script><body></body>`

const worker = `importScripts('/service-worker.js')
  const shell = ['/', '/more.js', '/register-volume.js']
  addEventListener('install', (event) => event.waitUntil(caches.open('shell').then((cache) => cache.addAll(shell))))
  addEventListener('fetch', (event) => {
    if (shell.includes(new URL(event.request.url).pathname)) event.respondWith(caches.match(event.request).then((kept) => kept ?? fetch(event.request)))
  })`

export async function workerFiles(more: ServedFiles = {}): Promise<ServedFiles> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgemount-dist-'))
  await buildBundles(directory)
  const script = async (name: string): Promise<ServedFiles[string]> => ({ text: await readFile(path.join(directory, name), 'utf8'), type: 'text/javascript' })
  const files = {
    '/': { text: page, type: 'text/html' },
    [shellWorker]: { text: worker, type: 'text/javascript' },
    '/register-volume.js': await script('register-volume.js'),
    '/service-worker.js': await script('service-worker.js'),
    '/more.js': { text: '', type: 'text/javascript' },
    ...more,
  }
  await rm(directory, { recursive: true, force: true })
  return files
}
