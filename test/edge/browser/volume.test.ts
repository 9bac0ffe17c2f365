/** The engine of pages, in Node over a real edge: what it reads, what it asks for, what it keeps. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { MemoryTable } from '../../support/memory-table.ts'
import { CountedFetch, openInNode } from '../../support/browser-volume.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge-under-test.ts'

const MiB = 1024 * 1024
const big = new SeededRandom(11).bytes(6 * MiB)

let edge: EdgeUnderTest
let url: string

beforeAll(async () => {
  edge = await startEdge()
  url = `${edge.url}/v1/${volumeName}`
  await edge.commit(
    await fileOperation(edge.volume, '/data/big.bin', big),
    await fileOperation(edge.volume, '/data/small.txt', 'hello, world'),
    await fileOperation(edge.volume, '/empty', ''),
    { op: 'symlink', path: '/link', target: 'data/small.txt' },
  )
})

afterAll(async () => {
  await edge.close()
})

describe('names', () => {
  test('a directory is listed page by page, with what its entries are', async () => {
    const { volume } = await openInNode(url)
    const first = await volume.list('/', { limit: 2 })
    expect(first).toMatchObject({ path: '/', isLast: false, items: [{ name: 'data', kind: 'directory' }, { name: 'empty', kind: 'file', size: 0 }] })
    expect(await volume.list('/', { after: 'empty' })).toMatchObject({ isLast: true, items: [{ name: 'link', kind: 'symlink', target: 'data/small.txt' }] })
    await expect(volume.list('/empty')).rejects.toThrow('Cannot list "/empty": it is a file')
  })

  test('a symlink is followed; what is not there is not found', async () => {
    const { volume } = await openInNode(url)
    const found = await volume.stat('/link')
    expect(found).toMatchObject({ path: '/data/small.txt', size: 12 })
    const head = await edge.fetch(`/v1/${volumeName}/files/link`, { method: 'HEAD' })
    expect(head.headers.get('etag')).toBe(`"${found.version}"`)
    await expect(volume.stat('/nothing')).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('/nothing') })
    await expect(volume.read('/data')).rejects.toThrow('Cannot read "/data": it is a directory')
  })

  test('one commit is shown until it is told to move on', async () => {
    const own = await startEdge()
    await own.commit(await fileOperation(own.volume, '/a', 'one'))
    const { volume } = await openInNode(`${own.url}/v1/${volumeName}`)
    const pinned = await volume.at(volume.seq)
    await own.commit(await fileOperation(own.volume, '/b', 'two'))
    await expect(volume.stat('/b')).rejects.toMatchObject({ code: 'not-found' })
    expect(await volume.refresh()).toBe(true)
    expect(await volume.refresh()).toBe(false)
    expect(await volume.stat('/b')).toMatchObject({ size: 3 })
    await expect(pinned.stat('/b')).rejects.toMatchObject({ code: 'not-found' })
    expect(await pinned.refresh()).toBe(false)
    await volume.close()
    await own.close()
  })
})

test('a volume that was made anew under its name shows nothing of the old one, whatever is kept', async () => {
  const [before, after] = [await startEdge({ seed: 21 }), await startEdge({ seed: 22 })]
  const network = new CountedFetch()
  let [isAnew, breaks] = [false, false]
  network.answer = (address, init) => {
    if (breaks && !address.endsWith('/head')) return Promise.reject(new TypeError('fetch failed'))
    return isAnew ? fetch(address.replace(before.url, after.url), init) : undefined
  }
  await before.commit(await fileOperation(before.volume, '/old', 'old'))
  await after.commit(await fileOperation(after.volume, '/new', 'new'))
  const address = `${before.url}/v1/${volumeName}`
  const { volume, table } = await openInNode(address, { network })
  expect(await volume.stat('/old')).toMatchObject({ size: 3 })
  await volume.flush()
  isAnew = true
  breaks = true
  await expect(volume.refresh(), 'the new volume is known of, and cannot be read yet').rejects.toMatchObject({ code: 'unavailable' })
  breaks = false
  expect(await volume.refresh()).toBe(true)
  expect((await volume.list('/')).items.map(({ name }) => name)).toEqual(['new'])
  const later = await openInNode(address, { network, table })
  expect((await later.volume.list('/')).items.map(({ name }) => name)).toEqual(['new'])
  expect((await (await later.volume.at(2)).list('/')).items.map(({ name }) => name)).toEqual(['new'])
  await before.close()
  await after.close()
})

test('follow moves on with every commit, and tells what it changed', async () => {
  const own = await startEdge()
  const { volume } = await openInNode(`${own.url}/v1/${volumeName}`)
  const stop = new AbortController()
  const told: string[] = []
  const following = volume.follow(
    ({ seq, operations }) => {
      told.push(...operations.map(({ op, path }) => `${seq} ${volume.seq} ${op} ${path}`))
      if (told.length === 2) stop.abort()
    },
    { signal: stop.signal },
  )
  await own.commit(await fileOperation(own.volume, '/a', 'one'))
  while (told.length === 0) await systemClock.sleep(5)
  await own.commit({ op: 'unlink', path: '/a' })
  await following
  expect(told).toEqual(['2 2 create /a', '3 3 unlink /a'])
  await expect(volume.stat('/a')).rejects.toMatchObject({ code: 'not-found' })
  await volume.close()
  await expect(volume.list('/')).rejects.toMatchObject({ code: 'closed' })
  await own.close()
})

describe('bytes', () => {
  test('any range of any file, from any of the tiers, is what was written', async () => {
    const { volume, table } = await openInNode(url)
    const random = new SeededRandom(5)
    const again = await openInNode(url, { table })
    const below = (limit: number): number => random.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) % limit
    for (let step = 0; step < 40; step += 1) {
      const start = below(big.length + 10)
      const end = start + below(step % 4 === 0 ? 3 * MiB : 70_000)
      const from = step % 3 === 0 ? again.volume : volume
      expect(Buffer.compare(await from.read('/data/big.bin', { start, end }), big.subarray(start, end))).toBe(0)
    }
    expect(new TextDecoder().decode(await volume.read('/link', { start: 7 }))).toBe('world')
    expect(await volume.read('/empty')).toHaveLength(0)
    await expect(volume.read('/data/big.bin', { start: 5, end: 4 })).rejects.toThrow('Cannot read bytes 5 to 4')
  })

  test('a cached range makes no request, in this page and after a reload', async () => {
    const { volume, network, table } = await openInNode(url)
    const range = { start: 2 * MiB, end: 2 * MiB + 256 * 1024 }
    await volume.read('/data/big.bin', range)
    expect(network.take().length).toBeGreaterThan(0)
    await volume.read('/data/big.bin', range)
    expect(network.take()).toEqual([])
    await volume.close()
    const later = await openInNode(url, { table })
    expect(later.network.take().map((asked) => asked.slice(url.length))).toEqual(['/head'])
    expect(Buffer.compare(await later.volume.read('/data/big.bin', range), big.subarray(range.start, range.end))).toBe(0)
    expect(later.network.take()).toEqual([])
    expect((await later.volume.stats()).cacheHits).toBeGreaterThan(0)
  })

  test('offline what is kept is read, and what is not fails with a sentence', async () => {
    const { volume, table } = await openInNode(url)
    await volume.read('/data/big.bin', { start: 0, end: 100 })
    await volume.list('/data')
    await volume.close()
    const network = new CountedFetch()
    network.answer = () => Promise.reject(new TypeError('Failed to fetch'))
    const offline = (await openInNode(url, { table, network })).volume
    expect(offline.isOffline).toBe(true)
    expect((await offline.list('/data')).items.map(({ name }) => name)).toEqual(['big.bin', 'small.txt'])
    expect(await offline.read('/data/big.bin', { start: 0, end: 100 })).toHaveLength(100)
    await expect(offline.read('/data/big.bin', { start: 5 * MiB })).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('Cannot reach the edge') })
  })

  test('a stream gives all of it, in parts, of one version', async () => {
    const { volume } = await openInNode(url)
    const parts: Uint8Array[] = []
    for await (const part of volume.stream('/data/big.bin', { start: 100 })) parts.push(part)
    expect(Buffer.concat(parts).equals(big.subarray(100))).toBe(true)
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(4 * MiB)
  })

  test('neighbours come in one request, and many readers of a chunk share it', async () => {
    const { volume, network } = await openInNode(url)
    await volume.stat('/data/big.bin')
    network.take()
    const reads = await Promise.all(Array.from({ length: 20 }, () => volume.read('/data/big.bin', { start: 3 * MiB, end: 3 * MiB + 900_000 })))
    expect(reads.every((bytes) => Buffer.compare(bytes, big.subarray(3 * MiB, 3 * MiB + 900_000)) === 0)).toBe(true)
    expect(network.take().filter((asked) => asked.includes('/packs/d'))).toHaveLength(2)
  })

  test('many small reads at once become few requests', async () => {
    const { volume, network, table } = await openInNode(url)
    await volume.read('/data/big.bin', { start: 5 * MiB, end: 5 * MiB + 1 })
    await volume.flush()
    network.take()
    table.getCount = 0
    const starts = Array.from({ length: 30 }, (_, index) => index * 100_000)
    await Promise.all(starts.map((start) => volume.read('/data/big.bin', { start, end: start + 100 })))
    // 3 MB in parts of a megabyte or so, side by side, and what the governor adds.
    expect(network.take().length).toBeLessThanOrEqual(10)
    expect(table.getCount).toBeLessThanOrEqual(2)
  })

  test('who reads on gets what the governor fetched ahead; who jumps around gets nothing that he did not ask for', async () => {
    const { volume, network } = await openInNode(url)
    const step = 128 * 1024
    for (let start = MiB; start < MiB + 4 * step; start += step) await volume.read('/data/big.bin', { start, end: start + step })
    const { memoryHits } = await volume.stats()
    while ((await volume.stats()).bytesFromNetwork < 2 * MiB) await systemClock.sleep(5)
    network.take()
    await volume.read('/data/big.bin', { start: MiB + 4 * step, end: MiB + 5 * step })
    expect((await volume.stats()).memoryHits).toBeGreaterThan(memoryHits)

    const jumping = await openInNode(url)
    for (const start of [5, 2, 4, 1, 3]) await jumping.volume.read('/data/big.bin', { start: start * MiB, end: start * MiB + 10 })
    await jumping.volume.flush()
    expect((await jumping.volume.stats()).fetched).toBe(5)
  })

  test('who gives up hears it at once, and nothing is fetched for him any more', async () => {
    const network = new CountedFetch()
    const { volume } = await openInNode(url, { network })
    await volume.stat('/data/big.bin')
    const asked = Promise.withResolvers<AbortSignal | null | undefined>()
    network.answer = (address, init) => {
      if (!address.includes('/packs/d')) return undefined
      asked.resolve(init.signal)
      return new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(new DOMException('cut', 'AbortError'))))
    }
    const stop = new AbortController()
    const reading = volume.read('/data/big.bin', { start: 4 * MiB, end: 4 * MiB + 10 }, { signal: stop.signal })
    const cut = await asked.promise
    stop.abort()
    await expect(reading).rejects.toMatchObject({ code: 'aborted' })
    expect(cut?.aborted).toBe(true)
  })
})

describe('what is wrong', () => {
  test('a chunk that was damaged in the cache is fetched again, and counted', async () => {
    const { volume, table } = await openInNode(url)
    await volume.read('/data/big.bin', { start: 0, end: 100 })
    await volume.close()
    for (const [key, body] of table.bodies) if (key.startsWith('c/')) body[3]! ^= 1
    const again = await openInNode(url, { table })
    expect(Buffer.compare(await again.volume.read('/data/big.bin', { start: 0, end: 100 }), big.subarray(0, 100))).toBe(0)
    expect(await again.volume.stats()).toMatchObject({ corruptKept: expect.any(Number), cacheHits: 0 })
    expect((await again.volume.stats()).corruptKept).toBeGreaterThan(0)
  })

  test('so are pages and records', async () => {
    const { volume, table } = await openInNode(url)
    await volume.list('/data')
    await volume.close()
    for (const [key, body] of table.bodies) if (key.startsWith('a/')) body[body.length - 3]! ^= 1
    const again = await openInNode(url, { table })
    expect((await again.volume.list('/data')).items).toHaveLength(2)
    expect((await again.volume.stats()).corruptKept).toBeGreaterThan(1)
  })

  test('bytes damaged on the way are fetched once more; bytes damaged at rest are never given out', async () => {
    const network = new CountedFetch()
    const { volume } = await openInNode(url, { network })
    let damageCount = 1
    network.answer = (asked, init) => {
      if (!asked.includes('/packs/d') || damageCount === 0) return undefined
      damageCount -= 1
      return fetch(asked, init).then(async (response) => {
        const bytes = new Uint8Array(await response.arrayBuffer())
        bytes[bytes.length >> 1]! ^= 4
        return new Response(bytes, { headers: response.headers })
      })
    }
    expect(Buffer.compare(await volume.read('/data/big.bin', { start: 0, end: 10 }), big.subarray(0, 10))).toBe(0)
    damageCount = Infinity
    await expect(volume.read('/data/big.bin', { start: 5 * MiB, end: 5 * MiB + 10 })).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('"/data/big.bin"') })
    damageCount = 0
    expect(await volume.read('/data/big.bin', { start: 5 * MiB, end: 5 * MiB + 10 })).toHaveLength(10)
  })

  test('a pack that is missing is damage, and no file that does not exist', async () => {
    const network = new CountedFetch()
    const { volume } = await openInNode(url, { network, cache: false })
    network.answer = (asked, init) => (asked.includes('/packs/d') ? fetch(asked.replace(/packs\/d.{26}/, 'packs/d01ARZ3NDEKTSV4RRFFQ69G5FAV'), init) : undefined)
    await expect(volume.read('/data/big.bin')).rejects.toMatchObject({ code: 'corrupt', message: expect.stringMatching(/^Cannot read from "demo": its pack .* is missing/) })
  })

  test('a connection that breaks, and an edge that is busy, are tried again', async () => {
    const network = new CountedFetch()
    let failureCount = 0
    network.answer = () => {
      failureCount += 1
      if (failureCount % 2 === 0) return undefined
      return failureCount % 4 === 1 ? Promise.reject(new TypeError('Failed to fetch')) : Promise.resolve(new Response('busy', { status: 503 }))
    }
    const { volume } = await openInNode(url, { network })
    expect(await volume.read('/data/big.bin', { start: 1000, end: 2000 })).toHaveLength(1000)
  })

  test('a storage that fails costs requests and nothing else', async () => {
    const table = new MemoryTable()
    table.failure = new Error('the disk is on fire')
    const { volume } = await openInNode(url, { table })
    expect(await volume.read('/data/big.bin', { start: 1000, end: 2000 })).toHaveLength(1000)
    expect((await volume.stats()).cacheFailure).toBe("Cannot use the browser's storage: the disk is on fire")
  })

  test('a record that is pinned by its hash must be that one', async () => {
    const record = new Uint8Array(await (await edge.fetch(`/v1/${volumeName}/log/2`)).arrayBuffer())
    const recordHash = Buffer.from(await crypto.subtle.digest('SHA-256', record)).toString('hex')
    expect((await openInNode(url, { seq: 2, recordHash })).volume.seq).toBe(2)
    await expect(openInNode(url, { seq: 2, recordHash: '0'.repeat(64) })).rejects.toMatchObject({ code: 'corrupt' })
  })

  test.each([
    ['ftp://x/v1/a', 'begins with http'],
    ['http://127.0.0.1:1/', 'ends with the name of a volume'],
    ['http://127.0.0.1:1/v1/-x', 'volume name'],
  ])('the address %s is refused', async (address, why) => {
    await expect(openInNode(address)).rejects.toThrow(why)
  })
})

describe('room', () => {
  test('two tabs stay within one small budget together, and the oldest goes first', async () => {
    const table = new MemoryTable()
    const cache = { bytes: 2 * MiB }
    const tabs = [await openInNode(url, { table, cache }), await openInNode(url, { table, cache })]
    for (let start = 0; start < big.length; start += MiB) {
      await Promise.all(tabs.map(({ volume }, index) => volume.read('/data/big.bin', { start: (start + index * 3 * MiB) % big.length, end: ((start + index * 3 * MiB) % big.length) + MiB })))
      await Promise.all(tabs.map(({ volume }) => volume.flush()))
      expect(table.total).toBeLessThanOrEqual(2 * MiB)
    }
    expect((await tabs[0]!.volume.stats()).evictions + (await tabs[1]!.volume.stats()).evictions).toBeGreaterThan(0)
  })

  test('a browser that has no room is told by nobody but the counts', async () => {
    const table = new MemoryTable()
    table.quotaBytes = 1.5 * MiB
    const { volume } = await openInNode(url, { table })
    expect(Buffer.compare(await volume.read('/data/big.bin'), big)).toBe(0)
    await volume.flush()
    const stats = await volume.stats()
    expect(stats.quotaErrors).toBeGreaterThan(0)
    expect(stats.cacheFailures).toBe(0)
    expect(table.total).toBeLessThanOrEqual(table.quotaBytes)
  })

  test('so does what was kept by an earlier page, once the file is read', async () => {
    const own = await startEdge()
    await own.commit(await fileOperation(own.volume, '/a', new SeededRandom(4).bytes(MiB)))
    const address = `${own.url}/v1/${volumeName}`
    const first = await openInNode(address)
    await first.volume.read('/a')
    await first.volume.close()
    await own.commit(await fileOperation(own.volume, '/a', 'small', { replace: true }))
    const { volume } = await openInNode(address, { table: first.table })
    await volume.read('/a')
    await volume.flush()
    expect([...first.table.bodies.keys()].filter((key) => key.startsWith('c/'))).toEqual([])
    await volume.close()
    await own.close()
  })

  test('when a file moves on what only its older version had goes', async () => {
    const own = await startEdge()
    const before = new SeededRandom(3).bytes(2 * MiB)
    await own.commit(await fileOperation(own.volume, '/a', before))
    const { volume, table } = await openInNode(`${own.url}/v1/${volumeName}`)
    await volume.read('/a')
    await volume.flush()
    const chunks = (): string[] => [...table.bodies.keys()].filter((key) => key.startsWith('c/'))
    const older = chunks()
    const after = before.slice()
    after.fill(0x55, 0, 1000)
    await own.commit(await fileOperation(own.volume, '/a', after, { replace: true }))
    await volume.refresh()
    await volume.flush()
    const left = chunks()
    expect(left.length).toBeGreaterThan(0)
    expect(left.length).toBeLessThan(older.length)
    expect(Buffer.compare(await volume.read('/a'), after)).toBe(0)
    await volume.close()
    await own.close()
  })

  test('a directory that is pinned is read offline whatever was read since; who unpins it makes room', async () => {
    const table = new MemoryTable()
    const cache = { bytes: 2 * MiB }
    const { volume } = await openInNode(url, { table, cache })
    await volume.read('/data/big.bin', { start: 0, end: MiB })
    const told: number[] = []
    const done = await volume.pin('/data', { onProgress: ({ bytes }) => told.push(bytes) })
    expect(done).toEqual({ files: 2, totalFiles: 2, bytes: big.length + 12, totalBytes: big.length + 12 })
    expect(told.at(-1)).toBe(big.length + 12)
    expect(await volume.pins()).toEqual(['/data'])
    expect((await volume.stats()).pinnedBytes).toBe(big.length)
    await volume.close()

    const network = new CountedFetch()
    network.answer = () => Promise.reject(new TypeError('Failed to fetch'))
    const offline = await openInNode(url, { table, network, cache })
    expect(Buffer.compare(await offline.volume.read('/data/big.bin'), big)).toBe(0)
    await offline.volume.unpin('/data')
    await table.evict(MiB)
    expect((await table.size()).bytes).toBeLessThanOrEqual(MiB)
  })

  test('what several have pinned goes with the last; a newer commit takes nothing of what is pinned, until it is pinned itself', async () => {
    const own = await startEdge()
    const [before, after] = [new SeededRandom(5).bytes(MiB), new SeededRandom(6).bytes(MiB)]
    const small = 'small '.repeat(2000)
    await own.commit(await fileOperation(own.volume, '/x/a', before), await fileOperation(own.volume, '/y/a', before), await fileOperation(own.volume, '/x/b', small))
    const { volume, table } = await openInNode(`${own.url}/v1/${volumeName}`)
    const left = async (): Promise<number> => {
      await volume.flush()
      await table.evict(0)
      return (await volume.stats()).keptBytes
    }
    for (const path of ['/x', '/y', '/']) await volume.pin(path)
    expect(await volume.pins()).toEqual(['/x', '/y', '/'])
    for (const path of ['/y', '/']) await volume.unpin(path)
    expect(await left()).toBe(before.length + small.length)
    await own.commit(await fileOperation(own.volume, '/x/a', after, { replace: true }))
    await volume.refresh()
    await volume.read('/x/a')
    expect(await left()).toBe(before.length + small.length)
    await volume.pin('/x')
    expect(await volume.pins()).toEqual(['/x'])
    expect(await left()).toBe(after.length + small.length)
    await volume.unpin('/x')
    expect(await left()).toBe(0)
    await volume.close()
    await own.close()
  })

  test('without room for it pinning says so', async () => {
    const table = new MemoryTable()
    table.quotaBytes = 2 * MiB
    const put = table.put.bind(table)
    table.put = async (entries, limits) => {
      if ((await table.size()).bytes > 2 * MiB) throw new DOMException('no room', 'QuotaExceededError')
      return await put(entries, limits)
    }
    const { volume } = await openInNode(url, { table })
    await expect(volume.pin('/')).rejects.toMatchObject({ code: 'exhausted', message: expect.stringContaining('the browser has no room') })
    await expect((await openInNode(url, { cache: false, world: { table: undefined } })).volume.pin('/')).rejects.toMatchObject({ code: 'unsupported' })
  })
})
