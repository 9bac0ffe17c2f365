import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultChunking } from '../../../shared/chunker.ts'
import {
  type CommitOperation,
  commitOperationNames,
  decodeOperations,
  inlineOperationsBytesMax,
  operationPageBytesMax,
  operationPagesMax,
  operationsMax,
  planOperations,
} from '../../../shared/format/commit-operation.ts'
import {
  type CommitRecord,
  decodeRecord,
  decodeVolumeConfig,
  encodeRecord,
  encodeVolumeConfig,
  type VolumeConfig,
} from '../../../shared/format/commit.ts'
import { joinPath } from '../../../shared/path.ts'
import { entryArbitrary, hashArbitrary, nameArbitrary, pointerArbitrary } from '../../support/entry-arbitrary.ts'
import { fileEntry, fileId } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { packId } from '../../support/page-memory.ts'

const pathArbitrary = fc.array(nameArbitrary.filter((name) => name !== '.' && name !== '..'), { maxLength: 4 }).map(joinPath)

const operationArbitrary: fc.Arbitrary<CommitOperation> = fc.record(
  { op: fc.constantFrom(...commitOperationNames), path: pathArbitrary, to: pathArbitrary, id: fc.maxSafeNat().map(fileId) },
  { requiredKeys: ['op', 'path'] },
)

const directoryArbitrary = entryArbitrary.filter((entry) => entry.kind === 'directory')

const recordArbitrary: fc.Arbitrary<CommitRecord> = fc
  .record({
    seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    parent: hashArbitrary,
    root: fc.record({ directory: directoryArbitrary, inodes: fc.option(pointerArbitrary, { nil: undefined }) }),
    nonce: fc.string({ minLength: 1, maxLength: 128 }),
    author: fc.string({ maxLength: 255 }),
    time: fc.maxSafeNat(),
    message: fc.option(fc.string(), { nil: undefined }),
    operations: fc.array(operationArbitrary, { maxLength: 10 }),
    pages: fc.option(fc.array(pointerArbitrary, { maxLength: 3 }), { nil: undefined }),
  })
  .map(({ parent, message, operations, pages, ...rest }) => ({
    ...rest,
    parent: rest.seq === 1 ? undefined : parent,
    ...(message === undefined ? {} : { message }),
    ...(pages === undefined ? { operations } : { operations: [], operationPages: pages }),
  }))

const directory = {
  ...fileEntry(1, hashOf(''), 5),
  kind: 'directory' as const,
  size: 0,
  content: { kind: 'tree' as const, root: { pointer: undefined, entryCount: 0, directoryCount: 0 } },
}
const record: CommitRecord = {
  seq: 2,
  parent: hashOf('1'),
  root: { directory, inodes: undefined },
  nonce: 'n',
  author: 'a',
  time: 5,
  operations: [{ op: 'mkdir', path: '/a' }],
}
const config: VolumeConfig = {
  id: '01JDA7X3M0ABCDEFGHJKMNPQRS',
  name: 'demo',
  created: 1,
  chunking: defaultChunking,
  capabilities: ['create-if-absent'],
}

/** The JSON of a value with some fields changed; undefined removes one. */
function withFields(bytes: Uint8Array, fields: object): Uint8Array {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
  return new TextEncoder().encode(JSON.stringify({ ...(typeof value === 'object' ? value : {}), ...fields }))
}

const corrupt = (message: RegExp): unknown => expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(message) })

