/** The uploads of the console without a page: names, rates, what is remembered, and files that are sent over cuts to an edge that is played. */
import { describe, expect, it } from 'vitest'
import { pathBelow, readEntries } from '../../../edge/console/uploads/dropped.ts'
import { numberedPath } from '../../../edge/console/uploads/free-name.ts'
import { type Decision, UploadQueue } from '../../../edge/console/uploads/queue.ts'
import { RateMeter, formatSeconds } from '../../../edge/console/uploads/rate.ts'
import type { Answer, Sending } from '../../../edge/console/uploads/send.ts'
import { noBlocks, withBlocks } from '../../../edge/console/uploads/sent-blocks.ts'
import { UnfinishedUploads } from '../../../edge/console/uploads/unfinished.ts'
import { type UploadRequest, type UploadWorld, uploadFile, wholeBytesMax } from '../../../edge/console/uploads/upload-file.ts'
import { errorOf } from '../../../edge/console/session.ts'
import { EdgemountError, messageOf } from '../../../shared/error.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const fileOf = (name: string, size: number): File => new File([new Uint8Array(size)], name, { lastModified: 1_700_000_000_500 })
const answer = (status: number, headers: Record<string, string> = {}, text = ''): Answer => ({ status, text, header: (name) => headers[name] })

describe('names', () => {
  it.each([
    ['/a/b.txt', '/a/b (2).txt'],
    ['/b', '/b (2)'],
    ['/.profile', '/.profile (2)'],
    ['/x/archive.tar.gz', '/x/archive (2).tar.gz'],
    ['/v1.0 final draft', '/v1.0 final draft (2)'],
  ])('%s is also %s', (path, other) => {
    expect(numberedPath(path, 2)).toBe(other)
  })

  it('stay below the folder', () => {
    expect(pathBelow('/in', ['a', 'b.txt'])).toBe('/in/a/b.txt')
    expect(pathBelow('/', ['b.txt'])).toBe('/b.txt')
    expect(() => pathBelow('/in', ['..', 'b.txt'])).toThrow('Cannot')
  })
})

it('what is dropped and cannot be read is named, with what to do', async () => {
  const file = { isFile: true, isDirectory: false, name: 'gone.txt', file: (_: unknown, fail: (error: Error) => void) => fail(new DOMException('A requested file could not be found.', 'NotFoundError')) }
  const reader = { isRead: false, readEntries: (take: (entries: unknown[]) => void) => take(reader.isRead ? [] : [((reader.isRead = true), file)]) }
  const folder = { isFile: false, isDirectory: true, name: 'photos', createReader: () => reader }
  await expect(readEntries([folder as unknown as FileSystemEntry], () => undefined)).rejects.toThrow('Cannot read “photos/gone.txt”, so nothing was uploaded: it is gone, or may not be read (A requested file could not be found.); drop it again')
})

it('a rate is that of the last seconds', () => {
  const rate = new RateMeter()
  for (let second = 0; second <= 20; second += 1) rate.note(second * 1000, second < 10 ? second * 100 : 1000 + (second - 10) * 1000)
  expect(Math.round(rate.perSecond(20_000))).toBe(1000)
  expect(rate.secondsLeft(20_000, 5000)).toBe(5)
  expect(new RateMeter().secondsLeft(0, 5)).toBeUndefined()
  expect([formatSeconds(8), formatSeconds(180), formatSeconds(7500)]).toEqual(['8 s', '3 min', '2 h 5 min'])
})

