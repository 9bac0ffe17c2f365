import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, equalBytes, fromBase64, fromHex, toBase64, toHex } from '../../shared/bytes.ts'

const anyBytes = fc.uint8Array({ maxLength: 300 })

describe('bytes', () => {
  test('concatenate', () => {
    expect(concatBytes([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)])).toEqual(Uint8Array.of(1, 2, 3))
    expect(concatBytes([])).toEqual(new Uint8Array(0))
  })

  test('are equal when all of them are', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false)
  })

  test('go to hex and back as Node does it', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
        expect(fromHex(toHex(bytes))).toEqual(bytes)
      }),
    )
  })

  test.each(['0', '0g', 'AB', ' 0', '0x', 'zz', '..'])('hex %j is invalid', (text) => {
    expect(() => fromHex(text)).toThrow(expect.objectContaining({ code: 'invalid' }))
  })

  test('go to base64 and back as Node does it', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
        expect(fromBase64(toBase64(bytes))).toEqual(bytes)
      }),
    )
    const long = new Uint8Array(300_000).fill(7)
    expect(fromBase64(toBase64(long))).toEqual(long)
  })

  test.each(['A', 'AAA', 'AA==AA==', 'AB==', 'A A=', 'AA-_', 'AAAA\n'])('base64 %j is invalid', (text) => {
    expect(() => fromBase64(text)).toThrow(expect.objectContaining({ code: 'invalid' }))
  })
})
