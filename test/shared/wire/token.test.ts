/** The codec of tokens: what goes in comes out, nothing else is read, and no byte can be changed. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { childPath, isWithin } from '../../../shared/path.ts'
import { KeyRing, drawSecret, parseKeyRing } from '../../../shared/wire/key-ring.ts'
import { type Claims, drawTokenId, everyVolume, isTokenId, lineOf, reaches, readToken, rights, tokenTextMax } from '../../../shared/wire/token.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const random = new SeededRandom(11)
const secret = drawSecret(random)
const keys = parseKeyRing({ EDGEMOUNT_SECRETS: `k1:${secret}` })!
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const names = fc.oneof(fc.constantFrom('a', 'b', 'ab', 'a b', 'ü', '\udcff', '..x', '%2e', '"'), fc.string({ minLength: 1, maxLength: 12 }).filter((name) => !/[/\0]/.test(name) && name.isWellFormed() && name !== '.' && name !== '..'))
const paths = fc.array(names, { maxLength: 4 }).map((parts) => parts.reduce(childPath, '/'))
const claims: fc.Arbitrary<Omit<Claims, 'keyId' | 'id'>> = fc
  .record({
    volume: fc.constantFrom('demo', 'a', 'Z9._-x', everyVolume),
    prefix: paths,
    rights: fc.subarray([...rights], { minLength: 1 }),
    expiry: fc.nat({ max: 2 ** 40 }),
    file: fc.option(fc.option(fc.nat({ max: 2 ** 40 }), { nil: undefined }), { nil: 'none' as const }),
  })
  .map(({ volume, prefix, rights: granted, expiry, file }) => {
    if (volume === everyVolume) return { volume, prefix: '/', rights: granted, expiry, reach: { kind: 'tree' } }
    if (file === 'none' || prefix === '/') return { volume, prefix, rights: granted, expiry, reach: { kind: 'tree' } }
    return { volume, prefix, rights: ['read'], expiry, reach: { kind: 'file', seq: file } }
  })

const isRefused = (text: string): boolean => {
  try {
    readToken(text)
    return false
  } catch {
    return true
  }
}

describe('a token', () => {
  it('says what was signed, in letters that need no escaping', async () => {
    await fc.assert(
      fc.asyncProperty(claims, async (wanted) => {
        const text = await keys.sign(wanted, random)
        expect(text).toMatch(/^em1\.[A-Za-z0-9_-]+$/)
        expect(await keys.verify(text)).toEqual({ ...wanted, keyId: 'k1', id: expect.stringMatching(/^[0-9a-f]{24}$/) })
      }),
      { numRuns: 200 },
    )
  })

  it('has an id that tells what it was shared from, twice at most', () => {
    for (let count = 0; count < 300; count += 1) {
      const own = drawTokenId(random)
      const shared = drawTokenId(random, own)
      const on = drawTokenId(random, shared)
      for (const id of [own, shared, on]) expect(isTokenId(id)).toBe(true)
      expect([lineOf(own), lineOf(shared), lineOf(on)]).toEqual([[own], [own, shared], [own, shared, on]])
      expect(new Set([own, shared, on, drawTokenId(random, own), drawTokenId(random, shared)]).size).toBe(5)
      expect(() => drawTokenId(random, on)).toThrow('shared on already')
    }
    expect(lineOf('0'.repeat(24))).toEqual(['0'.repeat(24)])
  })

  it('with any letter changed, taken away or added is worth nothing, and has no second spelling', async () => {
    const text = await keys.sign({ volume: 'demo', prefix: '/a/b', rights: ['read', 'list'], expiry: 2_000_000_000, reach: { kind: 'tree' } }, random)
    // That it is remembered helps no other text.
    expect(await keys.verify(text)).toBeDefined()
    for (let index = 0; index < text.length; index += 1) {
      for (const letter of [alphabet[(alphabet.indexOf(text[index]!) + 1) % 64]!, '', `${text[index]}A`, '=', '%41', ' ']) {
        const changed = text.slice(0, index) + letter + text.slice(index + 1)
        if (changed !== text) expect(isRefused(changed) || (await keys.verify(changed)) === undefined, changed).toBe(true)
      }
    }
    for (const changed of [` ${text}`, `${text} `, `${text}=`, `${text}\n`, text.toUpperCase(), '', 'em1.', text.slice(4), `em2.${text.slice(4)}`, 'em1.'.padEnd(tokenTextMax + 1, 'A')]) expect(isRefused(changed), JSON.stringify(changed)).toBe(true)
  })

  it('never stands in an error', () => {
    const text = `em1.${'S'.repeat(90)}`
    expect(() => readToken(text)).toThrow(/^Cannot read the token: (?!.*SSSS)/)
  })

  it('of hostile bytes is refused with a sentence, or has the one spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const text = `em1.${Buffer.concat([Buffer.of(1), bytes]).toString('base64url')}`
        try {
          readToken(text)
        } catch (error) {
          expect(String(error)).toMatch(/^EdgemountError: Cannot read the token: /)
        }
      }),
    )
  })

  it.each([
    [{ volume: '-x' }, 'Cannot use the volume name'],
    [{ volume: everyVolume, prefix: '/a' }, 'has no prefix'],
    [{ prefix: 'a' }, 'a path begins with "/"'],
    [{ prefix: '/a/' }, 'a name is empty'],
    [{ prefix: '/a/../b' }, 'is not a name'],
    [{ prefix: `/${'x'.repeat(250)}`.repeat(5) }, 'longer than 1024 bytes'],
    [{ rights: [] }, 'it allows nothing'],
    [{ reach: { kind: 'file', seq: undefined }, prefix: '/a', rights: ['read', 'write'] }, 'allows to read that, and nothing else'],
    [{ expiry: 1.5 }, 'not a safe non-negative integer'],
  ] as const)('cannot say %j', async (wrong, why) => {
    const right = { volume: 'demo', prefix: '/', rights: ['read'], expiry: 1, reach: { kind: 'tree' } } as const
    await expect(keys.sign({ ...right, ...wrong }, random)).rejects.toThrow(why)
  })
})

describe('reaches', () => {
  it('is what lies within the prefix of the volume, and nothing beside it', () => {
    fc.assert(
      fc.property(paths, paths, (prefix, path) => {
        const token: Claims = { keyId: 'k', id: 'x', volume: 'demo', prefix, rights: ['read'], expiry: 1, reach: { kind: 'tree' } }
        expect(reaches(token, 'demo', path)).toBe(isWithin(path, prefix))
        expect(reaches(token, 'other', path)).toBe(false)
        expect(reaches(token, undefined, undefined)).toBe(false)
        expect(reaches(token, 'demo', undefined)).toBe(prefix === '/')
        expect(reaches(token, 'demo', `${prefix}x`)).toBe(prefix === '/')
        expect(reaches({ ...token, volume: everyVolume, prefix: '/' }, 'demo', path)).toBe(true)
      }),
    )
  })
})

describe('keys', () => {
  const second = drawSecret(random)
  const plain = { volume: 'demo', prefix: '/', rights: ['read'], expiry: 1, reach: { kind: 'tree' } } as const

  it('the first signs and all verify, so that one can follow the other', async () => {
    const old = await keys.sign(plain, random)
    const both = parseKeyRing({ EDGEMOUNT_SECRETS: `k2:${second},k1:${secret}` })!
    expect(both.keyIds).toEqual(['k2', 'k1'])
    const young = await both.sign(plain, random)
    expect([(await both.verify(old))?.keyId, (await both.verify(young))?.keyId]).toEqual(['k1', 'k2'])
    expect(await keys.verify(young)).toBeUndefined()
    expect(await parseKeyRing({ EDGEMOUNT_SECRETS: `k1:${second}` })!.verify(old)).toBeUndefined()
    expect(await new KeyRing().verify(old)).toBeUndefined()
    await expect(new KeyRing().sign(plain, random)).rejects.toThrow('there is no secret to sign it with')
  })

  it('are compared by WebCrypto, in constant time, and by nothing of ours', async () => {
    const text = await keys.sign(plain, random)
    const { verify } = crypto.subtle
    let calls = 0
    crypto.subtle.verify = (...words) => {
      calls += 1
      return verify.apply(crypto.subtle, words)
    }
    try {
      expect(await keys.verify(text)).toBeDefined()
      expect(calls).toBe(1)
    } finally {
      crypto.subtle.verify = verify
    }
  })

  it('none is set where the texts are empty; one alone is the default', async () => {
    expect(parseKeyRing({})).toBeUndefined()
    expect(parseKeyRing({ EDGEMOUNT_SECRETS: '', EDGEMOUNT_SECRET: '' })).toBeUndefined()
    expect(parseKeyRing({ EDGEMOUNT_SECRET: secret })?.keyIds).toEqual(['default'])
  })

  it.each([
    [{ EDGEMOUNT_SECRETS: `k1:${secret}`, EDGEMOUNT_SECRET: secret }, 'both set'],
    [{ EDGEMOUNT_SECRETS: secret }, 'write <key id>:<secret>'],
    [{ EDGEMOUNT_SECRETS: ' ' }, 'write <key id>:<secret>'],
    [{ EDGEMOUNT_SECRETS: `k1:${secret},` }, 'Cannot read key 2'],
    [{ EDGEMOUNT_SECRETS: `k1:${secret},k1:${second}` }, 'there twice'],
    [{ EDGEMOUNT_SECRET: 'hunter22' }, 'it has 6 bytes, and 32 random ones are needed; make one with: edgemount token secret'],
    [{ EDGEMOUNT_SECRET: 'a'.repeat(44) }, 'its bytes repeat'],
    [{ EDGEMOUNT_SECRET: `${secret}!` }, 'it is not base64url'],
    [{ EDGEMOUNT_SECRET: 'correct horse battery staple correct horse' }, 'it is not base64url'],
  ])('%#: what is no good secret is refused, and not repeated', (texts, why) => {
    expect(() => parseKeyRing(texts)).toThrow(why)
    try {
      parseKeyRing(texts)
    } catch (error) {
      for (const text of [secret, second, 'hunter2', 'horse']) expect(String(error)).not.toContain(text)
    }
  })
})