it('what was begun is remembered by volume, path, size and time, also where nothing can be kept', () => {
  const kept = new Map<string, string>()
  const upload = { volume: 'v', path: '/a', size: 1, modifiedMs: 2, id: 'x', begunMs: 3, replaces: false, sent: { count: 1, chain: 'c' } }
  for (const notebook of [{ getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) }, undefined]) {
    const uploads = new UnfinishedUploads(notebook)
    uploads.keep(upload)
    expect([uploads.find({ ...upload })?.id, uploads.find({ ...upload, size: 2 })]).toEqual(['x', undefined])
    uploads.keep({ ...upload, id: 'y' })
    expect(uploads.all().length).toBe(1)
    uploads.forget(upload)
    expect(uploads.all()).toEqual([])
  }
  kept.set('edgemount.uploads', '[{"volume":1},null,"x"]')
  expect(new UnfinishedUploads({ getItem: (key) => kept.get(key) ?? null, setItem: () => undefined }).all()).toEqual([])
})

/** An edge of one upload in parts. */
class PlayedEdge {
  readonly asked: string[] = []
  offset = 0
  /** Before they are answered, in order; undefined: as an edge does. */
  readonly faults: ('lost' | 'cut' | number | undefined)[] = []
  isDone = false

  async send(sending: Sending): Promise<Answer> {
    await Promise.resolve()
    const { method, headers, body } = sending
    this.asked.push(`${method}${method === 'PATCH' ? ` ${headers['upload-offset']}+${body?.size}` : ''}`)
    const fault = this.faults.shift()
    if (typeof fault === 'number') return answer(fault, {}, '{"error":{"code":"unavailable","message":"Cannot do it now"}}')
    if (fault === 'lost') throw new EdgemountError('unavailable', 'Cannot reach the edge')
    if (method === 'POST') return answer(201, { location: '/t/em1.x/v1/v/uploads/a?upload=id-1' })
    if (method === 'HEAD') return answer(200, { 'upload-offset': String(this.offset) })
    if (method === 'PUT') return answer(this.isDone ? 412 : 201)
    if (method !== 'PATCH') return answer(204)
    if (Number(headers['upload-offset']) !== this.offset) return answer(409, {}, '{"error":{"code":"conflict","message":"Cannot go on"}}')
    this.offset += fault === 'cut' ? 1000 : (body?.size ?? 0)
    if (fault === 'cut') throw new EdgemountError('unavailable', 'Cannot reach the edge')
    return answer(204, { 'upload-offset': String(this.offset) })
  }
}

function worldOf(edge: PlayedEdge): UploadWorld & { readonly clock: ManualClock } {
  return { url: (path) => `http://edge${path}`, send: (sending) => edge.send(sending), errorOf, clock: new ManualClock(), unfinished: new UnfinishedUploads(undefined) }
}

/** Time passes as fast as anybody waits. */
async function passing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const ending = work.finally(() => over.abort())
  ending.catch(() => undefined)
  while (!over.signal.aborted) {
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(1000)
  }
  return await ending
}

