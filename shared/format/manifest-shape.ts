/**
 * How runs become manifest pages: the split rule, the bytes of a page, and the content id, a Merkle hash over lengths and
 * chunk hashes that knows nothing of packs. So equal bodies cut alike have equal ids wherever they were stored.
 *
 * INVARIANT: where pages end depends on the runs' kinds and chunk hashes alone, never on the bytes of pointers.
 */
import { concatBytes } from '../bytes.ts'
import { Writer } from '../codec.ts'
import { type HashFunction, hashToBytes } from '../hash.ts'
import type { Hash, ManifestRoot, Run } from './entry.ts'
import { encodeChild, encodeRun, type ManifestChild, type ManifestPage } from './manifest-page.ts'
import { encodePage } from './page.ts'
import type { PageShape, SplitRule } from './page-stack.ts'

export interface ManifestRules {
  readonly leaf: SplitRule
  readonly inner: SplitRule
}

/** Weights are items. A leaf item has up to 72 bytes, an inner one 108: the target is a page near 64 KiB, the maximum one below 128. */
export const manifestRules: ManifestRules = {
  leaf: { min: 256, target: 1024, max: 1536, spanBelow: 2048, spanAbove: 128 },
  inner: { min: 128, target: 640, max: 960, spanBelow: 1280, spanAbove: 80 },
}

/** First byte of what is hashed for a content id: `M`. */
const contentIdMark = 0x4d

/** A run in a leaf, or a page in a page above. */
export type ManifestItem = Run | ManifestChild

export function isChild(item: ManifestItem): item is ManifestChild {
  return 'contentId' in item
}

export function makeManifestShape(hash: HashFunction, rules: ManifestRules): PageShape<ManifestItem> {
  return {
    rule: (level) => (level === 0 ? rules.leaf : rules.inner),
    weight: () => 1,
    lot: (_, item) => lotOf(item),
    encode: encodeManifestPage,
    parent: async (level, items, pointer) => ({ length: sumLengths(items), pointer, contentId: await contentIdOf(level, items, hash) }),
  }
}

export function encodeManifestPage(level: number, items: readonly ManifestItem[]): Uint8Array {
  let end = 0
  const encoded = items.map((item) => {
    end += item.length
    return isChild(item) ? encodeChild(end, item) : encodeRun(end, item)
  })
  return encodePage('manifest', level, encoded)
}

/** The root of a manifest of few runs. */
export async function makeInlineRoot(runs: readonly Run[], hash: HashFunction): Promise<ManifestRoot> {
  return { kind: 'inline', page: encodeManifestPage(0, runs), contentId: idOfOneChunk(runs) ?? (await contentIdOf(0, runs, hash)) }
}

/** A body of one chunk has the chunk's hash as its content id: the SHA-256 of the body, as for bodies inline in the entry. */
export function idOfOneChunk(runs: readonly Run[]): Hash | undefined {
  const only = runs.length === 1 ? runs[0] : undefined
  return only?.kind === 'chunk' ? only.pointer.hash : undefined
}

/**
 * Hashed twice: what the id is the hash of always has 34 bytes, and a body of 34 bytes never has a manifest, so no body can
 * pose as another of its size.
 */
async function contentIdOf(level: number, items: readonly ManifestItem[], hash: HashFunction): Promise<Hash> {
  const writer = new Writer(items.length * 40)
  for (const item of items) {
    writer.varint(item.length)
    if (isChild(item)) {
      writer.raw(hashToBytes(item.contentId))
    } else if (item.kind === 'hole') {
      writer.u8(0)
    } else {
      writer.u8(1)
      writer.raw(hashToBytes(item.pointer.hash))
    }
  }
  const inner = hashToBytes(await hash(writer.finish()))
  return await hash(concatBytes([Uint8Array.of(contentIdMark, level), inner]))
}

/** The content id that a page has by what is in it. `isWholeBody`: it is a manifest's root. */
export async function contentIdOfPage(page: ManifestPage, isWholeBody: boolean, hash: HashFunction): Promise<Hash> {
  const items = Array.from({ length: page.count }, (_, index) => (page.level === 0 ? page.run(index) : page.child(index)))
  const runs = items.filter((item): item is Run => !isChild(item))
  return idOfOneChunk(isWholeBody && page.level === 0 ? runs : []) ?? (await contentIdOf(page.level, items, hash))
}

/** The first 32 bits of the hash; a hole has the highest lot, so that it never ends a page by chance. */
function lotOf(item: ManifestItem): number {
  if (isChild(item)) return Number.parseInt(item.contentId.slice(0, 8), 16)
  return item.kind === 'hole' ? 2 ** 32 - 1 : Number.parseInt(item.pointer.hash.slice(0, 8), 16)
}

function sumLengths(items: readonly ManifestItem[]): number {
  let sum = 0
  for (const item of items) sum += item.length
  return sum
}
