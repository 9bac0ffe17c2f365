import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPackId, newPackId, packIdFromBytes, packIdToBytes, packKindOf, packTimeOf } from '../../../shared/format/pack-id.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { packId } from '../../support/page-memory.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

describe('pack ids', () => {
  test('are a letter and a ULID, whose bytes are its bits', () => {
    // The ULID is the example of its specification; the bytes are its digits in base 32, high bit first.
    const id = packId('m01ARZ3NDEKTSV4RRFFQ69G5FAV')
    expect(Buffer.from(packIdToBytes(id)).toString('hex')).toBe('6d01563e3ab5d3d6764c61efb99302bd5b')
    expect(packIdFromBytes(packIdToBytes(id))).toBe(id)
    expect(new Date(packTimeOf(id)).toISOString()).toBe('2016-07-30T23:54:10.259Z')
    expect(packKindOf(id)).toBe('meta')
  })

  test('come back from any bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.constantFrom(0x64, 0x6d), (bits, kind) => {
        const bytes = Uint8Array.of(kind, ...bits)
        const id = packIdFromBytes(bytes)
        expect(isPackId(id)).toBe(true)
        expect(packIdToBytes(id)).toEqual(bytes)
      }),
    )
  })

  test('are new each time, and sort by time', () => {
    const random = new SeededRandom(1)
    const clock = new ManualClock()
    const ids = Array.from({ length: 50 }, () => newPackId('data', clock, random))
    expect(new Set(ids).size).toBe(50)
    const laterId = newPackId('data', new ManualClock(clock.now() + 1), random)
    expect(ids.every((id) => id < laterId)).toBe(true)
    expect(packTimeOf(laterId)).toBe(clock.now() + 1)
    expect(packKindOf(laterId)).toBe('data')
  })

  test.each([
    '',
    'x01ARZ3NDEKTSV4RRFFQ69G5FAV',
    'm81ARZ3NDEKTSV4RRFFQ69G5FAV',
    'm01ARZ3NDEKTSV4RRFFQ69G5FA',
    'm01arz3ndektsv4rrffq69g5fav',
    'm01ARZ3NDEKTSV4RRFFQ69G5FAI',
    5,
  ])(
    '%j is none',
    (text) => {
      expect(isPackId(text)).toBe(false)
    },
  )

  test('bytes of another kind or length are corrupt', () => {
    expect(() => packIdFromBytes(new Uint8Array(17))).toThrow(expect.objectContaining({ code: 'corrupt' }))
    expect(() => packIdFromBytes(Uint8Array.of(0x64))).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })
})