describe('a file', () => {
  const mebi = 1024 * 1024
  const requestFor = (file: File, more: Partial<UploadRequest> = {}): UploadRequest => {
    return { volume: 'v', path: '/a', file, replaces: false, signal: new AbortController().signal, onSent: () => undefined, onWaiting: () => undefined, ...more }
  }

  it('that is short is one request, which is made again while the edge is away', async () => {
    const edge = new PlayedEdge()
    edge.faults.push('lost', 503)
    const world = worldOf(edge)
    expect(await passing(world.clock, uploadFile(world, requestFor(fileOf('a', 10))))).toBe('done')
    expect(edge.asked).toEqual(['PUT', 'PUT', 'PUT'])
    edge.isDone = true
    expect(await uploadFile(world, requestFor(fileOf('a', 10)))).toBe('taken')
  })

  it('that is long goes in parts, and on from where it was cut', async () => {
    const edge = new PlayedEdge()
    const size = 40 * mebi
    edge.faults.push(undefined, 'cut', 'lost', undefined, undefined, undefined)
    const world = worldOf(edge)
    const waits: unknown[] = []
    expect(await passing(world.clock, uploadFile(world, requestFor(fileOf('a', size), { onWaiting: (error) => waits.push(error) })))).toBe('done')
    expect(edge.asked).toEqual(['POST', `PATCH 0+${32 * mebi}`, 'HEAD', 'HEAD', `PATCH 1000+${32 * mebi - 1000}`, `PATCH ${32 * mebi}+${8 * mebi}`])
    expect([edge.offset, waits.length, world.unfinished.all()]).toEqual([size, 2, []])
  })

  it('whose last answer was lost is asked for until the edge says that it is there', async () => {
    const edge = new PlayedEdge()
    const world = worldOf(edge)
    const file = fileOf('a', wholeBytesMax + 1)
    world.unfinished.keep({ volume: 'v', path: '/a', size: file.size, modifiedMs: file.lastModified, id: 'id-1', begunMs: 0, replaces: false, sent: await withBlocks(file, noBlocks, 1) })
    edge.offset = file.size
    expect(await uploadFile(world, requestFor(file))).toBe('done')
    expect(edge.asked).toEqual(['HEAD', `PATCH ${file.size}+0`])
  })

  it('that may replace now what it was not to replace when it was begun begins anew', async () => {
    const edge = new PlayedEdge()
    const world = worldOf(edge)
    const file = fileOf('a', wholeBytesMax + 1)
    world.unfinished.keep({ volume: 'v', path: '/a', size: file.size, modifiedMs: file.lastModified, id: 'old', begunMs: 0, replaces: true, sent: await withBlocks(file, noBlocks, 1) })
    edge.faults.push(undefined, 412)
    expect(await uploadFile(world, requestFor(file, { replaces: true }))).toBe('done')
    expect(edge.asked).toEqual(['HEAD', `PATCH 0+${file.size}`, 'POST', `PATCH 0+${file.size}`])
    edge.faults.push(...Array.from({ length: 4 }, () => [undefined, 404] as const).flat())
    edge.offset = 0
    await expect(uploadFile(world, requestFor(file, { replaces: true }))).rejects.toThrow('the edge forgets')
  })

  it('of the same name, size and time but other bytes begins anew, and so does what was begun to replace', async () => {
    const [edge, file] = [new PlayedEdge(), fileOf('a', wholeBytesMax + 1)]
    const world = worldOf(edge)
    const note = { volume: 'v', path: '/a', size: file.size, modifiedMs: file.lastModified, id: 'old', begunMs: 0, replaces: false }
    world.unfinished.keep({ ...note, sent: await withBlocks(new Blob([new Uint8Array(file.size).fill(7)]), noBlocks, 1) })
    expect(await uploadFile(world, requestFor(file))).toBe('done')
    expect(edge.asked.splice(0)).toEqual(['DELETE', 'POST', `PATCH 0+${file.size}`])
    edge.offset = 0
    world.unfinished.keep({ ...note, replaces: true, sent: await withBlocks(file, noBlocks, 1) })
    expect(await uploadFile(world, requestFor(file))).toBe('done')
    expect(edge.asked).toEqual(['DELETE', 'POST', `PATCH 0+${file.size}`])
  })

  it('of an upload that the edge has forgotten begins anew; what may not be is told at once', async () => {
    const edge = new PlayedEdge()
    const world = worldOf(edge)
    const file = fileOf('a', wholeBytesMax + 1)
    world.unfinished.keep({ volume: 'v', path: '/a', size: file.size, modifiedMs: file.lastModified, id: 'old', begunMs: 0, replaces: false, sent: await withBlocks(file, noBlocks, 1) })
    edge.faults.push(410)
    expect(await uploadFile(world, requestFor(file))).toBe('done')
    expect(edge.asked).toEqual(['HEAD', 'POST', `PATCH 0+${file.size}`])
    edge.faults.push(403)
    const world2: UploadWorld = { ...world, errorOf: () => new EdgemountError('denied', 'Cannot: no') }
    await expect(uploadFile(world2, requestFor(fileOf('b', 1)))).rejects.toThrow('Cannot: no')
  })
})

