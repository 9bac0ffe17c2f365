/** The server around the app: its port, its end, and where it refuses to begin. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nodeHash, serveNode } from '../../edge/node.ts'
import { webHash } from '../../shared/hash.ts'
import { pattern } from '../support/store-bytes.ts'
import { fileOperation, startEdge } from './edge-under-test.ts'

const idleApp = { fetch: () => Promise.resolve(new Response('x')), dispose: () => Promise.resolve() }

describe('serveNode', () => {
  it('takes a free port and says which', async () => {
    const server = await serveNode({ app: idleApp, port: 0 })
    onTestFinished(() => server.close())
    expect(server.port).toBeGreaterThan(0)
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`)
    expect(await (await fetch(server.url)).text()).toBe('x')
  })

  it('says what to do when the port is taken', async () => {
    const server = await serveNode({ app: idleApp, port: 0 })
    onTestFinished(() => server.close())
    await expect(serveNode({ app: idleApp, port: server.port })).rejects.toThrow(/Cannot listen on "127\.0\.0\.1:\d+": another program has the port; .*--port/)
    await expect(serveNode({ app: idleApp, port: 0, host: '192.0.2.1' })).rejects.toThrow(/does not have that address/)
  })

  it('closes by its signal', async () => {
    const stop = new AbortController()
    const server = await serveNode({ app: idleApp, port: 0, signal: stop.signal })
    stop.abort()
    await server.close()
    await expect(fetch(server.url)).rejects.toThrow('fetch failed')
  })

  it('leaves the globals of the process alone', async () => {
    const before = [globalThis.Request, globalThis.Response]
    const server = await serveNode({ app: idleApp, port: 0 })
    onTestFinished(() => server.close())
    await fetch(server.url)
    expect([globalThis.Request, globalThis.Response]).toEqual(before)
  })

  it('lets requests under way finish, and ends those that do not', async () => {
    const edge = await startEdge()
    await edge.commit(await fileOperation(edge.volume, '/x', pattern(30_000_000)))
    const response = await edge.fetch('/v1/demo/files/x')
    const closing = edge.close()
    expect((await response.arrayBuffer()).byteLength).toBe(30_000_000)
    await closing
    const stuck = await serveNode({ app: { ...idleApp, fetch: () => new Promise(() => undefined) }, port: 0, closeMs: 200 })
    const pending = fetch(stuck.url).catch(() => 'ended')
    await sleep(50)
    const start = performance.now()
    await stuck.close()
    expect(performance.now() - start).toBeLessThan(1500)
    expect(await pending).toBe('ended')
  })
})

describe('nodeHash', () => {
  it('is the hash', async () => {
    const bytes = pattern(70_000)
    expect(await nodeHash(bytes)).toBe(await webHash(bytes))
  })
})
