import { describe, expect, test } from 'vitest'
import type { ByteRange } from '../../../shared/range.ts'
import { planPieces } from '../../../shim/publish/body-pieces.ts'

const mebibyte = 2 ** 20

/** A file that has data in these ranges. */
function dataIn(...ranges: readonly (readonly [start: number, end: number])[]): (range: ByteRange) => ByteRange[] {
  return ({ start, end }) => ranges.map((range) => ({ start: Math.max(start, range[0]), end: Math.min(end, range[1]) })).filter((range) => range.start < range.end)
}

const everywhere = dataIn([0, Infinity])
const pairs = (ranges: readonly ByteRange[]): number[][] => ranges.map(({ start, end }) => [start, end])

describe('a whole body', () => {
  test('is read from end to end', () => {
    const { data, zeros } = planPieces({ written: undefined, baseLength: 0, size: 500 }, everywhere)
    expect([pairs(data), pairs(zeros)]).toEqual([[[0, 500]], []])
  })

  test('that is empty is nothing', () => {
    expect(planPieces({ written: undefined, baseLength: 0, size: 0 }, everywhere)).toEqual({ data: [], zeros: [] })
  })

  test('has long holes that are not read, and short ones that are', () => {
    const size = 10 * mebibyte
    const { data, zeros } = planPieces({ written: undefined, baseLength: 0, size }, dataIn([mebibyte, mebibyte + 10], [mebibyte + 20, mebibyte + 30]))
    expect([pairs(data), pairs(zeros)]).toEqual([
      [[mebibyte, mebibyte + 30]],
      [
        [0, mebibyte],
        [mebibyte + 30, size],
      ],
    ])
  })
})

describe('a partial body', () => {
  test('is read where it was written, and behind its base', () => {
    const { data } = planPieces({ written: [10, 20, 30, 40], baseLength: 100, size: 150 }, everywhere)
    expect(pairs(data)).toEqual([
      [10, 20],
      [30, 40],
      [100, 150],
    ])
  })

  test('that was written up to the end of its base is read in one go there', () => {
    expect(pairs(planPieces({ written: [90, 100], baseLength: 100, size: 150 }, everywhere).data)).toEqual([[90, 150]])
  })

  test('that has become shorter than its base has nothing behind', () => {
    expect(pairs(planPieces({ written: [10, 20, 60, 100], baseLength: 100, size: 70 }, everywhere).data)).toEqual([
      [10, 20],
      [60, 70],
    ])
  })

  test('has zeros where a long hole was punched', () => {
    const { data, zeros } = planPieces({ written: [0, 4 * mebibyte], baseLength: 8 * mebibyte, size: 8 * mebibyte }, dataIn([0, mebibyte]))
    expect([pairs(data), pairs(zeros)]).toEqual([[[0, mebibyte]], [[mebibyte, 4 * mebibyte]]])
  })
})