describe('a queue', () => {
  it('asks once for all, sends three at once, and says when it is idle', async () => {
    const edge = new PlayedEdge()
    const world = worldOf(edge)
    const taken = new Set(['/in/a', '/in/c', '/in/c (2)'])
    const questions: string[] = []
    let idle = 0
    let decide: (decision: Decision) => void = () => undefined
    const queue = new UploadQueue({
      world,
      exists: (_, path) => Promise.resolve(taken.has(path)),
      makeFolder: () => Promise.resolve(),
      decide: (path) => {
        questions.push(path)
        return new Promise((resolve) => (decide = resolve))
      },
      onChange: () => undefined,
      onIdle: () => (idle += 1),
    })
    queue.add('v', '/in', { files: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ names: [name], file: fileOf(name, 5) })), emptyFolders: [['empty']] })
    const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
    await settle()
    expect([questions, queue.items.map(({ state }) => state)]).toEqual([['/in/a'], ['done', 'asking', 'done', 'asking', 'done', 'done']])
    decide('keep-both')
    await settle()
    expect(queue.items.map(({ path, state }) => `${path} ${state}`)).toEqual(['/in/empty done', '/in/a (2) done', '/in/b done', '/in/c (3) done', '/in/d done', '/in/e done'])
    expect([queue.isBusy, idle > 0, queue.totals.sentBytes]).toEqual([false, true, 25])
    queue.clear()
    expect(queue.items).toEqual([])
  })

  it('of very many files ends soon; what is cancelled is not sent, and can be tried again', async () => {
    const sent: string[] = []
    const world: UploadWorld = {
      ...worldOf(new PlayedEdge()),
      send: ({ url }) => {
        sent.push(url)
        return Promise.resolve(answer(201))
      },
    }
    let onIdle: () => void = () => undefined
    const idle = (): Promise<void> => new Promise((resolve) => (onIdle = resolve))
    const queue = new UploadQueue({ world, exists: () => Promise.resolve(false), makeFolder: () => Promise.resolve(), decide: () => Promise.resolve('skip'), onChange: () => undefined, onIdle: () => onIdle() })
    const first = idle()
    queue.add('v', '/in', { files: Array.from({ length: 20_000 }, (_, index) => ({ names: [`f${index}`], file: fileOf('f', 1) })), emptyFolders: [] })
    for (let number = 10_001; number <= 20_000; number += 1) queue.cancel(number)
    await first
    expect([sent.length, queue.totals.sentBytes, queue.isBusy]).toEqual([10_000, 10_000, false])
    const second = idle()
    queue.retry(20_000)
    await second
    expect(sent.at(-1)).toBe('http://edge/v1/v/files/in/f19999')
  })

  it('ends with a sentence when a hundred names are taken, and asks again when it is tried again', async () => {
    const asked: string[] = []
    let questions = 0
    const taken = (path: string): Promise<boolean> => Promise.resolve(asked.push(path) > 0 && path !== '/in/free')
    const decide = (): Promise<Decision> => Promise.resolve((questions += 1) === 1 ? 'keep-both' : 'skip')
    const queue = new UploadQueue({ world: worldOf(new PlayedEdge()), exists: (_, path) => taken(path), makeFolder: () => Promise.resolve(), decide, onChange: () => undefined, onIdle: () => undefined })
    queue.add('v', '/in', { files: [{ names: ['a.txt'], file: fileOf('a.txt', 5) }], emptyFolders: [] })
    await expect.poll(() => queue.items[0]?.state).toBe('failed')
    expect(asked.length).toBe(100)
    expect(messageOf(queue.items[0]?.error)).toBe('Cannot keep both: “/in/a.txt” is there, and so are 99 others with a number; rename the file here, and upload it again')
    queue.retry(1)
    await expect.poll(() => queue.items[0]?.state).toBe('skipped')
  })

  it('discards what it sent itself when it is cancelled, and nothing that was begun under the original name', async () => {
    const sent: string[] = []
    const world: UploadWorld = {
      ...worldOf(new PlayedEdge()),
      send: async ({ method, url, signal }) => {
        sent.push(`${method} ${url}`)
        if (method === 'POST') return answer(201, { location: '/v1/v/uploads/a?upload=mine' })
        if (method === 'PATCH') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new EdgemountError('aborted', 'Cannot go on'))))
        return answer(204)
      },
    }
    const file = fileOf('a.txt', wholeBytesMax + 1)
    const other = { volume: 'v', path: '/in/a.txt', size: file.size, modifiedMs: file.lastModified, id: 'other', begunMs: 0, replaces: false, sent: noBlocks }
    world.unfinished.keep(other)
    const queue = new UploadQueue({ world, exists: (_, path) => Promise.resolve(path === '/in/a.txt'), makeFolder: () => Promise.resolve(), decide: () => Promise.resolve('keep-both'), onChange: () => undefined, onIdle: () => undefined })
    queue.add('v', '/in', { files: [{ names: ['a.txt'], file }], emptyFolders: [] })
    await expect.poll(() => sent.length).toBe(2)
    expect(queue.items[0]?.sendingTo).toBe('/in/a (2).txt')
    queue.cancel(1)
    await expect.poll(() => decodeURIComponent(sent.at(-1) ?? '')).toBe('DELETE http://edge/v1/v/uploads/in/a (2).txt?upload=mine')
    expect(world.unfinished.all()).toEqual([other])
    // One that has begun nothing has nothing to discard.
    queue.add('v', '/in', { files: [{ names: ['b.txt'], file }, { names: ['a.txt'], file }], emptyFolders: [] })
    queue.cancelAll()
    expect(world.unfinished.all()).toEqual([other])
  })

  it('says of a file that cannot be read any more that it is to be chosen again, at once', async () => {
    const world: UploadWorld = { ...worldOf(new PlayedEdge()), send: () => Promise.reject(new EdgemountError('unavailable', 'Cannot reach the edge')) }
    const file = fileOf('a.txt', 5)
    file.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException('A requested file could not be read', 'NotReadableError')) }) as unknown as Blob
    const queue = new UploadQueue({ world, exists: () => Promise.resolve(false), makeFolder: () => Promise.resolve(), decide: () => Promise.resolve('skip'), onChange: () => undefined, onIdle: () => undefined })
    queue.add('v', '/in', { files: [{ names: ['a.txt'], file }], emptyFolders: [] })
    await expect.poll(() => queue.items[0]?.state).toBe('failed')
    expect(messageOf(queue.items[0]?.error)).toContain('Cannot read “a.txt” any more: it was changed, moved or removed since it was chosen; choose it again')
  })

  it('says no rate, and no time that is left, while it waits for the edge', async () => {
    const clock = new ManualClock()
    let isCut = false
    let cut: () => void = () => undefined
    const send: UploadWorld['send'] = ({ onSent }) =>
      new Promise((_, reject) => {
        if (isCut) return
        onSent?.(10)
        cut = () => reject(new EdgemountError('unavailable', 'Cannot reach the edge'))
      })
    const world: UploadWorld = { ...worldOf(new PlayedEdge()), clock, send }
    const queue = new UploadQueue({ world, exists: () => Promise.resolve(false), makeFolder: () => Promise.resolve(), decide: () => Promise.resolve('skip'), onChange: () => undefined, onIdle: () => undefined })
    expect(queue.totals.sentBytes).toBe(0)
    queue.add('v', '/in', { files: [{ names: ['a.txt'], file: fileOf('a.txt', 50) }], emptyFolders: [] })
    await expect.poll(() => queue.items[0]?.sentBytes).toBe(10)
    await clock.advance(1000)
    expect([queue.totals.bytesPerSecond, queue.totals.secondsLeft]).toEqual([10, 4])
    isCut = true
    cut()
    await expect.poll(() => queue.items[0]?.state).toBe('retrying')
    expect([queue.totals.bytesPerSecond, queue.totals.secondsLeft]).toEqual([0, undefined])
    queue.cancel(1)
  })
})
