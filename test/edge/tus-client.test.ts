/** A client of tus that nobody here wrote, over connections that break: its file arrives whole, on each runtime. */
import { createServer, connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Upload } from 'tus-js-client'
import { SeededRandom } from '../support/seeded-random.ts'
import { runtimes } from './runtimes.ts'

const mib = 1024 * 1024

/** A way to the server that breaks each connection that is open once so many bytes have gone through, each time once. */
async function breakingWay(port: number, breaksAt: readonly number[]): Promise<string> {
  const sockets = new Set<Socket>()
  const left = [...breaksAt]
  let passed = 0
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    const far = connect({ port, host: '127.0.0.1' })
    for (const [one, other] of [[near, far], [far, near]] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
    near.on('data', (bytes) => {
      passed += bytes.length
      if (passed < (left[0] ?? Infinity)) return
      left.shift()
      destroyAll()
    })
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    destroyAll()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

/** Bytes that come nowhere twice, made faster than random ones. */
function largeBody(length: number): Buffer {
  const tile = new SeededRandom(3).bytes(mib)
  const body = Buffer.allocUnsafe(length)
  for (let start = 0; start < length; start += tile.length) body.set(tile.subarray(0, Math.min(tile.length, length - start)), start)
  for (let at = 0; at + 8 <= length; at += 16_384) body.writeDoubleLE(at, at)
  return body
}

describe.each(runtimes)('tus-js-client, on %s', (runtime, start) => {
  it('sends a large file in four parts through two breaks', async () => {
    const edge = await start()
    onTestFinished(() => edge.close())
    // 200 MiB in parts of 50; the others are asked for less, for the sake of time.
    const scale = runtime === 'Node' ? 1 : 5
    const body = largeBody((200 * mib) / scale)
    const url = await breakingWay(edge.port, [(70 * mib) / scale, (190 * mib) / scale])
    let parts = 0
    let errors = 0
    const location = await new Promise<string | null>((resolve, reject) => {
      const upload: Upload = new Upload(body, {
        endpoint: `${url}/v1/demo/uploads/from/elsewhere.bin`,
        chunkSize: (50 * mib) / scale,
        retryDelays: [50, 100, 200, 400, 800],
        metadata: { filename: 'elsewhere.bin', mtime: '1700000000' },
        headers: { 'If-None-Match': '*' },
        onChunkComplete: () => (parts += 1),
        onShouldRetry: () => ((errors += 1), true),
        onError: reject,
        onSuccess: () => resolve(upload.url),
      })
      upload.start()
    })
    expect(location).toContain('/v1/demo/uploads/from/elsewhere.bin?upload=')
    // What came before a break is kept, so the last part may be none any more.
    expect(parts).toBeGreaterThanOrEqual(3)
    expect(errors).toBeGreaterThanOrEqual(2)
    const served = await edge.fetch('/v1/demo/files/from/elsewhere.bin')
    expect(Buffer.compare(Buffer.from(await served.arrayBuffer()), body)).toBe(0)
    expect(served.headers.get('last-modified')).not.toBeNull()
    const head = await edge.volume.head()
    expect([head.seq, (await head.resolve('/from/elsewhere.bin')).mtime.seconds]).toEqual([2, 1_700_000_000])
  })
})
