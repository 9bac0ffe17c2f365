/** Random valid entries, for properties of everything that keeps or sends them. */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Content, Entry, FileKind, Hash, ManifestRoot, PackId, Pointer, Run, Time } from '../../shared/format/entry.ts'
import { encodeManifestPage, idOfOneChunk } from '../../shared/format/manifest-shape.ts'
import { packBytesMax, packIdFromBytes } from '../../shared/format/pack-id.ts'
import { hashFromBytes } from '../../shared/hash.ts'
import { decodeName, encodeName } from '../../shared/name.ts'
import { fileId } from './file-entry.ts'

export const hashArbitrary: fc.Arbitrary<Hash> = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hashFromBytes)

export const packIdArbitrary: fc.Arbitrary<PackId> = fc
  .tuple(fc.constantFrom(0x64, 0x6d), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(([kind, bits]) => packIdFromBytes(Uint8Array.of(kind, ...bits)))

export const pointerArbitrary: fc.Arbitrary<Pointer> = fc
  .tuple(hashArbitrary, packIdArbitrary, fc.nat({ max: packBytesMax - 1 }), fc.nat())
  .map(([hash, pack, offset, seed]) => ({ hash, pack, offset, length: 1 + (seed % (packBytesMax - offset)) }))

/** Names as bytes give them, so that they also hold what is not UTF-8. */
export const nameArbitrary: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 1, maxLength: 60 })
  .map((bytes) => decodeName(bytes.filter((byte) => byte !== 0 && byte !== 0x2f)))
  .filter((name) => name.length > 0)

const timeArbitrary: fc.Arbitrary<Time> = fc.record({
  seconds: fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 })),
  nanoseconds: fc.oneof(fc.constant(0), fc.nat({ max: 999_999_999 })),
})

/** Neighbouring holes are one. */
const runsArbitrary: fc.Arbitrary<Run[]> = fc
  .array(
    fc.oneof(
      pointerArbitrary.map((pointer): Run => ({ kind: 'chunk', length: pointer.length, pointer })),
      fc.integer({ min: 1, max: 2 ** 45 }).map((length): Run => ({ kind: 'hole', length })),
    ),
    { maxLength: 4 },
  )
  .map((runs) => runs.filter((run, index) => run.kind === 'chunk' || runs[index - 1]?.kind !== 'hole'))

export const manifestRootArbitrary: fc.Arbitrary<ManifestRoot> = fc.oneof(
  fc.record({ kind: fc.constant('page' as const), pointer: pointerArbitrary, contentId: hashArbitrary }),
  fc.tuple(runsArbitrary, hashArbitrary).map(([runs, hash]) => ({
    kind: 'inline' as const,
    page: encodeManifestPage(0, runs),
    contentId: idOfOneChunk(runs) ?? hash,
  })),
)

interface Body {
  readonly kind: FileKind
  readonly size: number
  readonly content: Content
}

const bodyArbitrary: fc.Arbitrary<Body> = fc.oneof(
  fc.uint8Array({ maxLength: 4096 }).map((bytes): Body => ({ kind: 'file', size: bytes.length, content: { kind: 'inline', bytes } })),
  fc.tuple(manifestRootArbitrary, fc.maxSafeNat()).map(([root, size]): Body => ({
    kind: 'file',
    size: root.kind === 'inline' ? sizeOfPage(root.page) : size,
    content: { kind: 'manifest', root },
  })),
  fc.tuple(fc.option(pointerArbitrary, { nil: undefined }), fc.nat(), fc.nat()).map(([pointer, count, directories]): Body => {
    const entryCount = pointer === undefined ? 0 : count + 1
    return {
      kind: 'directory',
      size: 0,
      content: { kind: 'tree', root: { pointer, entryCount, directoryCount: directories % (entryCount + 1) } },
    }
  }),
  nameArbitrary.map((target): Body => ({ kind: 'symlink', size: encodeName(target).length, content: { kind: 'target', target } })),
  fc.constantFrom('fifo' as const, 'socket' as const).map((kind): Body => ({ kind, size: 0, content: { kind: 'none' } })),
  fc
    .tuple(fc.constantFrom('character-device' as const, 'block-device' as const), fc.nat(), fc.nat())
    .map(([kind, major, minor]): Body => ({ kind, size: 0, content: { kind: 'device', major, minor } })),
)

function sizeOfPage(page: Uint8Array): number {
  // The end of the last item; by hand, so that a wrong page cannot hide behind the reader under test.
  if (page[3] === 0) return 0
  const slot = 5 + 3 * (page[3]! - 1)
  let size = 0
  let scale = 1
  for (let at = page[slot]! + page[slot + 1]! * 256;; at += 1, scale *= 128) {
    size += (page[at]! % 128) * scale
    if (page[at]! < 128) return size
  }
}

export const entryArbitrary: fc.Arbitrary<Entry> = fc
  .record({
    body: bodyArbitrary,
    id: fc.maxSafeNat().map(fileId),
    mode: fc.nat({ max: 0o7777 }),
    uid: fc.nat({ max: 0xffffffff }),
    gid: fc.nat({ max: 0xffffffff }),
    mtime: timeArbitrary,
    ctime: fc.option(timeArbitrary, { nil: undefined }),
    atime: fc.option(timeArbitrary, { nil: undefined }),
    linkCount: fc.oneof(fc.constant(1), fc.nat({ max: 100_000 })),
    xattrs: fc.array(fc.tuple(nameArbitrary, fc.uint8Array({ maxLength: 200 })), { maxLength: 5 }),
  })
  .map(({ body, ctime, atime, xattrs, ...rest }) => ({
    ...rest,
    ctime: ctime ?? rest.mtime,
    // As it is decoded: the mtime once more is not kept.
    ...(atime === undefined || isDeepStrictEqual(atime, rest.mtime) ? {} : { atime }),
    xattrs: new Map(xattrs),
    ...body,
  }))
