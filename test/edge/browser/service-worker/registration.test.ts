/** What a page is told when no worker comes to work, without a browser: over workers that stay where they are. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { registerVolume } from '../../../../edge/browser/service-worker/registration.ts'

class FakeWorker extends EventTarget {
  state = 'installing'
  readonly scriptURL = 'http://app.example/edgemount-service-worker.js'
}

const registration = { scope: 'http://app.example/', installing: null as FakeWorker | null, waiting: null as FakeWorker | null, active: null as FakeWorker | null }

beforeEach(() => {
  vi.useFakeTimers()
  Object.assign(registration, { installing: null, waiting: null, active: null })
  const serviceWorker = Object.assign(new EventTarget(), { getRegistrations: () => Promise.resolve([]), register: () => Promise.resolve(registration) })
  vi.stubGlobal('navigator', { serviceWorker, locks: { request: (_: string, work: () => Promise<unknown>) => work() } })
  vi.stubGlobal('location', new URL('http://app.example/'))
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

async function failure(): Promise<string> {
  const registering = registerVolume({ prefix: '/photos/', url: 'https://files.example/v1/photos' }).then(() => 'registered', (error: Error) => error.message)
  await vi.advanceTimersByTimeAsync(60_000)
  return await registering
}

test('a script that never finishes to install is waited for a minute', async () => {
  registration.installing = new FakeWorker()
  expect(await failure()).toBe('Cannot start the service worker: its script does not finish to install; look there for what it waits for, and register the volume again')
})

test('so is a worker that an older one does not let in', async () => {
  Object.assign(registration, { waiting: new FakeWorker(), active: new FakeWorker() })
  expect(await failure()).toBe('Cannot start the service worker: an older one is still at work, for example for a pin; wait until that is done, or close the other tabs, and register the volume again')
})

test('a script that fails is not waited for', async () => {
  const worker = new FakeWorker()
  registration.installing = worker
  setTimeout(() => {
    registration.installing = null
    worker.state = 'redundant'
    worker.dispatchEvent(new Event('statechange'))
  }, 10)
  expect(await failure()).toBe("Cannot start the service worker: its script failed; look into the browser's console, and host edgemount's dist/service-worker.js there")
})
