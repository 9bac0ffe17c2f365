import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Reader, Writer } from '../../shared/codec.ts'

const anyNumber = fc.oneof(fc.maxSafeNat(), fc.nat({ max: 300 }), fc.nat({ max: 70_000 }))

function written(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(1)
  write(writer)
  return writer.finish()
}

describe('varints', () => {
  test.each([
    [0, [0]],
    [127, [127]],
    [128, [0x80, 1]],
    [300, [0xac, 2]],
    [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [Number.MAX_SAFE_INTEGER, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('%d has its bytes', (value, bytes) => {
    expect([...written((writer) => writer.varint(value))]).toEqual(bytes)
    expect(new Reader(Uint8Array.from(bytes), 'a test').varint()).toBe(value)
  })

  test('come back, in order, signed or not', () => {
    fc.assert(
      fc.property(fc.array(anyNumber, { maxLength: 50 }), (values) => {
        const bytes = written((writer) => {
          for (const value of values) {
            writer.varint(value)
            writer.zigzag(Math.floor(value / 2))
            writer.zigzag(-Math.floor(value / 2))
          }
        })
        const reader = new Reader(bytes, 'a test')
        for (const value of values) {
          expect(reader.varint()).toBe(value)
          expect(reader.zigzag()).toBe(Math.floor(value / 2))
          expect(reader.zigzag() + Math.floor(value / 2)).toBe(0)
        }
        reader.end()
      }),
    )
  })

  test.each<[string, number[], RegExp]>([
    ['cut short', [0x80], /ends at byte 1/],
    ['too large', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f], /too large/],
    ['too long', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], /too long/],
    ['not in their shortest form', [0x81, 0], /shortest form/],
  ])('that are %s are corrupt', (_, bytes, message) => {
    expect(() => new Reader(Uint8Array.from(bytes), 'a test').varint()).toThrow(
      expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(message) }),
    )
  })

  test.each([-1, 0.5, Number.NaN, Infinity, 2 ** 53])('%d has none', (value) => {
    expect(() => written((writer) => writer.varint(value))).toThrow(expect.objectContaining({ code: 'invalid' }))
  })
})

describe('Reader', () => {
  test('takes parts, refuses what is not there, and what is left over', () => {
    const bytes = written((writer) => {
      writer.u8(7)
      writer.sized(Uint8Array.of(1, 2, 3))
      writer.raw(Uint8Array.of(9))
    })
    const reader = new Reader(bytes, 'a test')
    expect(reader.u8()).toBe(7)
    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'corrupt', message: 'Cannot read a test: 5 bytes are left over' }))
    expect(reader.sized(3)).toEqual(Uint8Array.of(1, 2, 3))
    expect(() => reader.raw(2)).toThrow(expect.objectContaining({ code: 'corrupt' }))
    expect(reader.raw(1)).toEqual(Uint8Array.of(9))
    expect(reader.end()).toBeUndefined()
    expect(() => new Reader(bytes, 'a test', 1).sized(2)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/longer than the limit of 2/) }),
    )
  })

  test('never allocates what a length promises', () => {
    const bytes = written((writer) => writer.varint(2 ** 50))
    expect(() => new Reader(bytes, 'a test').sized(2 ** 52)).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })
})

test('a byte is 0 to 255', () => {
  for (const value of [-1, 256, Number.NaN]) {
    expect(() => written((writer) => writer.u8(value))).toThrow(expect.objectContaining({ code: 'invalid' }))
  }
})
