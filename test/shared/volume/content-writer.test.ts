import { describe, expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { PlacedRun } from '../../../shared/format/manifest-page.ts'
import type { ContentWriter, Written } from '../../../shared/volume/content-writer.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { bytesOf, engineOf, expectBytes, inPieces, newVolume, notingStore, randomBytes, utf8 } from '../../support/test-volume.ts'

describe('a body', () => {
  test.each([0, 1, 4096])('of %i bytes stays in its entry', async (length) => {
    const writer = (await newVolume()).writer()
    const body = randomBytes(length, length)
    expect(await writer.write(inPieces(body, 1000))).toMatchObject({ size: length, content: { kind: 'inline', bytes: body } })
  })

  test.each([4097, 16_384, 16_385, 1_000_000, 5_000_000])('of %i bytes comes back as it was', async (length) => {
    const volume = await newVolume()
    const body = randomBytes(length, length)
    const { snapshot } = await commitFile(volume.writer({ packBytesMax: 700_000 }), inPieces(body, 70_001))
    expectBytes(await bytesOf(snapshot, '/f'), body)
    expectBytes(await bytesOf(snapshot, '/f', { start: 4001, end: length - 7 }), body.subarray(4001, length - 7))
  })

  test('is cut the same in whatever pieces it comes', async () => {
    const writer = (await newVolume()).writer()
    const body = randomBytes(1, 200_000)
    const versions = [await writer.write([body]), await writer.write(inPieces(body, 1)), await writer.write(inPieces(body, 65_536))]
    const ids = versions.map(({ content }) => (content.kind === 'manifest' ? content.root.contentId : undefined))
    expect(new Set(ids).size).toBe(1)
    expect(versions.map(({ newBytes }) => newBytes)).toEqual([200_000, 0, 0])
  })

  test('may reuse its buffer from piece to piece', async () => {
    const volume = await newVolume()
    const body = randomBytes(2, 100_000)
    function* reusing(): Iterable<Uint8Array> {
      const buffer = new Uint8Array(1000)
      for (let start = 0; start < body.length; start += 1000) {
        buffer.set(body.subarray(start, start + 1000))
        yield buffer
      }
    }
    const { snapshot } = await commitFile(volume.writer(), reusing())
    expectBytes(await bytesOf(snapshot, '/f'), body)
  })

  test('has holes where it is zeros, and stores nothing for them', async () => {
    const volume = await newVolume()
    const body = new Uint8Array(6_000_000)
    body.set(randomBytes(1, 30_000), 2_000_000)
    const writer = volume.writer()
    const { snapshot, written } = await commitFile(writer, inPieces(body))
    expect(written.newBytes).toBeLessThan(30_000 + 2 * 16_384)
    const runs = await runsOf(snapshot)
    expect(runs[0]).toMatchObject({ start: 0, run: { kind: 'hole' } })
    expect(runs.at(-1)).toMatchObject({ run: { kind: 'hole' } })
    expect(runs.filter(({ run }) => run.kind === 'hole')).toHaveLength(2)
    expectBytes(await bytesOf(snapshot, '/f'), body)
  })

  test('lies side by side in its pack, also when others are written at once', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    const bodies = Array.from({ length: 6 }, (_, index) => randomBytes(index, 400_000))
    const written = await Promise.all(bodies.map((body) => writer.write(inPieces(body))))
    const { snapshot } = await writer.commit(written.map((each, index) => ({ op: 'create', path: `/f${index}`, ...each })))
    for (const [index, body] of bodies.entries()) {
      const runs = await runsOf(snapshot, `/f${index}`)
      expect(runs.length).toBeGreaterThan(20)
      for (const [before, { run }] of runs.slice(1).entries()) {
        const last = runs[before]!.run
        expect(run.kind === 'chunk' && last.kind === 'chunk' && run.pointer.offset === last.pointer.offset + last.pointer.length).toBe(true)
      }
      expectBytes(await bytesOf(snapshot, `/f${index}`), body)
    }
  })
})

describe('chunks that are known', () => {
  test('are not stored again in a session', async () => {
    const { store, calls } = notingStore()
    const volume = await newVolume({ store })
    const writer = volume.writer()
    const body = randomBytes(1, 300_000)
    await commitFile(writer, [body])
    calls.length = 0
    const changed = body.slice()
    changed[150_000]! ^= 1
    const { written, snapshot } = await commitFile(writer, [changed], '/g')
    expect(written.newBytes).toBeLessThan(2 * 16_384)
    expectBytes(await bytesOf(snapshot, '/g'), changed)
    const same = await writer.write([body])
    expect(same.newBytes).toBe(0)
  })

  test('are those of the previous version, in another session', async () => {
    const volume = await newVolume()
    const body = randomBytes(1, 300_000)
    const { snapshot } = await commitFile(volume.writer(), [body])
    const longer = new Uint8Array([...body, ...randomBytes(2, 1000)])
    const writer = volume.writer()
    const { content } = await snapshot.resolve('/f')
    const written = await writer.write([longer], { previous: content })
    expect(written.newBytes).toBeLessThan(1000 + 2 * 16_384)
  })

  test('are those that the writer was told of', async () => {
    const volume = await newVolume()
    const body = randomBytes(1, 100_000)
    const { snapshot } = await commitFile(volume.writer(), [body])
    const writer = volume.writer()
    for (const { run } of await runsOf(snapshot)) writer.remember(run)
    expect((await writer.write([body])).newBytes).toBe(0)
    const [first] = await runsOf(snapshot)
    expect(first!.run.kind === 'chunk' && writer.known(first!.run.pointer.hash)).toEqual(first!.run.kind === 'chunk' && first!.run.pointer)
  })
})

