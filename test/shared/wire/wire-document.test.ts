/** `shared/WIRE.md` tells the truth: its examples are sent to an edge, in order, and answered as they stand there. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../../edge/app.ts'
import { buildConsole } from '../../../edge/bundle.ts'
import { nodeDigest } from '../../../edge/http/node-digest.ts'
import { type NodeServer, nodeBytesBody, nodeHash, serveNode } from '../../../edge/node.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { ScopedStore } from '../../../edge/store/scoped.ts'
import { systemClock } from '../../../shared/clock.ts'
import { encodeRecord } from '../../../shared/format/commit.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { type RawResponse, parseResponse, rawRequest } from '../../support/raw-http.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

interface Example {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly answer: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }
}

const document = readFileSync(new URL('../../../shared/WIRE.md', import.meta.url), 'utf8')
const examples = Array.from(document.matchAll(/^```http\n(.*?)^```$/gms), ([, text]) => parseExample(text ?? ''))
const random = new SeededRandom(1)
const store = new MemoryStore()
const app = createApp({ console: await buildConsole(), store, clock: systemClock, random, hash: nodeHash, startDigest: nodeDigest, bytesBody: nodeBytesBody })
let server: NodeServer
/** Of the upload that was begun last: the document cannot say it. */
let uploadId = ''

beforeAll(async () => {
  server = await serveNode({ app, port: 0, closeMs: 200 })
})

afterAll(() => server.close())

function parseExample(text: string): Example {
  const answerStart = text.indexOf('\nHTTP/1.1 ')
  const [request = '', ...requestBody] = text.slice(0, answerStart).split('\n\n')
  const [answer = '', ...answerBody] = text.slice(answerStart + 1).split('\n\n')
  const [requestLine = '', ...requestHeaders] = request.trimEnd().split('\n')
  const [statusLine = '', ...answerHeaders] = answer.trimEnd().split('\n')
  const [method = '', path = ''] = requestLine.split(' ')
  return {
    method,
    path,
    headers: headersOf(requestHeaders),
    body: requestBody.join('\n\n').trimEnd(),
    answer: { status: Number(statusLine.split(' ')[1]), headers: headersOf(answerHeaders), body: answerBody.join('\n\n').trimEnd() },
  }
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
}

/** `…` stands for any text. */
function patternOf(text: string): RegExp {
  return new RegExp(`^${text.split('…').map(RegExp.escape).join('.*?')}$`, 's')
}

/** A record has the hash of the one before in it: the document cannot say it, so the test fills it in. */
async function bodyOf({ path, body }: Example): Promise<string | Uint8Array> {
  if (!body.includes('…')) return body
  expect(path).toBe('/v1/demo/log/5')
  const volume = await Volume.open({ store: new ScopedStore(store, 'demo'), clock: systemClock, random, hash: nodeHash })
  const before = (await volume.at(4)).record
  const record = { ...before, seq: 5, parent: await nodeHash(encodeRecord(before)), author: JSON.parse(body.replaceAll('"…"', '""').replaceAll('…', '0')).author, operations: [] }
  const bytes = encodeRecord(record)
  expect(new TextDecoder().decode(bytes)).toMatch(patternOf(body))
  return bytes
}

async function answerOf(example: Example): Promise<RawResponse> {
  const { method, headers } = example
  const path = example.path.replace('upload=…', `upload=${uploadId}`)
  if (headers['accept'] === 'text/event-stream') return await beginningOf(path)
  const hasBody = ['PUT', 'POST', 'PATCH'].includes(method)
  return await rawRequest(server.port, { method, path, headers, ...(hasBody ? { body: await bodyOf(example) } : {}) })
}

/** The first second of a stream that does not end. */
function beginningOf(path: string): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const socket = connect({ port: server.port, host: '127.0.0.1' }, () => socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`))
    socket.on('error', reject)
    socket.on('data', (data) => {
      received = Buffer.concat([received, data])
      if (received.includes('"operations":[]')) setTimeout(() => socket.destroy(), 50)
    })
    socket.on('close', () => resolve(parseResponse(received, 'GET')))
    socket.setTimeout(5000, () => socket.destroy(new Error('The events did not come within 5 s')))
  })
}

describe('shared/WIRE.md', () => {
  it.each(examples)('$method $path is answered as it says', async (example) => {
    const response = await answerOf(example)
    uploadId = response.headers['location']?.split('?upload=')[1] ?? uploadId
    expect(response.status).toBe(example.answer.status)
    for (const [name, value] of Object.entries(example.answer.headers)) expect(`${name}: ${response.headers[name]}`).toMatch(patternOf(`${name}: ${value}`))
    expect(response.body.toString().replaceAll('\r\n', '\n').trimEnd()).toMatch(patternOf(example.answer.body))
  })

  it('has an example of every route', () => {
    const missing = app.routes.filter(({ method, pattern }) => {
      const matcher = new RegExp(`^${pattern.replace('/{path}', '(/.*)?').replaceAll(/\{\w+\}/g, '[^/]+')}$`)
      return !examples.some((example) => example.method === method && matcher.test(example.path.split('?', 1)[0] ?? ''))
    })
    expect(missing).toEqual([])
  })
})
