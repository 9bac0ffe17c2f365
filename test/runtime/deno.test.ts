/** What the server on Deno does by itself: names it answers to, no compression, broken bodies, its end. What all runtimes do is in `runtime.test.ts`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VolumeClient } from '../../shared/wire/client.ts'
import { systemClock } from '../../shared/clock.ts'
import { exchange, parseResponse, type RawResponse, rawRequest } from '../support/raw-http.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { pattern } from '../support/store-bytes.ts'

const root = path.resolve(import.meta.dirname, '../..')
let directory: string
let deno: ChildProcess
let port: number
let output = ''

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'edgemount-deno-'))
  deno = spawn(path.join(root, 'node_modules/.bin/deno'), ['run', '-A', 'edge/deno.ts', `dir:${directory}`, '--port', '0', '--host-name', 'photos.example'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  deno.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()))
  deno.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const start = performance.now()
  let match: RegExpExecArray | null = null
  while (match === null) {
    if (performance.now() - start > 45_000 || deno.exitCode !== null) throw new Error(`Deno does not serve: ${output}`)
    await sleep(20)
    match = /serving dir:\S+ at http:\/\/127\.0\.0\.1:(\d+)/.exec(output)
  }
  port = Number(match[1])
  const made = await rawRequest(port, { method: 'PUT', path: '/v1/demo' })
  if (made.status !== 201) throw new Error(`The volume was not made: ${made.body.toString()}`)
})

afterAll(async () => {
  if (deno.exitCode === null) {
    const ended = new Promise((resolve) => deno.once('exit', resolve))
    deno.kill('SIGKILL')
    await ended
  }
  await rm(directory, { recursive: true, force: true })
})

const ask = (address: string, headers: Record<string, string> = {}, method = 'GET'): Promise<RawResponse> => rawRequest(port, { method, path: address, headers })

describe('the edge on Deno', () => {
  it('answers to no name that a page could have', async () => {
    expect((await ask('/v1/demo/files/', { host: 'evil.example' })).status).toBe(403)
    expect((await ask('/v1/demo/files/', { host: `localhost:${port}` })).status).toBe(200)
    expect((await ask('/v1/demo/files/', { host: 'photos.example' })).status).toBe(200)
  })

  it('says which port is taken, and what to do', async () => {
    const second = spawn(path.join(root, 'node_modules/.bin/deno'), ['run', '-A', 'edge/deno.ts', `dir:${directory}`, '--port', String(port)], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    let told = ''
    second.stderr.on('data', (bytes: Buffer) => (told += bytes.toString()))
    const code = await new Promise((resolve) => second.once('close', resolve))
    expect([code, told]).toEqual([1, expect.stringContaining(`Cannot listen on "127.0.0.1:${port}": another program has the port; stop it, or choose another with --port`)])
  })

  it('never compresses text, which would break its ranges', async () => {
    await rawRequest(port, { method: 'PUT', path: '/v1/demo/files/dir/small', body: 'x' })
    await rawRequest(port, { method: 'PUT', path: '/v1/demo/files/long.txt', body: 'the same again '.repeat(10_000) })
    const response = await ask('/v1/demo/files/long.txt', { 'accept-encoding': 'gzip, br' })
    expect(response.headers).not.toHaveProperty('content-encoding')
    expect(response.headers['content-length']).toBe('150000')
  })

  it('lists, looks up and refuses as on Node', async () => {
    const listing = JSON.parse((await ask('/v1/demo/list/')).body.toString())
    expect(listing.items.map((item: { name: string }) => item.name)).toEqual(['dir', 'long.txt'])
    expect((await ask('/v1/demo/files/dir%2Fbig.bin')).status).toBe(400)
    expect((await ask('/v1/demo/files/none')).status).toBe(404)
    expect((await ask('/v1/demo/files/none', {}, 'POST')).headers['allow']).toBe('GET, HEAD, PUT, DELETE, OPTIONS')
    expect((await ask('/v1/demo/files/dir', { accept: 'text/html' })).headers['location']).toBe('./dir/')
    expect((await ask('/openapi.json')).status).toBe(200)
  })

  it('a body that breaks off leaves nothing', async () => {
    const before = (await ask('/v1/demo/head')).body.toString()
    const { connect } = await import('node:net')
    await new Promise<void>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => {
        socket.write('PUT /v1/demo/files/broken HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n')
        socket.write(pattern(60_000), () => setTimeout(() => socket.destroy(), 50))
      })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
    })
    await sleep(200)
    expect((await ask('/v1/demo/head')).body.toString()).toBe(before)
    expect((await ask('/v1/demo/files/broken')).status).toBe(404)
  })

  it('tells of commits within a second, and ends event streams when it is stopped', async () => {
    const client = new VolumeClient({ url: `http://127.0.0.1:${port}`, volume: 'demo', fetch, clock: systemClock, random: new SeededRandom(1) })
    const stop = new AbortController()
    const after = await client.head()
    const next = client.events({ after, signal: stop.signal }).next()
    await sleep(200)
    const start = performance.now()
    await rawRequest(port, { method: 'PUT', path: '/v1/demo/files/new', body: 'x' })
    expect((await next).value?.seq).toBe(after + 1)
    expect(performance.now() - start).toBeLessThan(1000)
    stop.abort()
    const stream = exchange(port, Buffer.from('GET /v1/demo/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'))
    await sleep(200)
    const ended = new Promise<number | null>((resolve) => deno.once('exit', resolve))
    deno.kill('SIGTERM')
    expect(parseResponse(await stream, 'GET').isCut).toBe(false)
    expect(await ended).toBe(0)
  })
})