describe('uploads', () => {
  test('are at most two at a time and hold back the writer', async () => {
    let running = 0
    let most = 0
    let pulled = 0
    const inner = new MemoryStore()
    await newVolume({ store: inner })
    const store = aroundCalls(inner, async (call, run) => {
      if (call.operation !== 'create' || !call.key.startsWith('data/')) return run(call.signal)
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running -= 1
      return run(call.signal)
    })
    const volume = await Volume.open(engineOf(store))
    const writer = volume.writer({ packBytesMax: 1_000_000 })
    const body = randomBytes(1, 30_000_000)
    function* counted(): Iterable<Uint8Array> {
      for (const piece of inPieces(body, 100_000)) {
        pulled += piece.length
        yield piece
      }
    }
    const writing = writer.write(counted())
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(pulled).toBeLessThan(body.length)
    await writing
    await writer.flush()
    expect(most).toBe(2)
  })

  test('whose answers are lost are tried again', async () => {
    const tries = new Map<string, number>()
    const inner = new MemoryStore()
    await newVolume({ store: inner })
    const store = faultStore(inner, {
      clock: systemClock,
      plan: ({ operation, key }) => {
        if (operation !== 'create' || key.startsWith('log/')) return undefined
        tries.set(key, (tries.get(key) ?? 0) + 1)
        return ([{ kind: 'error' }, { kind: 'lost' }] as const)[tries.get(key)! - 1]
      },
    })
    const volume = await Volume.open(engineOf(store, { clock: { ...systemClock, sleep: () => Promise.resolve() } }))
    const body = randomBytes(1, 100_000)
    const { snapshot } = await commitFile(volume.writer({ packBytesMax: 30_000 }), [body])
    expectBytes(await bytesOf(snapshot, '/f'), body)
    expect(new Set(tries.values())).toEqual(new Set([3]))
  })

  test('that fail for good end the session: nothing that needs them is committed', async () => {
    const inner = new MemoryStore()
    let isBroken = true
    const store = faultStore(inner, { clock: systemClock, plan: (call) => (isBroken && call.key.startsWith('data/') ? { kind: 'error' } : undefined) })
    await newVolume({ store: inner })
    const volume = await Volume.open(engineOf(store, { clock: { ...systemClock, sleep: () => Promise.resolve() } }))
    const writer = volume.writer()
    await expect(commitFile(writer, [randomBytes(1, 100_000)])).rejects.toMatchObject({ code: 'unavailable' })
    isBroken = false
    await expect(writer.commit([{ op: 'mkdir', path: '/d' }])).rejects.toMatchObject({ code: 'unavailable' })
    expect((await volume.head()).seq).toBe(1)
    const { snapshot } = await commitFile(volume.writer(), [utf8('well')])
    expect(snapshot.seq).toBe(2)
  })
})

test('a source that fails leaves the session as it was', async () => {
  const volume = await newVolume()
  const writer = volume.writer()
  function* failing(): Iterable<Uint8Array> {
    yield randomBytes(1, 100_000)
    throw new Error('disk on fire')
  }
  for (let index = 0; index < 20; index += 1) await expect(writer.write(failing())).rejects.toThrow('disk on fire')
  const { snapshot } = await commitFile(writer, [randomBytes(2, 50_000)])
  expectBytes(await bytesOf(snapshot, '/f'), randomBytes(2, 50_000))
})

test('writing ends when its signal fires', async () => {
  const writer = (await newVolume()).writer()
  const stop = new AbortController()
  function* endless(): Iterable<Uint8Array> {
    for (let index = 0; ; index += 1) {
      if (index === 10) stop.abort()
      yield randomBytes(index, 10_000)
    }
  }
  await expect(writer.write(endless(), { signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
})

async function commitFile(
  writer: ContentWriter,
  source: Iterable<Uint8Array>,
  path = '/f',
): Promise<{ snapshot: Snapshot; written: Written }> {
  const written = await writer.write(source)
  const { snapshot } = await writer.commit([{ op: 'create', path, content: written.content, size: written.size }])
  return { snapshot, written }
}

async function runsOf(snapshot: Snapshot, path = '/f'): Promise<PlacedRun[]> {
  return Array.fromAsync(snapshot.runs(await snapshot.resolve(path)))
}
