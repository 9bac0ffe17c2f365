/** What a browser keeps for a service worker, and the worker started on it again and again, without a browser: a table and a book in memory, a network that fails when told to. */
import { ServedVolume } from '../../edge/browser/service-worker/served-volume.ts'
import type { KeptPin, PinBook, ServedSettings } from '../../edge/browser/service-worker/worker-book.ts'
import { nodeHash } from '../../edge/node.ts'
import { systemClock } from '../../shared/clock.ts'
import { CountedFetch } from './browser-volume.ts'
import { MemoryTable } from './memory-table.ts'
import { SeededRandom } from './seeded-random.ts'

export class MemoryBook implements PinBook {
  readonly pins = new Map<string, KeptPin>()
  read(): Promise<readonly KeptPin[]> {
    return Promise.resolve([...this.pins.values()])
  }
  write(pin: KeptPin): Promise<void> {
    this.pins.set(pin.path, pin)
    return Promise.resolve()
  }
  remove(path: string): Promise<void> {
    this.pins.delete(path)
    return Promise.resolve()
  }
}

export interface Device {
  readonly table: MemoryTable
  readonly book: PinBook & MemoryBook
  readonly network: CountedFetch
  aheadMs: number
}

export function newDevice(): Device {
  return { table: new MemoryTable(), book: new MemoryBook(), network: new CountedFetch(), aheadMs: 0 }
}

/** As long as it lives it may use the table and the book so often. */
export interface Life {
  callsLeft: number
}

/** As the browser starts it on one device. */
export function startServed(device: Device, settings: Partial<ServedSettings> & Pick<ServedSettings, 'url'>, { life = { callsLeft: Infinity }, token }: { readonly life?: Life | undefined; readonly token?: string } = {}): ServedVolume {
  const { network } = device
  // Waits a tenth of what it is told, and for another try hardly at all.
  const clock = { now: () => systemClock.now() + device.aheadMs, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms < 1500 ? ms / 100 : ms / 10, signal) }
  const all = { prefix: '/files/', seq: undefined, cacheBytes: 1024 * 1024, pinBytes: 100 * 1024 * 1024, keepsToken: true, ...settings }
  const world = { fetch: network.fetch, clock, random: new SeededRandom(52), hash: nodeHash, origin: undefined }
  return new ServedVolume(all, { token: () => Promise.resolve(token), book: mortal(device.book, life), table: mortal(device.table, life), clock, random: new SeededRandom(53), world })
}

export function ask(path: string, headers: Readonly<Record<string, string>> = {}): Request {
  return new Request(`http://app.example/files${path}`, { headers })
}

/** The hash of what came, or why nothing did. */
export async function readServed(served: ServedVolume, path: string): Promise<string> {
  const answer = await served.answer(path, false, ask(path))
  return answer.ok ? await nodeHash(new Uint8Array(await answer.arrayBuffer())) : `${answer.status} ${await answer.text()}`
}

export const pinServed = async (served: ServedVolume, path: string): Promise<unknown> => await served.pin(path, { signal: new AbortController().signal, onProgress: () => undefined })
export const away = (): Promise<Response> => Promise.reject(new TypeError('Failed to fetch'))

/** Each method a call; the last one and all after it are not done. */
function mortal<T extends object>(target: T, life: Life): T {
  return new Proxy(target, {
    get: (_, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => ((life.callsLeft -= 1) < 0 ? Promise.reject(new Error('the worker was ended')) : Reflect.apply(member, target, args))
    },
  })
}
