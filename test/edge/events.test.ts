/** Commits as events: server-sent, resumed by seq, polled; and one watch over the log for all who listen. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { serveNode } from '../../edge/node.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { systemClock } from '../../shared/clock.ts'
import { EventStreamParser, type StreamEvent } from '../../shared/wire/event-stream.ts'
import { type SpyStore, spyStore } from '../support/spy-store.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type EdgeUnderTest, startEdge } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

let edge: EdgeUnderTest
let spy: SpyStore

/** An open event stream, and what came so far. */
class Listener {
  readonly events: StreamEvent[] = []
  readonly #stop = new AbortController()
  readonly #parser = new EventStreamParser()
  isEnded = false
  headers = new Headers()

  async open(query: string, headers: Record<string, string> = {}): Promise<this> {
    const response = await edge.fetch(`/v1/demo/events${query}`, { headers, signal: this.#stop.signal })
    if (response.status !== 200) throw new Error(`The event stream answered ${response.status}`)
    this.headers = response.headers
    void this.#read(response)
    onTestFinished(() => this.close())
    return this
  }

  get seqs(): number[] {
    return this.events.filter(({ type }) => type === 'commit').map(({ id }) => Number(id))
  }

  close(): void {
    this.#stop.abort()
  }

  async #read(response: Response): Promise<void> {
    try {
      for await (const bytes of response.body ?? []) this.events.push(...this.#parser.push(bytes))
    } catch {
      return
    } finally {
      this.isEnded = true
    }
  }
}

const mkdir = (name: string): Promise<number> => edge.commit({ op: 'mkdir', path: `/${name}` })

async function until(what: () => boolean, limitMs = 5000): Promise<number> {
  const start = performance.now()
  while (!what()) {
    if (performance.now() - start > limitMs) throw new Error(`It did not happen within ${limitMs} ms`)
    await sleep(5)
  }
  return performance.now() - start
}

describe.each(runtimes)('on %s', (_runtime, start) => {
  beforeEach(async () => {
    edge = await start()
    onTestFinished(() => edge.close())
  })

  describe('server-sent events', () => {
    it('tell of a commit made elsewhere within a second, as its record', async () => {
      const listener = await new Listener().open('')
      await until(() => listener.events.length === 1)
      expect(listener.events[0]).toEqual({ id: '1', type: 'position', data: '{"seq":1}' })
      await mkdir('a')
      expect(await until(() => listener.seqs.length === 1)).toBeLessThan(1000)
      const record = await (await edge.fetch('/v1/demo/log/2')).json()
      expect(JSON.parse(listener.events[1]?.data ?? '')).toEqual(record)
      expect(listener.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
      expect(listener.headers.get('cache-control')).toBe('no-store, no-transform')
    })

    it('begin after any seq, without gap or repetition', async () => {
      for (const name of ['a', 'b', 'c']) await mkdir(name)
      const all = await new Listener().open('?after=0')
      const some = await new Listener().open('?after=2')
      const resumed = await new Listener().open('?after=0', { 'last-event-id': '3' })
      await mkdir('d')
      await until(() => all.seqs.length === 5 && some.seqs.length === 3 && resumed.seqs.length === 2)
      await sleep(100)
      expect([all.seqs, some.seqs, resumed.seqs]).toEqual([[1, 2, 3, 4, 5], [3, 4, 5], [4, 5]])
    })

    it('reach listeners who are far behind, in order', async () => {
      for (let index = 0; index < 150; index += 1) await mkdir(`d${index}`)
      const listener = await new Listener().open('?after=0')
      await until(() => listener.seqs.length === 151)
      expect(listener.seqs).toEqual(Array.from({ length: 151 }, (_, index) => index + 1))
    })

    it('of no volume are 404', async () => {
      expect((await edge.fetch('/v1/nothing/events')).status).toBe(404)
      expect((await edge.fetch('/v1/demo/events?after=-1')).status).toBe(400)
    })
  })

  describe('long poll', () => {
    const poll = async (query: string): Promise<{ events: { seq: number }[]; position: number }> => (await edge.fetch(`/v1/demo/events${query}`)).json()

    it('answers at once when there is something', async () => {
      await mkdir('a')
      const answer = await poll('?after=0&wait=5000')
      expect(answer.events.map(({ seq }) => seq)).toEqual([1, 2])
      expect(answer.position).toBe(2)
    })

    it('waits for the next commit', async () => {
      const answer = poll('?after=1&wait=5000')
      await sleep(100)
      await mkdir('a')
      expect((await answer).position).toBe(2)
    })

    it('answers with nothing when the time is over', async () => {
      expect(await poll('?after=1&wait=50')).toEqual({ events: [], position: 1 })
      expect(await poll('?wait=0')).toEqual({ events: [], position: 1 })
      expect((await edge.fetch('/v1/demo/events?wait=60001')).status).toBe(400)
    })
  })
})

describe('over a store that is watched', () => {
  beforeEach(async () => {
    edge = await startEdge({
      store: new MemoryStore(),
      wrap: (store) => {
        spy = spyStore(store)
        return spy.store
      },
    })
    onTestFinished(() => edge.close())
  })

  it('share one watch, which ends with the last listener', async () => {
    const listeners = await Promise.all(Array.from({ length: 10 }, () => new Listener().open('')))
    await until(() => listeners.every(({ events }) => events.length === 1))
    spy.calls.length = 0
    await sleep(500)
    // 10 polls of 50 ms for all ten of them, with room for a slow machine.
    expect(spy.calls.length).toBeGreaterThan(2)
    expect(spy.calls.length).toBeLessThan(20)
    for (const listener of listeners) listener.close()
    await sleep(150)
    spy.calls.length = 0
    await sleep(300)
    expect(spy.calls).toEqual([])
  })

  it('go on after the store was away', async () => {
    const listener = await new Listener().open('')
    await until(() => listener.events.length === 1)
    spy.script.push('unavailable', 'unavailable')
    await mkdir('a')
    await until(() => listener.seqs.length === 1)
    expect(listener.isEnded).toBe(false)
  })

  it('end cleanly when the edge shuts down', async () => {
    const pending = edge.raw({ path: '/v1/demo/events' })
    await sleep(100)
    const start = performance.now()
    await edge.close()
    const ended = await pending
    expect(performance.now() - start).toBeLessThan(900)
    expect(ended.isCut).toBe(false)
    expect(ended.body.toString()).toBe('retry: 1000\n\nid: 1\nevent: position\ndata: {"seq":1}\n\n')
  })

  it('cost nothing while their reader does not read, however far behind it is', async () => {
    for (let index = 0; index < 300; index += 1) await mkdir(`d${index}`)
    const stop = new AbortController()
    const app = createApp({ store: spy.store, clock: systemClock, random: new SeededRandom(5), pollMs: 60_000 })
    onTestFinished(() => app.dispose())
    const response = await app.fetch(new Request('http://edge.test/v1/demo/events?after=0', { signal: stop.signal }))
    const reader = response.body!.getReader()
    await reader.read()
    spy.calls.length = 0
    expect(new TextDecoder().decode((await reader.read()).value).match(/^event: commit$/gm)).toHaveLength(100)
    const reads = (): number => spy.calls.filter((call) => call.startsWith('get demo/log/')).length
    const before = reads()
    expect(before).toBeLessThanOrEqual(101)
    await sleep(100)
    expect(reads()).toBe(before)
    await reader.read()
    expect(reads()).toBeGreaterThan(before)
    stop.abort()
    await reader.cancel()
  })

  it('are for so many at once, and there is room again when one leaves', async () => {
    const app = createApp({ store: spy.store, clock: systemClock, random: new SeededRandom(5), listenersMax: 3, pollMs: 20 })
    onTestFinished(() => app.dispose())
    const ask = async (query: string): Promise<Response> => await app.fetch(new Request(`http://edge.test/v1/demo/events${query}`))
    const streams = [await ask(''), await ask('')]
    const poll = ask('?wait=10000')
    await sleep(50)
    for (const query of ['', '?wait=0']) {
      const refused = await ask(query)
      expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([429, '1', { error: { code: 'exhausted' } }])
    }
    await streams[0]!.body!.cancel()
    expect((await ask('?wait=0')).status).toBe(200)
    await streams[1]!.body!.cancel()
    await app.dispose()
    expect((await poll).status).toBe(503)
  })
})

describe.each([
  ['Node', 'node', ['--experimental-eventsource', '--no-warnings']],
  ['Deno', 'deno', ['run', '-A']],
] as const)('the EventSource of %s', (_name, command, flags) => {
  it('resumes by itself where it was, when the edge has come back', async () => {
    const store = new MemoryStore()
    edge = await startEdge({ store })
    const { port } = edge
    const root = path.resolve(import.meta.dirname, '../..')
    const script = path.join(root, 'test/support/event-source.ts')
    const child = spawn(path.join(root, 'node_modules/.bin', command), [...flags, script, `${edge.url}/v1/demo/events?after=1`], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let output = ''
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
    await mkdir('a')
    await until(() => output === '2 2\n', 20_000)
    await edge.close()
    await mkdir('b')
    const app = createApp({ store, clock: systemClock, random: new SeededRandom(6), pollMs: 50 })
    const server = await serveNode({ app, port, closeMs: 200 })
    onTestFinished(() => server.close())
    await mkdir('c')
    await until(() => output === '2 2\n3 3\n4 4\n', 20_000)
  })
})
