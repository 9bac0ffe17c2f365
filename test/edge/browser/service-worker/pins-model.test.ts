/**
 * Pins of two prefixes of one volume, nested and with chunks in common, against a model that knows what each commit has: whatever is pinned, unpinned, followed, read,
 * evicted, broken off or ended in the middle, what the books call whole is read without the edge.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ServedVolume } from '../../../../edge/browser/service-worker/served-volume.ts'
import { nodeHash } from '../../../../edge/node.ts'
import { type Device, type Life, MemoryBook, ask, away, newDevice, pinServed, readServed, startServed } from '../../../support/device.ts'
import { effort } from '../../../support/effort.ts'
import { SeededRandom } from '../../../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../../edge-under-test.ts'

const firstSeed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
const seedCount = 3 * effort
const stepCount = 24

const bodies = Array.from({ length: 5 }, (_, index) => new SeededRandom(90 + index).bytes(6000 + 9000 * index))
const files = ['/p/one', '/p/two', '/p/s/one', '/p/s/two', '/q/one', '/q/two']
const folders = ['/p', '/p/s', '/q', '/p/one', '/']

let edge: EdgeUnderTest
let hashes: readonly string[]
/** What each commit has: the index of a body by path. */
const commits = new Map<number, ReadonlyMap<string, number>>()

beforeAll(async () => {
  edge = await startEdge()
  hashes = await Promise.all(bodies.map((body) => nodeHash(body)))
  await commit(new Map(files.map((path, index) => [path, index % bodies.length])))
})
afterAll(async () => await edge?.close())

async function commit(changes: ReadonlyMap<string, number>): Promise<void> {
  const operations = await Promise.all([...changes].map(([path, body]) => fileOperation(edge.volume, path, bodies[body]!, { replace: true })))
  const before = commits.get(Math.max(0, ...commits.keys()))
  commits.set(await edge.commit(...operations), new Map([...(before ?? []), ...changes]))
}

/** One prefix: its worker's life, which ends now and then. */
interface App {
  readonly prefix: string
  readonly device: Device
  life: Life
  served: ServedVolume
}

function startAgain(app: App): void {
  app.life.callsLeft = 0
  app.life = { callsLeft: Infinity }
  app.served = startOn(app.device, app.prefix, app.life)
}

function startOn(device: Device, prefix: string, life?: Life): ServedVolume {
  return startServed(device, { url: `${edge.url}/v1/${volumeName}`, prefix, cacheBytes: 60_000 }, { life })
}

function within(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}

/** What is wrong of what the book calls whole, without the edge and with nothing kept that may go. */
async function wrongOf({ device, prefix }: App): Promise<string[]> {
  const whole = [...device.book.pins.values()].filter(({ seq }) => seq !== undefined)
  if (whole.length === 0) return []
  const copy: Device = { ...newDevice(), table: device.table.clone(), book: device.book, aheadMs: device.aheadMs }
  await copy.table.evict(0)
  copy.network.answer = away
  const served = startOn(copy, prefix)
  const wrong: string[] = []
  for (const path of files) {
    const seqs = whole.filter((pin) => within(path, pin.path)).map(({ seq }) => seq!)
    if (seqs.length === 0) continue
    const expected = hashes[commits.get(Math.max(...seqs))!.get(path)!]!
    const found = await readServed(served, path)
    if (found !== expected) wrong.push(`${prefix} ${path} of ${Math.max(...seqs)}: ${found} instead of ${expected}`)
  }
  return wrong
}

