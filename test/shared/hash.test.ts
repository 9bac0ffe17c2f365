import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashFromBytes, hashToBytes, isHash, verify, webHash } from '../../shared/hash.ts'
import { hashOf } from '../support/hash-of.ts'

describe('webHash', () => {
  test('is SHA-256, of views and of shared memory too', async () => {
    // FIPS 180-2, B.1
    expect(await webHash(new TextEncoder().encode('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect(await webHash(bytes.subarray(3))).toBe(hashOf(bytes.subarray(3)))
      }),
    )
    const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 4).fill(5)
    expect(await webHash(shared)).toBe(hashOf(Uint8Array.of(5, 5, 5, 5)))
  })
})

describe('verify', () => {
  test('passes what is right and names what is not', async () => {
    const bytes = Uint8Array.of(1, 2, 3)
    await verify(bytes, hashOf(bytes), 'chunk 3')
    const wrong = verify(bytes, hashOf(''), 'chunk 3 of "/a"', (input) => Promise.resolve(hashOf(input)))
    await expect(wrong).rejects.toMatchObject({
      code: 'corrupt',
      message: `Cannot use chunk 3 of "/a": its 3 bytes hash to ${hashOf(bytes)}, not ${hashOf('')}`,
    })
  })
})

describe('hashes', () => {
  test('are 64 lower-case digits, or 32 bytes', () => {
    const hash = hashOf('x')
    expect(isHash(hash)).toBe(true)
    for (const other of [hash.toUpperCase(), hash.slice(1), `${hash}0`, 5, undefined]) expect(isHash(other)).toBe(false)
    expect(hashFromBytes(hashToBytes(hash))).toBe(hash)
    expect(() => hashFromBytes(new Uint8Array(31))).toThrow(expect.objectContaining({ code: 'invalid' }))
  })
})
