/** `access.json`: what is written is read, nothing else is, and revocations go when their tokens would have ended. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closedAccess, decodeAccess, encodeAccess, revocationsMax, withRevoked } from '../../../shared/format/access.ts'

const id = fc.nat({ max: 2 ** 31 }).map((number) => number.toString(16).padStart(24, '0'))
const access = fc.record({ publicRead: fc.boolean(), revoked: fc.uniqueArray(fc.record({ id, until: fc.nat({ max: 2000 }) }), { selector: (entry) => entry.id, maxLength: 20 }) })
const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))

describe('access.json', () => {
  it('comes back without what has expired', () => {
    fc.assert(
      fc.property(access, fc.nat({ max: 2000 }), (wanted, now) => {
        const read = decodeAccess(encodeAccess(wanted, now))
        const kept = wanted.revoked.filter(({ until }) => until > now).toSorted((a, b) => (a.id < b.id ? -1 : 1))
        expect(read).toEqual({ publicRead: wanted.publicRead, revoked: kept })
        expect(encodeAccess(read, now)).toEqual(encodeAccess(wanted, now))
      }),
    )
  })

  it('revokes a token once, until the later of two dates', () => {
    const one = '0'.repeat(24)
    const twice = withRevoked(withRevoked(closedAccess, { id: one, until: 9 }), { id: one, until: 5 })
    expect(twice).toEqual({ publicRead: false, revoked: [{ id: one, until: 9 }] })
  })

  it('is bounded', () => {
    const revoked = Array.from({ length: revocationsMax + 1 }, (_, index) => ({ id: index.toString(16).padStart(24, '0'), until: 10 }))
    expect(() => encodeAccess({ publicRead: false, revoked }, 5)).toThrow('replace the key')
    expect(() => encodeAccess({ publicRead: false, revoked }, 10)).not.toThrow()
    expect(() => decodeAccess(bytesOf({ format: 1, publicRead: false, revoked }))).toThrow('is not a list of at most')
  })

  it.each([
    ['', 'it is not JSON'],
    ['[]', 'it is not a JSON object'],
    [{ format: 2, publicRead: true, revoked: [] }, 'update edgemount'],
    [{ format: 1, publicRead: 'yes', revoked: [] }, 'neither true nor false'],
    [{ format: 1, revoked: [] }, 'neither true nor false'],
    [{ format: 1, publicRead: false }, 'is not a list'],
    [{ format: 1, publicRead: false, revoked: [], publicWrite: true }, 'does not know'],
    [{ format: 1, publicRead: false, revoked: [{ id: 'x', until: 1 }] }, 'is not a string of 24'],
    [{ format: 1, publicRead: false, revoked: [{ id: 'G'.repeat(24), until: 1 }] }, 'not 24 hex digits'],
    [{ format: 1, publicRead: false, revoked: [{ id: '0'.repeat(24), until: -1 }] }, 'not a whole number'],
    [{ format: 1, publicRead: false, revoked: [{ id: '0'.repeat(24), until: 1 }, { id: '0'.repeat(24), until: 2 }] }, 'revoked twice'],
  ])('%j is refused', (value, why) => {
    expect(() => decodeAccess(bytesOf(value))).toThrow(why)
  })
})
