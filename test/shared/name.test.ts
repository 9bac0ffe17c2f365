import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytes, compareNames, decodeName, encodeName } from '../../shared/name.ts'

/** Bytes that are often half of something: lead bytes, continuations, surrogates in UTF-8, overlong forms. */
const trickyBytes = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xa0, 0xef, 0xbb, 0xf0, 0x90, 0xf4, 0x8f, 0xf5, 0xff)), { maxLength: 24 })
  .map((bytes) => Uint8Array.from(bytes))

test.each([
  ['plain', [0x70, 0x6c, 0x61, 0x69, 0x6e]],
  ['ü', [0xc3, 0xbc]],
  ['\u{1f600}', [0xf0, 0x9f, 0x98, 0x80]],
  ['\ufeffa', [0xef, 0xbb, 0xbf, 0x61]], // a byte order mark is part of the name
  ['\udcff', [0xff]],
  ['a\udc80b', [0x61, 0x80, 0x62]],
  ['\udced\udca0\udc80', [0xed, 0xa0, 0x80]], // a surrogate in UTF-8 is not valid
  ['\udcc0\udc80', [0xc0, 0x80]], // an overlong NUL is not valid
  ['\udcf0\udc9f\udc98', [0xf0, 0x9f, 0x98]], // cut short
  ['', []],
])('%j is %j', (name, bytes) => {
  expect(encodeName(name)).toEqual(Uint8Array.from(bytes))
  expect(decodeName(Uint8Array.from(bytes))).toBe(name)
})

test('any bytes come back', () => {
  fc.assert(
    fc.property(trickyBytes, (bytes) => {
      expect(encodeName(decodeName(bytes))).toEqual(bytes)
    }),
    { numRuns: 2000 },
  )
})

test('valid UTF-8 reads as usual, and JSON keeps any name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()), (text) => {
      expect(decodeName(new TextEncoder().encode(text))).toBe(text)
    }),
  )
  fc.assert(
    fc.property(trickyBytes, (bytes) => {
      const parsed: unknown = JSON.parse(JSON.stringify(decodeName(bytes)))
      expect(parsed).toBe(decodeName(bytes))
    }),
  )
})

test('a lone surrogate that stands for no byte becomes U+FFFD', () => {
  for (const text of ['\ud800', '\udbff', '\udc7f', '\udd00', '\udfff']) expect(encodeName(text)).toEqual(Uint8Array.of(0xef, 0xbf, 0xbd))
})

test('names are ordered by their bytes', () => {
  fc.assert(
    fc.property(trickyBytes, trickyBytes, (a, b) => {
      expect(Math.sign(compareNames(decodeName(a), decodeName(b)))).toBe(Math.sign(compareBytes(a, b)))
    }),
    { numRuns: 3000 },
  )
  // In UTF-16 order these two are the other way round.
  expect(compareNames('\uffee', '\u{1f600}')).toBeLessThan(0)
})

test.each([
  [[], [], 0],
  [[1], [1, 0], -1],
  [[2], [1, 255], 1],
  [[128], [127], 1],
])('bytes %j against %j', (a, b, order) => {
  expect(Math.sign(compareBytes(Uint8Array.from(a), Uint8Array.from(b)))).toBe(order)
})
