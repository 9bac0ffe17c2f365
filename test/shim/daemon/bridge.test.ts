import { expect, test } from 'vitest'
import type { Pointer } from '../../../shared/format/entry.ts'
import type { Backend, Failure, FetchListener, FetchRequest, FileChore } from '../../../shim/fs/backend.ts'
import { BackendServer } from '../../../shim/daemon/backend-server.ts'
import type { ToFileSystem, ToNetwork } from '../../../shim/daemon/messages.ts'
import { RemoteBackend } from '../../../shim/daemon/remote-backend.ts'
import { remoteLogger } from '../../../shim/daemon/remote-log.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { hashOf } from '../../support/hash-of.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { metaPack } from '../../support/page-memory.ts'
import { utf8 } from '../../support/test-volume.ts'

const pointer: Pointer = { hash: hashOf(utf8('p')), pack: metaPack, offset: 0, length: 4 }
const request: FetchRequest = { manifest: utf8('m'), range: { start: 0, end: 10 }, fd: 3, isDemand: true, label: '/f' }

/** A backend that is answered by the test. */
class ScriptedBackend implements Backend {
  readonly calls: string[] = []
  readonly pages: ((answer: Uint8Array | Failure) => void)[] = []
  readonly fetches: FetchListener[] = []
  readonly syncs: ((result: number) => void)[] = []

  page(asked: Pointer, done: (answer: Uint8Array | Failure) => void): number {
    this.calls.push(`page ${asked.offset}`)
    this.pages.push(done)
    return 100 + this.pages.length
  }

  fetch(asked: FetchRequest, listener: FetchListener): number {
    this.calls.push(`fetch ${asked.label} ${asked.fd}`)
    this.fetches.push(listener)
    return 200 + this.fetches.length
  }

  promote(ticket: number): void {
    this.calls.push(`promote ${ticket}`)
  }

  cancel(ticket: number): void {
    this.calls.push(`cancel ${ticket}`)
  }

  prepare(chores: readonly FileChore[], done: (ready: readonly boolean[]) => void): void {
    done(chores.map(({ to }) => to !== undefined))
  }

  sync(fd: number, done: (result: number) => void): void {
    this.calls.push(`sync ${fd}`)
    this.syncs.push(done)
  }
}

/** Both sides with messages cloned in between, as threads have it. */
function bridge(): { backend: ScriptedBackend; remote: RemoteBackend; server: BackendServer } {
  const backend = new ScriptedBackend()
  const server: BackendServer = new BackendServer(backend, (message: ToFileSystem, transfer) => {
    expect(remote.receive(structuredClone(message, { transfer: [...transfer] }))).toBe(true)
  })
  const remote: RemoteBackend = new RemoteBackend((message: ToNetwork) => {
    expect(server.receive(structuredClone(message))).toBe(true)
  })
  return { backend, remote, server }
}

test('a page crosses as a copy of its own, a failure as it is', () => {
  const { backend, remote } = bridge()
  const answers: (Uint8Array | Failure)[] = []
  remote.page(pointer, (answer) => answers.push(answer))
  remote.page(pointer, (answer) => answers.push(answer))
  expect(remote.requestCount).toBe(2)
  const whole = utf8('....page....')
  backend.pages[0]!(whole.subarray(4, 8))
  backend.pages[1]!({ code: 'corrupt', message: 'damaged' })
  expect(answers).toEqual([utf8('page'), { code: 'corrupt', message: 'damaged' }])
  expect(whole.buffer.byteLength).toBe(12)
  expect((answers[0] as Uint8Array).buffer.byteLength).toBe(4)
  expect(remote.requestCount).toBe(0)
})

test('a fetch tells what is present, what could not be cached, and its end', () => {
  const { backend, remote } = bridge()
  const told: unknown[] = []
  remote.fetch(request, {
    present: (range, isHole) => told.push(['present', range, isHole]),
    uncached: (range, bytes) => told.push(['uncached', range, bytes]),
    done: (failure) => told.push(['done', failure]),
  })
  const listener = backend.fetches[0]!
  listener.present({ start: 0, end: 4 }, true)
  listener.uncached({ start: 4, end: 6 }, utf8('xxabxx').subarray(2, 4))
  listener.done(undefined)
  expect(told).toEqual([
    ['present', { start: 0, end: 4 }, true],
    ['uncached', { start: 4, end: 6 }, utf8('ab')],
    ['done', undefined],
  ])
  expect(remote.requestCount).toBe(0)
})

test('cancel and promote reach the right request, and none that is over', () => {
  const { backend, remote, server } = bridge()
  const listener: FetchListener = { present: () => {}, uncached: () => {}, done: () => {} }
  const page = remote.page(pointer, () => {})
  const fetch = remote.fetch(request, listener)
  remote.promote(fetch)
  remote.cancel(page)
  remote.cancel(fetch)
  backend.fetches[0]!.done({ code: 'aborted', message: '' })
  remote.cancel(fetch)
  remote.promote(fetch)
  expect(backend.calls).toEqual(['page 0', 'fetch /f 3', 'promote 201', 'cancel 101', 'cancel 201'])
  server.close()
  expect(backend.calls.at(-1)).toBe('cancel 101')
})

test('a sync gives its result', () => {
  const { backend, remote } = bridge()
  const results: number[] = []
  remote.sync(7, (result) => results.push(result))
  backend.syncs[0]!(-5)
  expect([backend.calls, results]).toEqual([['sync 7'], [-5]])
})

test('one request too many is refused and the others go on', () => {
  const sent: ToNetwork[] = []
  const remote = new RemoteBackend((message) => sent.push(message))
  for (let count = 0; count < 16_384; count += 1) remote.page(pointer, () => {})
  const answers: unknown[] = []
  remote.page(pointer, (answer) => answers.push(answer))
  remote.fetch(request, { present: () => {}, uncached: () => {}, done: (failure) => answers.push(failure) })
  remote.sync(1, (result) => answers.push(result))
  expect(answers).toMatchObject([{ code: 'exhausted' }, { code: 'exhausted' }, -11])
  expect(sent).toHaveLength(16_384)
})

test('a storm of log lines is counted instead of sent', async () => {
  const sent: ToNetwork[] = []
  const clock = new ManualClock()
  const log = remoteLogger((message) => sent.push(message), clock)
  for (let count = 0; count < 1000; count += 1) log.error('Cannot read', { error: new EdgemountError('corrupt', 'bad') })
  expect(sent).toHaveLength(50)
  expect(sent[0]).toEqual({ kind: 'log', level: 'error', message: 'Cannot read', fields: { error: 'corrupt: bad' } })
  await clock.advance(1000)
  log.info('again')
  expect(sent.slice(50)).toMatchObject([{ message: '950 more lines were left out' }, { message: 'again' }])
})