describe('commit records', () => {
  test('come back, byte for byte', () => {
    fc.assert(
      fc.property(recordArbitrary, (each) => {
        const bytes = encodeRecord(each)
        // Maps compare by order, and extended attributes are sorted on disk: compare the bytes as well.
        expect(decodeRecord(bytes)).toMatchObject({ ...each, root: { inodes: each.root.inodes } })
        expect(encodeRecord(decodeRecord(bytes))).toEqual(bytes)
      }),
      { numRuns: 300 },
    )
  })

  test('have their keys in one order, whatever order they were made in', () => {
    const shuffled = Object.fromEntries(Object.entries(record).toReversed())
    expect(encodeRecord({ ...record, ...shuffled })).toEqual(encodeRecord(record))
    expect(Object.keys(JSON.parse(new TextDecoder().decode(encodeRecord(record))) as object)).toEqual([
      'format',
      'seq',
      'parent',
      'root',
      'nonce',
      'author',
      'time',
      'operations',
    ])
  })

  test('of a newer format say what to do, whatever else is in them', () => {
    const newer = new TextEncoder().encode('{"format":2,"something":"else"}')
    expect(() => decodeRecord(newer)).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: 'Cannot read a commit record: it has format 2 and this edgemount reads 1; update edgemount',
      }),
    )
  })

  test.each<[string, object, RegExp]>([
    ['no format', { format: undefined }, /format/],
    ['seq 0', { seq: 0 }, /seq/],
    ['a fractional seq', { seq: 1.5 }, /seq/],
    ['no parent', { parent: null }, /parent/],
    ['a parent before the first', { seq: 1 }, /parent/],
    ['a root that is not base64', { root: '!' }, /root is damaged/],
    ['a root that is cut short', { root: 'AQ==' }, /root/],
    ['an empty nonce', { nonce: '' }, /nonce/],
    ['a long author', { author: 'x'.repeat(256) }, /author/],
    ['a negative time', { time: -1 }, /time/],
    ['an unknown operation', { operations: [{ op: 'explode', path: '/a' }] }, /"explode" is none/],
    ['a path that is none', { operations: [{ op: 'mkdir', path: 'a' }] }, /path is no path/],
    ['a path that climbs', { operations: [{ op: 'rename', path: '/a', to: '/../b' }] }, /to is no path/],
    ['a field of an operation that nobody knows', { operations: [{ op: 'mkdir', path: '/a', by: 1 }] }, /field "by"/],
    ['operations that are none', { operations: {} }, /operations is not a list/],
    ['a page that is none', { operations: undefined, operationPages: ['x'] }, /operation page is damaged/],
    ['operations and pages', { operationPages: [] }, /field "operations"/],
    ['a field that nobody knows', { prune: true }, /field "prune"/],
  ])('with %s are corrupt', (_, fields, message) => {
    expect(() => decodeRecord(withFields(encodeRecord(record), fields))).toThrow(corrupt(message))
  })

  test('are not written when they could not be read', () => {
    for (
      const change of [{ seq: 0 }, { parent: undefined }, { nonce: '' }, { time: 1.5 }, {
        operations: [{ op: 'mkdir', path: 'a' } as const],
      }]
    ) {
      expect(() => encodeRecord({ ...record, ...change })).toThrow(expect.objectContaining({ code: 'invalid' }))
    }
    expect(() => encodeRecord({ ...record, operationPages: [] })).toThrow(
      expect.objectContaining({ code: 'invalid', message: expect.stringMatching(/not in both/) }),
    )
  })

  test.each([['not JSON', '{'], ['no object', '[]'], ['nothing', ''], ['null', 'null']])('that are %s are corrupt', (_, text) => {
    expect(() => decodeRecord(new TextEncoder().encode(text))).toThrow(corrupt(/^Cannot read a commit record/))
  })
})

