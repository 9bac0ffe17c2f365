/**
 * Damaged bytes given to everything that decodes: the answer is a value or an EdgemountError that says `corrupt` or `unsupported`,
 * never another error, and never more work than the bytes are worth.
 */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { EdgemountError } from '../../../shared/error.ts'
import { decodeOperations, encodeOperations } from '../../../shared/format/commit-operation.ts'
import { decodeRecord, decodeVolumeConfig, encodeRecord, encodeVolumeConfig } from '../../../shared/format/commit.ts'
import { decodeManifestRoot, encodeManifestRoot } from '../../../shared/format/content-codec.ts'
import { decodeEntry, decodeRoot, encodeEntry, encodeRoot } from '../../../shared/format/entry-codec.ts'
import type { Hash, ManifestRoot, Pointer, Run } from '../../../shared/format/entry.ts'
import { ManifestBuilder } from '../../../shared/format/manifest-build.ts'
import { replaceRuns } from '../../../shared/format/manifest-edit.ts'
import { resolveRuns } from '../../../shared/format/manifest-page.ts'
import type { PageIo, PageSource } from '../../../shared/format/page.ts'
import { decodePointer, encodePointer } from '../../../shared/format/pointer-codec.ts'
import { diffTrees } from '../../../shared/format/tree-diff.ts'
import { editTree } from '../../../shared/format/tree-edit.ts'
import { findInTree, listTree } from '../../../shared/format/tree-page.ts'
import { entryArbitrary, manifestRootArbitrary, pointerArbitrary } from '../../support/entry-arbitrary.ts'
import { chunkRun, fileEntry } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { PageMemory } from '../../support/page-memory.ts'

interface Damage {
  readonly kind: 'set' | 'cut' | 'insert' | 'remove' | 'copy'
  /** Where, as parts of 2^32 of the length; half of the damage goes to the first bytes, where headers and tables are. */
  readonly at: number
  readonly byte: number
}

const damageArbitrary: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'set' as const,
      'set' as const,
      'set' as const,
      'cut' as const,
      'insert' as const,
      'remove' as const,
      'copy' as const,
    ),
    at: fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.nat({ max: 2 ** 25 })),
    byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 127, 128, 255)),
  }),
  { minLength: 1, maxLength: 4 },
)

function damaged(bytes: Uint8Array, damages: readonly Damage[]): Uint8Array {
  let list = [...bytes]
  for (const { kind, at, byte } of damages) {
    const index = Math.floor((at / 2 ** 32) * list.length)
    if (kind === 'set') list[index] = byte
    if (kind === 'cut') list = list.slice(0, index)
    if (kind === 'insert') list.splice(index, 0, byte)
    if (kind === 'remove') list.splice(index, 1)
    if (kind === 'copy') list.splice(index, 8, ...list.slice(byte, byte + 8))
  }
  return Uint8Array.from(list)
}

/** Runs it and gives its error's code; throws when that is not one of those that hostile bytes may have. */
async function codeFrom(run: () => unknown, allowed = ['corrupt', 'unsupported']): Promise<string> {
  try {
    await run()
    return 'fine'
  } catch (error) {
    if (!(error instanceof EdgemountError)) throw error
    expect(allowed).toContain(error.code)
    expect(error.message).toMatch(/^Cannot (read|use|edit|replace|write) /)
    return error.code
  }
}

async function survives(bytes: fc.Arbitrary<Uint8Array>, decode: (bytes: Uint8Array) => unknown, numRuns = 800): Promise<void> {
  const codes = new Set<string>()
  await fc.assert(
    fc.asyncProperty(bytes, damageArbitrary, async (valid, damages) => {
      expect(await codeFrom(() => decode(valid))).toBe('fine')
      codes.add(await codeFrom(() => decode(damaged(valid, damages))))
    }),
    { numRuns },
  )
  expect(codes).toContain('corrupt')
}

describe('damaged values', () => {
  const directory = entryArbitrary.filter((entry) => entry.kind === 'directory')
  const config = encodeVolumeConfig({
    id: 'x',
    name: 'demo',
    created: 5,
    chunking: { kind: 'fixed', bytes: 131_072 },
    capabilities: ['word'],
  })

  test('entry', () => survives(entryArbitrary.map(encodeEntry), decodeEntry))
  test('root', () =>
    survives(fc.tuple(directory, pointerArbitrary).map(([entry, inodes]) => encodeRoot({ directory: entry, inodes })), decodeRoot))
  test('pointer', () => survives(pointerArbitrary.map(encodePointer), decodePointer))
  test('manifest root', () => survives(manifestRootArbitrary.map(encodeManifestRoot), decodeManifestRoot))
  test('operations', () =>
    survives(fc.constant(encodeOperations([{ op: 'rename', path: '/a/b', to: '/c' }, { op: 'mkdir', path: '/d' }])), decodeOperations))
  test('volume.json', () => survives(fc.constant(config), decodeVolumeConfig))
  test('commit record', () => {
    const records = fc.tuple(directory, pointerArbitrary).map(([entry, inodes]) =>
      encodeRecord({
        seq: 7,
        parent: hashOf(''),
        root: { directory: entry, inodes },
        nonce: 'n',
        author: 'a',
        time: 5,
        operations: [{ op: 'mkdir', path: '/a' }],
      })
    )
    return survives(records, decodeRecord)
  })
})

