/** Commits as events: server-sent, resumed by seq, polled; and one watch over the log for all who listen. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore } from '../../edge/store/memory.ts'
import { EventStreamParser, type StreamEvent } from '../../shared/wire/event-stream.ts'
import { type SpyStore, spyStore } from '../support/spy-store.ts'
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

async function until(what: () => boolean): Promise<number> {
  const start = performance.now()
  while (!what()) {
    if (performance.now() - start > 5000) throw new Error('It did not happen within 5 s')
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
})