/** Does one thing and names it; what it cannot do because it was ended or the edge is away is no failure. */
async function step(app: App, random: SeededRandom): Promise<string> {
  const { device, served } = app
  const pick = <T>(items: readonly T[]): T => items[random.next() % items.length]!
  const folder = pick(folders)
  const tried = async (name: string, work: Promise<unknown>): Promise<string> => await work.then(() => name, (error: unknown) => `${name} (${String(error)})`)
  switch (random.next() % 7) {
    case 0:
    case 1:
      return await tried(`${app.prefix} pins ${folder}`, pinServed(served, folder))
    case 2:
      return await tried(`${app.prefix} unpins ${folder}`, served.unpin(folder))
    case 3: {
      const path = pick(files)
      await commit(new Map([[path, random.next() % bodies.length]]))
      return `${path} changes`
    }
    case 4: {
      device.aheadMs += 60_000
      const reading = (async () => (await served.answer('/q/one', false, ask('/q/one'))).text())()
      return await tried(`${app.prefix} follows`, reading.then(() => served.settle()))
    }
    case 5:
      await device.table.evict(0)
      return 'all that may goes'
    default: {
      const path = pick(files)
      return await tried(`${app.prefix} reads ${path}`, readServed(served, path))
    }
  }
}

test.each(Array.from({ length: seedCount }, (_, index) => firstSeed + index))('what is called whole is read without the edge (EDGEMOUNT_SEED=%i)', async (seed) => {
  const random = new SeededRandom(seed)
  const shared = newDevice()
  const apps = ['/files/', '/more/'].map((prefix): App => {
    const device = { ...shared, book: new MemoryBook() }
    const life = { callsLeft: Infinity }
    return { prefix, device, life, served: startOn(device, prefix, life) }
  })
  const told: string[] = []
  for (let index = 0; index < stepCount; index += 1) {
    const app = apps[random.next() % 2]!
    const isEnded = random.next() % 4 === 0
    const isBroken = random.next() % 6 === 0
    if (isEnded) app.life.callsLeft = random.next() % (random.next() % 2 === 0 ? 8 : 80)
    let left = random.next() % 6
    if (isBroken) shared.network.answer = () => ((left -= 1) < 0 ? away() : undefined)
    told.push(`${isEnded ? 'ended: ' : ''}${isBroken ? 'broken off: ' : ''}${await step(app, random)}`)
    shared.network.answer = () => undefined
    if (isEnded) startAgain(app)
    for (const each of apps) expect(await wrongOf(each), told.join('\n')).toEqual([])
  }
  // Nothing stays held for nobody.
  for (const app of apps) {
    startAgain(app)
    app.device.aheadMs += 60_000
    await app.served.settle()
    for (const { path } of await app.served.pins()) await app.served.unpin(path)
  }
  expect(await shared.table.pins(), told.join('\n')).toEqual([])
  await shared.table.evict(0)
  expect(shared.table.bodies.size, told.join('\n')).toBe(0)
})

test('ended at any call of the table or the book, a pin that follows and one that is taken back leave whole what the book calls so, and hold no more', async () => {
  const first = newDevice()
  await pinServed(startOn(first, '/files/'), '/p/s')
  await commit(new Map([['/p/s/one', (commits.get(Math.max(...commits.keys()))!.get('/p/s/one')! + 1) % bodies.length]]))
  const works = { follows: (served: ServedVolume) => pinServed(served, '/p/s'), 'is taken back': (served: ServedVolume) => served.unpin('/p/s') }
  for (const [name, work] of Object.entries(works)) {
    let isDone = false
    for (let calls = 0; !isDone; calls += 1) {
      const told = `it ${name}, ended after ${calls} calls`
      const device: Device = { ...newDevice(), table: first.table.clone() }
      for (const pin of first.book.pins.values()) await device.book.write(pin)
      const life = { callsLeft: calls }
      const app = { prefix: '/files/', device, life, served: startOn(device, '/files/', life) }
      isDone = await work(app.served).then(() => true, () => false)
      expect(await wrongOf(app), told).toEqual([])
      startAgain(app)
      await readServed(app.served, '/q/one')
      await app.served.settle()
      expect(await device.table.pins(), told).toHaveLength(device.book.pins.size)
      expect(await wrongOf(app), told).toEqual([])
    }
  }
})
