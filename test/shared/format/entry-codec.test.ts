import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeManifestRoot, encodeManifestRoot } from '../../../shared/format/content-codec.ts'
import {
  contentVersionOf,
  decodeEntry,
  decodeRoot,
  encodeEntry,
  encodeRoot,
  entryBytesMax,
  linkEntry,
} from '../../../shared/format/entry-codec.ts'
import type { Entry } from '../../../shared/format/entry.ts'
import { decodePointer, encodePointer } from '../../../shared/format/pointer-codec.ts'
import { entryArbitrary, manifestRootArbitrary, pointerArbitrary } from '../../support/entry-arbitrary.ts'
import { fileEntry, fileId } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { metaPack } from '../../support/page-memory.ts'

const file = fileEntry(5, hashOf('body'), 70_000)
const directory: Entry = {
  ...file,
  kind: 'directory',
  size: 0,
  content: { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } },
}

/** Maps compare by their order too; on disk they are sorted. */
function sorted(entry: Entry): Entry {
  return { ...entry, xattrs: new Map([...entry.xattrs].toSorted(([a], [b]) => (a < b ? -1 : 1))) }
}

describe('entries', () => {
  test('come back, and have one spelling', () => {
    fc.assert(
      fc.property(entryArbitrary, (entry) => {
        const bytes = encodeEntry(entry)
        expect(sorted(decodeEntry(bytes))).toEqual(sorted(entry))
        expect(encodeEntry(decodeEntry(bytes))).toEqual(bytes)
      }),
      { numRuns: 500 },
    )
  })

  test('of ordinary files take little', () => {
    expect(encodeEntry({ ...file, id: fileId(2 ** 53 - 1) }).length).toBeLessThanOrEqual(115)
    expect(encodeEntry({ ...file, content: { kind: 'inline', bytes: new Uint8Array(10) }, size: 10, ctime: file.mtime }).length)
      .toBeLessThanOrEqual(35)
  })

  test('leave out an atime that equals mtime', () => {
    expect(encodeEntry({ ...file, atime: { ...file.mtime } })).toEqual(encodeEntry(file))
    expect(encodeEntry({ ...file, atime: { seconds: 5, nanoseconds: 6 } }).length).toBe(encodeEntry(file).length + 2)
  })

  test('that are links keep kind and id alone', () => {
    const link = linkEntry('symlink', fileId(77))
    expect(encodeEntry(link).length).toBe(3)
    expect(decodeEntry(encodeEntry({ ...link, mode: 0o644, uid: 5 }))).toEqual(link)
  })

  test('do not keep the page they were read from in memory', () => {
    const page = new Uint8Array(100_000)
    const entry: Entry = {
      ...file,
      xattrs: new Map([['user.a', Uint8Array.of(1)]]),
      content: { kind: 'inline', bytes: Uint8Array.of(1, 2) },
      size: 2,
    }
    const bytes = encodeEntry(entry)
    page.set(bytes, 500)
    const decoded = decodeEntry(page.subarray(500, 500 + bytes.length))
    page.fill(9)
    expect(decoded).toEqual(entry)
  })

  test.each<[string, Partial<Entry>, string, RegExp]>([
    ['a directory with a body', { kind: 'directory' }, 'invalid', /directory cannot have content "manifest"/],
    ['a link to a directory', { kind: 'directory', content: { kind: 'link' } }, 'invalid', /directory cannot have content "link"/],
    ['a size that the content does not have', { size: 69_999 }, 'invalid', /its size is 69999, its content says 70000/],
    ['a mode with a file type', { mode: 0o100644 }, 'invalid', /mode/],
    ['an owner of more than 32 bits', { uid: 2 ** 32 }, 'invalid', /owner/],
    ['a second of nanoseconds', { mtime: { seconds: 1, nanoseconds: 1_000_000_000 } }, 'invalid', /nanoseconds/],
    [
      'a body too long for the entry',
      { content: { kind: 'inline', bytes: new Uint8Array(4097) }, size: 4097 },
      'invalid',
      /4096 is the most/,
    ],
    [
      'a target longer than a path',
      { kind: 'symlink', content: { kind: 'target', target: 'x'.repeat(4096) }, size: 4096 },
      'invalid',
      /4095 is the most/,
    ],
    ['an attribute without a name', { xattrs: new Map([['', Uint8Array.of(1)]]) }, 'invalid', /1 to 255/],
    [
      'too many attributes',
      { xattrs: new Map([['user.big', new Uint8Array(entryBytesMax)]]) },
      'exhausted',
      /extended attributes are too large/,
    ],
    ['a fractional id', { id: 0.5 as Entry['id'] }, 'invalid', /0.5/],
  ])('refuse %s', (_, change, code, message) => {
    expect(() => encodeEntry({ ...file, ...change })).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }))
  })

  test('hold extended attributes up to their limit', () => {
    const entry = { ...file, xattrs: new Map([['user.big', new Uint8Array(entryBytesMax - 200)]]) }
    expect(decodeEntry(encodeEntry(entry))).toEqual(entry)
  })
})

