import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../../edge/app.ts'
import { nodeHash, serveNode } from '../../../edge/node.ts'
import { systemClock } from '../../../shared/clock.ts'
import { VolumeClient } from '../../../shared/wire/client.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../../edge/edge-under-test.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { failureOf, pattern } from '../../support/store-bytes.ts'

let edge: EdgeUnderTest
let client: VolumeClient

const clientOf = (url: string, volume = 'demo', silenceMs?: number): VolumeClient =>
  new VolumeClient({ url, volume, fetch, clock: systemClock, random: new SeededRandom(5), silenceMs })

beforeEach(async () => {
  edge = await startEdge()
  onTestFinished(() => edge.close())
  client = clientOf(edge.url)
})

describe('lookups', () => {
  it('give the entries that the volume has', async () => {
    const name = 'caf\udce9 <&> 100%'
    await edge.commit(await fileOperation(edge.volume, `/dir/${name}`, pattern(300_000)), await fileOperation(edge.volume, '/dir/small', 'abc'))
    const snapshot = await edge.volume.head()
    const entry = await snapshot.resolve(`/dir/${name}`)
    expect(await client.stat(`/dir/${name}`)).toEqual({ seq: 2, path: `/dir/${name}`, entry })
    expect(await client.list('/dir')).toEqual({ seq: 2, items: [{ name, entry }, { name: 'small', entry: await snapshot.resolve('/dir/small') }], isLast: true })
    expect((await client.list('/dir', { after: name })).items.map((item) => item.name)).toEqual(['small'])
    expect((await client.list('/', { seq: 1 })).items).toEqual([])
    expect(await client.manifest(`/dir/${name}`, { range: { start: 0, end: 1 } })).toMatchObject({ size: 300_000, inline: undefined, nextStart: undefined })
    expect((await client.manifest('/dir/small')).inline).toEqual(new TextEncoder().encode('abc'))
    expect(await client.head()).toBe(2)
  })

  it("say what the edge says when there is nothing", async () => {
    expect(await failureOf(client.stat('/none'))).toBe('not-found')
    await expect(client.stat('/none')).rejects.toThrow('Cannot open "/none": it does not exist')
    expect(await failureOf(clientOf(edge.url, 'none').head())).toBe('not-found')
  })
})

describe('events', () => {
  /** Follows until the test ends; what came, and when the stream was live. */
  function follow(over: VolumeClient, after: number): { seqs: number[]; states: boolean[]; ended: Promise<unknown>; stop: AbortController } {
    const stop = new AbortController()
    const seqs: number[] = []
    const states: boolean[] = []
    const run = async (): Promise<void> => {
      for await (const record of over.events({ after, signal: stop.signal, onConnected: (is) => void states.push(is) })) seqs.push(record.seq)
    }
    const ended = failureOf(run())
    onTestFinished(() => stop.abort())
    return { seqs, states, ended, stop }
  }

  async function until(what: () => boolean): Promise<number> {
    const start = performance.now()
    while (!what()) {
      if (performance.now() - start > 8000) throw new Error('It did not happen within 8 s')
      await sleep(5)
    }
    return performance.now() - start
  }

  it('come in order, each once, within a second', async () => {
    await edge.commit({ op: 'mkdir', path: '/a' })
    const followed = follow(client, 0)
    await until(() => followed.seqs.length === 2)
    await edge.commit({ op: 'mkdir', path: '/b' })
    expect(await until(() => followed.seqs.length === 3)).toBeLessThan(1000)
    expect(followed.seqs).toEqual([1, 2, 3])
    followed.stop.abort()
    expect(await followed.ended).toBe('aborted')
    expect(followed.states).toEqual([true, false])
  })

  it('go on after the edge was away, without gap or repetition', async () => {
    const app = () => createApp({ store: edge.store, clock: systemClock, random: new SeededRandom(6), hash: nodeHash, pollMs: 50 })
    const first = await serveNode({ app: app(), port: 0, closeMs: 200 })
    const followed = follow(clientOf(first.url), 0)
    await until(() => followed.seqs.length === 1)
    await first.close()
    await edge.commit({ op: 'mkdir', path: '/while-away' })
    await until(() => followed.states.at(-1) === false)
    const second = await serveNode({ app: app(), port: first.port, closeMs: 200 })
    onTestFinished(() => second.close())
    await until(() => followed.seqs.length === 2)
    await edge.commit({ op: 'mkdir', path: '/after' })
    await until(() => followed.seqs.length === 3)
    expect(followed.seqs).toEqual([1, 2, 3])
    expect(followed.states).toEqual([true, false, true])
  })

  it('a silent connection is given up and made again', async () => {
    let connections = 0
    const silent = await serveNode({
      app: {
        fetch: () => {
          connections += 1
          return Promise.resolve(new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } }))
        },
        dispose: () => Promise.resolve(),
      },
      port: 0,
      closeMs: 100,
    })
    onTestFinished(() => silent.close())
    follow(clientOf(silent.url, 'demo', 100), 0)
    await until(() => connections >= 3)
    expect(connections).toBeGreaterThanOrEqual(3)
  })

  it('of no volume end with the reason', async () => {
    expect(await follow(clientOf(edge.url, 'none'), 0).ended).toBe('not-found')
  })
})