/** Pages of which one has damaged bytes. (Readers trust that pages were verified; those of a hostile writer are.) */
class DamagedPages {
  readonly #pages: ReadonlyMap<Hash, Uint8Array>
  readonly #victim: Hash
  readonly #bytes: Uint8Array
  loadCount = 0

  constructor(memory: PageMemory, victim: number, damages: readonly Damage[]) {
    this.#pages = memory.pages
    this.#victim = [...memory.pages.keys()][victim % memory.pages.size]!
    this.#bytes = damaged(memory.pages.get(this.#victim)!, damages)
  }

  readonly source: PageSource = (pointer: Pointer) => {
    this.loadCount += 1
    const page = pointer.hash === this.#victim ? this.#bytes : this.#pages.get(pointer.hash)
    // A damaged pointer leads nowhere: the store's answer to it, or the hash's, is `corrupt`.
    if (page === undefined) throw new EdgemountError('corrupt', `Cannot read page ${pointer.hash}: it is not there`)
    return page
  }

  readonly load = async (pointer: Pointer): Promise<Uint8Array> => this.source(pointer)!
  readonly io: PageIo = { load: this.load, store: new PageMemory().store }
}

describe('damaged pages', () => {
  const memory = new PageMemory()
  const rule = { min: 150, target: 300, max: 500, spanBelow: 600, spanAbove: 100 }
  const rules = {
    leaf: { min: 5, target: 6, max: 9, spanBelow: 8, spanAbove: 2 },
    inner: { min: 2, target: 3, max: 5, spanBelow: 6, spanAbove: 2 },
  }
  const manifests = new PageMemory()
  const keys = Array.from({ length: 120 }, (_, index) => new TextEncoder().encode(`name-${String(index).padStart(3, '0')}`))
  const value = encodeEntry(fileEntry(5, hashOf('a'), 100))
  let root: Pointer
  let manifest: ManifestRoot

  beforeAll(async () => {
    root = (await editTree(undefined, keys.map((key) => ({ key, value })), memory, rule))!
    const builder = new ManifestBuilder(manifests, rules)
    for (let index = 0; index < 120; index += 1) {
      const run: Run = index % 5 === 0 ? { kind: 'hole', length: 7 } : chunkRun(hashOf(String(index)), 10)
      await builder.add(run)
    }
    manifest = await builder.finish()
  })

  test('of trees', async () => {
    const codes = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(fc.nat(), damageArbitrary, fc.nat({ max: 119 }), async (victim, damages, index) => {
        const key = keys[index]!
        const pages = new DamagedPages(memory, victim, damages)
        const attempts = [
          () => findInTree(root, key, pages.source),
          () => listTree(root, index % 2 === 0 ? undefined : key, 200, pages.source),
          () => Array.fromAsync(diffTrees(undefined, root, pages.load)),
          () => editTree(root, [{ key, value: index % 3 === 0 ? undefined : value.with(2, 6) }], pages.io, rule),
        ]
        for (const attempt of attempts) {
          const code = await codeFrom(attempt)
          codes.set(code, (codes.get(code) ?? 0) + 1)
        }
        expect(pages.loadCount).toBeLessThan(2000)
      }),
      { numRuns: 1000 },
    )
    expect(codes.get('corrupt')).toBeGreaterThan(300)
    expect(codes.get('fine')).toBeGreaterThan(300)
  })

  test('of manifests', async () => {
    const codes = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(fc.nat(), damageArbitrary, fc.nat({ max: 900 }), async (victim, damages, start) => {
        const pages = new DamagedPages(manifests, victim, damages)
        const attempts = [
          () => resolveRuns(manifest, { start, end: start + 100 }, pages.source),
          () => resolveRuns(manifest, { start: 0, end: 2 ** 53 - 1 }, pages.source),
          () => replaceRuns(manifest, { start: 0, end: 7 }, [{ kind: 'hole', length: 9 }], pages.io, rules),
        ]
        for (const attempt of attempts) {
          // A damaged page may still be a sound one, of a file too short or too long for the edit.
          const code = await codeFrom(attempt, ['corrupt', 'unsupported', 'invalid'])
          codes.set(code, (codes.get(code) ?? 0) + 1)
        }
        expect(pages.loadCount).toBeLessThan(2000)
      }),
      { numRuns: 1000 },
    )
    expect(codes.get('corrupt')).toBeGreaterThan(300)
    expect(codes.get('fine')).toBeGreaterThan(300)
    expect(codes.get('invalid') ?? 0).toBeLessThan(100)
  })
})
