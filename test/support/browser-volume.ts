/** A volume opened as a page opens it, but in Node: over a real edge, with a counting fetch and a table in memory. */
import { nodeHash } from '../../edge/node.ts'
import { type BrowserVolume, type OpenOptions, openVolume } from '../../edge/browser/volume.ts'
import type { World } from '../../edge/browser/engine.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Fetch } from '../../shared/wire/connection.ts'
import { MemoryTable } from './memory-table.ts'
import { SeededRandom } from './seeded-random.ts'

/** What a page's `fetch` did. */
export class CountedFetch {
  readonly urls: string[] = []
  /** Instead of the network; undefined lets a request go on. */
  answer: (url: string, init: RequestInit) => Promise<Response> | undefined = () => undefined

  readonly fetch: Fetch = async (url, init) => {
    this.urls.push(url)
    return await (this.answer(url, init) ?? fetch(url, init))
  }

  /** What was asked for since the last call. */
  take(): string[] {
    return this.urls.splice(0)
  }
}

export interface OpenedVolume {
  readonly volume: BrowserVolume
  readonly network: CountedFetch
  readonly table: MemoryTable
}

export async function openInNode(url: string, options: Omit<OpenOptions, 'world'> & { readonly table?: MemoryTable; readonly network?: CountedFetch; readonly world?: Partial<World> } = {}): Promise<OpenedVolume> {
  const { table = new MemoryTable(), network = new CountedFetch(), world = {}, ...rest } = options
  const whole: World = { fetch: network.fetch, clock: systemClock, random: new SeededRandom(7), hash: nodeHash, table, origin: undefined, ...world }
  return { volume: await openVolume(url, { ...rest, world: whole }), network, table }
}
