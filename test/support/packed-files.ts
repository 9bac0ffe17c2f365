/** Files in packs in memory, and tiers over them that can be slow, wrong or away, for tests of fetching. */
import { EdgemountError } from '../../shared/error.ts'
import { encodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { ManifestRoot, PackId, Run } from '../../shared/format/entry.ts'
import { ManifestBuilder } from '../../shared/format/manifest-build.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { Tier } from '../../shim/fetch/tier.ts'
import { hashOf } from './hash-of.ts'
import { PageMemory, packId } from './page-memory.ts'
import { SeededRandom } from './seeded-random.ts'

export interface PackedFile {
  readonly content: Uint8Array
  readonly manifest: Uint8Array
  readonly root: ManifestRoot
}

/** A part of a file: so many random bytes as one chunk, or a hole. */
export type Part = number | { readonly hole: number }

export class PackedFiles {
  readonly pages = new PageMemory()
  readonly #random: SeededRandom
  readonly #packs = new Map<PackId, Uint8Array[]>()
  #packNumber = 0

  constructor(seed = 1) {
    this.#random = new SeededRandom(seed)
  }

  newPack(): PackId {
    this.#packNumber += 1
    const pack = packId(`d01JDA7X3M0ABCDEFGHJKM${String(this.#packNumber).padStart(5, '0')}`)
    this.#packs.set(pack, [])
    return pack
  }

  /** Lays a file's chunks at the end of a pack. */
  async add(pack: PackId, parts: readonly Part[]): Promise<PackedFile> {
    const builder = new ManifestBuilder({ store: this.pages.store })
    const content: Uint8Array[] = []
    for (const part of parts) {
      const run = typeof part === 'number' ? this.#chunk(pack, part, content) : this.#hole(part.hole, content)
      await builder.add(run)
    }
    const root = await builder.finish()
    return { content: joined(content), manifest: encodeManifestRoot(root), root }
  }

  /** A file of one chunk with the same content, in another pack. */
  async addCopy(pack: PackId, { content }: PackedFile): Promise<PackedFile> {
    const builder = new ManifestBuilder({ store: this.pages.store })
    await builder.add(this.#place(pack, content))
    const root = await builder.finish()
    return { content, manifest: encodeManifestRoot(root), root }
  }

  /** Bytes between what is added. */
  addGap(pack: PackId, length: number): void {
    this.#packs.get(pack)!.push(this.#random.bytes(length))
  }

  bytes(pack: PackId): Uint8Array {
    return joined(this.#packs.get(pack) ?? [])
  }

  has(pack: PackId): boolean {
    return this.#packs.has(pack)
  }

  #chunk(pack: PackId, length: number, content: Uint8Array[]): Run {
    const bytes = this.#random.bytes(length)
    content.push(bytes)
    return this.#place(pack, bytes)
  }

  #place(pack: PackId, bytes: Uint8Array): Run {
    const offset = this.bytes(pack).length
    this.#packs.get(pack)!.push(bytes)
    return { kind: 'chunk', length: bytes.length, pointer: { hash: hashOf(bytes), pack, offset, length: bytes.length } }
  }

  #hole(length: number, content: Uint8Array[]): Run {
    content.push(new Uint8Array(length))
    return { kind: 'hole', length }
  }
}

export interface Asked {
  readonly pack: PackId
  readonly range: ByteRange
}

/** A tier over packed files. `before` may wait, throw or change what is answered. */
export class TestTier implements Tier {
  readonly name: string
  readonly asked: Asked[] = []
  readonly #files: PackedFiles
  /** Runs before an answer; what it gives is answered instead. */
  before: ((asked: Asked, signal: AbortSignal) => Promise<Uint8Array | undefined> | undefined) | undefined
  activeCount = 0
  activeMax = 0
  abortedCount = 0

  constructor(files: PackedFiles, name = 'store') {
    this.#files = files
    this.name = name
  }

  async get(pack: PackId, range: ByteRange, signal: AbortSignal): Promise<Uint8Array> {
    const asked = { pack, range }
    this.asked.push(asked)
    this.activeCount += 1
    this.activeMax = Math.max(this.activeMax, this.activeCount)
    const onAbort = (): void => void (this.abortedCount += 1)
    signal.addEventListener('abort', onAbort)
    try {
      const instead = await this.before?.(asked, signal)
      if (instead !== undefined) return instead
      if (!this.#files.has(pack)) throw new EdgemountError('not-found', `Cannot read pack "${pack}": there is none`)
      return this.#files.bytes(pack).slice(range.start, range.end)
    } finally {
      this.activeCount -= 1
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