describe('decodeEntry refuses', () => {
  const bytes = encodeEntry({ ...file, ctime: file.mtime, content: { kind: 'inline', bytes: new Uint8Array(0) }, size: 0 })
  const changed = (at: number, byte: number): Uint8Array => bytes.with(at, byte)
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /it ends at byte 0/],
    ['an unknown kind', changed(0, 7), /first byte 7/],
    ['an unknown flag', changed(0, 0x80), /first byte 128/],
    ['content of another kind', changed(1, 4), /a file cannot have content 4/],
    ['unknown content', changed(1, 8), /a file cannot have content 8/],
    ['what is left over', Uint8Array.of(...bytes, 0), /1 bytes are left over/],
    ['a link with flags', Uint8Array.of(0x08, 7, 5), /a link has flags/],
    ['no attributes where some are announced', Uint8Array.of(0x20, 1, 5, 0, 0, 0, 0, 0, 0, 0), /attributes are none/],
    ['attributes out of order', Uint8Array.of(0x20, 1, 5, 0, 0, 0, 0, 0, 2, 1, 98, 0, 1, 97, 0, 0), /not in order/],
    ['a link count of 1 that is written', Uint8Array.of(0x10, 1, 5, 0, 0, 0, 0, 0, 1, 0), /link count/],
    ['a ctime that equals mtime', Uint8Array.of(0x08, 1, 5, 0, 0, 0, 2, 1, 2, 1, 0), /ctime/],
    ['an atime that equals mtime', Uint8Array.of(0x40, 1, 5, 0, 0, 0, 2, 1, 2, 1, 0), /atime/],
    ['a mode that is none', Uint8Array.of(0x00, 1, 5, 0x80, 0x20, 0, 0, 0, 0, 0), /mode is 4096/],
  ])('%s', (_, input, message) => {
    expect(() => decodeEntry(input)).toThrow(expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(message) }))
  })
})

describe('roots and pointers', () => {
  test('come back', () => {
    fc.assert(
      fc.property(pointerArbitrary, manifestRootArbitrary, (pointer, manifest) => {
        expect(decodePointer(encodePointer(pointer))).toEqual(pointer)
        expect(decodeManifestRoot(encodeManifestRoot(manifest))).toEqual(manifest)
        expect(decodeRoot(encodeRoot({ directory, inodes: pointer }))).toEqual({ directory, inodes: pointer })
      }),
    )
    expect(decodeRoot(encodeRoot({ directory, inodes: undefined }))).toEqual({ directory, inodes: undefined })
  })

  test('refuse what cannot be', () => {
    const pointer = { hash: hashOf(''), pack: metaPack, offset: 0, length: 1 }
    expect(() => encodeRoot({ directory: file, inodes: undefined })).toThrow(expect.objectContaining({ code: 'invalid' }))
    for (const change of [{ length: 0 }, { offset: -1 }, { offset: 64 * 2 ** 20 }, { length: Number.NaN }]) {
      expect(() => encodePointer({ ...pointer, ...change })).toThrow(expect.objectContaining({ code: 'invalid' }))
    }
    expect(() => decodeRoot(encodeRoot({ directory, inodes: undefined }).with(0, 2))).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(/update edgemount/) }),
    )
  })
})

describe('contentVersionOf', () => {
  test('is the SHA-256 of a body that is inline or one chunk', async () => {
    const inline: Entry = { ...file, content: { kind: 'inline', bytes: new TextEncoder().encode('body') }, size: 4 }
    expect(await contentVersionOf(inline)).toBe(hashOf('body'))
    expect(await contentVersionOf(file)).toBe(hashOf('body'))
  })

  test('is something for everything but links', async () => {
    const nothing = hashOf('')
    expect(await contentVersionOf(directory)).toBe(nothing)
    expect(await contentVersionOf({ ...file, kind: 'fifo', content: { kind: 'none' } })).toBe(nothing)
    expect(await contentVersionOf({ ...file, kind: 'symlink', content: { kind: 'target', target: 'a' } })).toBe(hashOf('a'))
    const pointer = { hash: hashOf('tree'), pack: metaPack, offset: 0, length: 1 }
    const full: Entry = { ...directory, content: { kind: 'tree', root: { pointer, entryCount: 1, directoryCount: 0 } } }
    expect(await contentVersionOf(full)).toBe(hashOf('tree'))
    await expect(contentVersionOf(linkEntry('file', fileId(5)))).rejects.toMatchObject({ code: 'invalid' })
  })
})
