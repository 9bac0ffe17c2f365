/** Random reads by many at once, of files that change, over a network and a cache that fail in every way: what is given out is always what some commit had. */
import { expect, test } from 'vitest'
import { codeOf } from '../../../shared/error.ts'
import { CountedFetch, openInNode } from '../../support/browser-volume.ts'
import { MemoryTable } from '../../support/memory-table.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge-under-test.ts'

const seeds = [1, 2, 3, 4]
const fileBytes = 3 * 1024 * 1024
/** What may be told to a reader under these faults; anything else is a bug. */
const allowed = new Set(['unavailable', 'aborted', 'corrupt'])

test.each(seeds)('seed %i', async (seed) => {
  const random = new SeededRandom(seed)
  const below = (limit: number): number => new DataView(random.bytes(4).buffer).getUint32(0) % limit
  const edge: EdgeUnderTest = await startEdge()
  try {
    const network = new CountedFetch()
    network.answer = (url, init) => {
      const chance = below(100)
      if (chance < 5) return Promise.reject(new TypeError('Failed to fetch'))
      if (chance < 8) return Promise.resolve(new Response('', { status: 503 }))
      if (chance >= 16) return undefined
      return fetch(url, init).then(async (response) => {
        const bytes = new Uint8Array(await response.arrayBuffer())
        if (!response.ok || !url.includes('/packs/') || bytes.length === 0) return new Response(bytes, response)
        if (chance < 12) return new Response(bytes.subarray(0, below(bytes.length)), response)
        bytes[below(bytes.length)]! ^= 1 + below(255)
        return new Response(bytes, response)
      })
    }
    const table = new MemoryTable()
    table.quotaBytes = 4 * 1024 * 1024
    const versions = new Map<number, Uint8Array>()
    const write = async (isNew: boolean): Promise<void> => {
      const body = (versions.get(edge.volume.seenSeq) ?? random.bytes(fileBytes)).slice()
      body.set(random.bytes(50_000), below(fileBytes - 50_000))
      versions.set(await edge.commit(await fileOperation(edge.volume, '/a', body, isNew ? {} : { replace: true })), body)
    }
    await write(true)
    const open = async (): Promise<Awaited<ReturnType<typeof openInNode>>['volume']> => {
      for (;;) {
        const opened = await openInNode(`${edge.url}/v1/${volumeName}`, { table, network, cache: { bytes: 2 * 1024 * 1024 }, memoryBytes: 1024 * 1024 }).catch(() => undefined)
        if (opened !== undefined) return opened.volume
      }
    }
    const volumes = [await open(), await open()]
    let readCount = 0
    for (let step = 0; step < 12; step += 1) {
      const damaged = [...table.bodies.values()][below(table.bodies.size + 1)]
      if (damaged !== undefined && damaged.length > 0) damaged[below(damaged.length)]! ^= 1
      await Promise.all(
        Array.from({ length: 6 }, async (_, index) => {
          const volume = volumes[index % 2]!
          const start = below(fileBytes)
          const end = Math.min(fileBytes, start + below(index === 0 ? fileBytes : 300_000))
          const stop = new AbortController()
          if (below(6) === 0) setTimeout(() => stop.abort(), below(10))
          try {
            const bytes = await volume.read('/a', { start, end }, stop)
            const isSome = [...versions.values()].some((body) => Buffer.compare(bytes, body.subarray(start, end)) === 0)
            expect(isSome, `seed ${seed}, step ${step}: bytes ${start} to ${end} are of no version`).toBe(true)
            readCount += 1
          } catch (error) {
            if (!allowed.has(codeOf(error))) throw error
          }
        }),
      )
      if (step % 4 === 3) await write(false)
      if (step % 4 === 1) await Promise.all(volumes.map((volume) => volume.refresh().catch(() => false)))
    }
    await Promise.all(volumes.map((volume) => volume.close()))
    expect(readCount).toBeGreaterThan(20)
    expect(table.total).toBeLessThanOrEqual(2 * 1024 * 1024)
  } finally {
    await edge.close()
  }
})
