/** Segments of metadata packs from the edge, as the engine's page store asks for them. It verifies the pages in them, and asks again, past all caches, when one is wrong. */
import { EdgemountError } from '../../shared/error.ts'
import { isPackId, packBytesMax } from '../../shared/format/pack-id.ts'
import type { GetOptions, StoredObject } from '../../shared/store.ts'
import type { PackSource } from '../../shared/volume/page-store.ts'
import type { EdgeConnection } from '../../shared/wire/connection.ts'
import { routes } from '../../shared/wire/routes.ts'

export class MetadataPacks implements PackSource {
  readonly #connection: EdgeConnection
  readonly #volume: string

  constructor(connection: EdgeConnection, volume: string) {
    this.#connection = connection
    this.#volume = volume
  }

  get label(): string {
    return `${this.#connection.label}/${this.#volume}`
  }

  async get(key: string, { range, signal, isFresh }: GetOptions = {}): Promise<StoredObject | undefined> {
    const pack = key.replace('meta/', '')
    if (!isPackId(pack) || range === undefined) throw new EdgemountError('internal', `Cannot read "${key}": only segments of metadata packs are read here`)
    const request = { method: 'GET', path: routes.slice(this.#volume, pack, range), signal, isFresh } as const
    const response = await this.#connection.send(request)
    if (response.status === 404) return undefined
    if (!response.ok) throw await this.#connection.errorOf(response, request)
    const size = Number(response.headers.get('edgemount-size') ?? 'none')
    if (!(Number.isSafeInteger(size) && size <= packBytesMax)) throw new EdgemountError('unavailable', `Cannot read ${request.path} from ${this.label}: its Edgemount-Size is not that of a pack`)
    const bytes = await this.#connection.readAll(response, request.path, { bytesMax: range.end - range.start }, signal)
    return { size, etag: `"${pack}"`, bytes: () => Promise.resolve(bytes), stream: () => new Response(new Uint8Array(bytes)).body! }
  }
}