describe('planOperations', () => {
  const many = (count: number, nameLength = 10): CommitOperation[] =>
    Array.from(
      { length: count },
      (_, index) => ({ op: 'create', path: `/top/deep/${String(index).padStart(nameLength, 'x')}`, id: fileId(index) }),
    )

  test('keeps few in the record', () => {
    expect(planOperations(many(100))).toEqual({ inline: many(100) })
    expect(planOperations([])).toEqual({ inline: [] })
  })

  test('puts more in pages of bounded length, in order', () => {
    const operations = many(20_000, 60)
    const plan = planOperations(operations)
    const pages = 'pages' in plan ? plan.pages : []
    expect(pages.length).toBeGreaterThan(5)
    for (const page of pages) expect(page.length).toBeLessThanOrEqual(operationPageBytesMax)
    expect(pages.flatMap(decodeOperations)).toEqual(operations)
  })

  test('goes to pages exactly where the record would be too long', () => {
    const operation: CommitOperation = { op: 'create', path: `/${'x'.repeat(221)}` } // 1 + 250 bytes with its comma
    const bytesEach = JSON.stringify(operation).length + 1
    const fitting = Math.floor((inlineOperationsBytesMax - 2) / bytesEach)
    expect('inline' in planOperations(Array.from({ length: fitting }, () => operation))).toBe(true)
    expect('pages' in planOperations(Array.from({ length: fitting + 1 }, () => operation))).toBe(true)
  })

  test('makes one of too many, at the directory they share', () => {
    expect(planOperations(many(operationsMax + 1))).toEqual({ inline: [{ op: 'subtree', path: '/top/deep' }] })
    expect(planOperations([...many(operationsMax), { op: 'rename', path: '/top/deep/a', to: '/top/b' }])).toEqual({
      inline: [{ op: 'subtree', path: '/top' }],
    })
    expect(planOperations([...many(operationsMax), { op: 'mkdir', path: '/other' }])).toEqual({ inline: [{ op: 'subtree', path: '/' }] })
  })

  test('makes one of those that fill more pages than a record may name', () => {
    // So long that two of these renames do not fit into one page.
    const path = `/${'t'.repeat(240)}/${Array.from({ length: 256 }, () => 'x'.repeat(254)).join('/')}`
    const operations = Array.from({ length: operationPagesMax }, (): CommitOperation => ({ op: 'rename', path, to: path }))
    const plan = planOperations(operations)
    const pointers = 'pages' in plan ? plan.pages.map((page) => ({ hash: hashOf(page), pack: packId('m01JDA7X3M0ABCDEFGHJKMNPQRS'), offset: 0, length: page.length })) : []
    expect(pointers).toHaveLength(operationPagesMax)
    expect(decodeRecord(encodeRecord({ ...record, operations: [], operationPages: pointers })).operationPages).toEqual(pointers)
    expect(planOperations([...operations, operations[0]!])).toEqual({ inline: [{ op: 'subtree', path: path.slice(0, -255) }] })
  })

  test('makes one of an operation whose path is too long to be read back', () => {
    const path = `/top/${Array.from({ length: 300 }, () => 'x'.repeat(254)).join('/')}`
    expect(planOperations([{ op: 'mkdir', path }])).toEqual({ inline: [{ op: 'subtree', path: path.slice(0, -255) }] })
  })
})

describe('volume.json', () => {
  test('comes back, for both kinds of chunking', () => {
    expect(decodeVolumeConfig(encodeVolumeConfig(config))).toEqual(config)
    const fixed: VolumeConfig = { ...config, chunking: { kind: 'fixed', bytes: 131_072 } }
    expect(decodeVolumeConfig(encodeVolumeConfig(fixed))).toEqual(fixed)
  })

  test('of a newer format, or with chunks cut in an unknown way, says what to do', () => {
    expect(() => decodeVolumeConfig(withFields(encodeVolumeConfig(config), { format: 2 }))).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: 'Cannot read a volume.json: it has format 2 and this edgemount reads 1; update edgemount',
      }),
    )
    expect(() => decodeVolumeConfig(withFields(encodeVolumeConfig(config), { chunking: { kind: 'magic' } }))).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(/update edgemount/) }),
    )
  })

  test.each<[string, object, RegExp]>([
    ['no name', { name: '' }, /name/],
    ['chunking that cannot be', { chunking: { kind: 'fixed', bytes: 1 } }, /Cannot cut chunks/],
    ['chunking with another field', { chunking: { kind: 'fixed', bytes: 131_072, seed: 1 } }, /field "seed"/],
    ['a capability that is no word', { capabilities: ['A b'] }, /capability/],
    ['another field', { owner: 'x' }, /field "owner"/],
  ])('with %s is corrupt', (_, fields, message) => {
    expect(() => decodeVolumeConfig(withFields(encodeVolumeConfig(config), fields))).toThrow(corrupt(message))
  })
})
