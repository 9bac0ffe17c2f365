import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clampRange, coalesceRanges, contentRange, intersectRanges, planRanges, rangeCountMax, rangeHeader, rangeLength, unsatisfiedRange } from '../../shared/range.ts'

const whole = 'whole'
const none = 'unsatisfiable'

/** header, size, ranges as `start-end` (half-open) or the plan's kind; a size beyond 1000 makes every gap a real one. */
const rows: readonly (readonly [string | null, number, string])[] = [
  [null, 1000, whole],
  ['bytes=0-0', 1000, '0-1'],
  ['bytes=0-499', 1000, '0-500'],
  ['bytes=500-', 1000, '500-1000'],
  ['bytes=-1', 1000, '999-1000'],
  ['bytes=-1000', 1000, '0-1000'],
  ['bytes=-5000', 1000, '0-1000'],
  ['bytes=999-', 1000, '999-1000'],
  ['bytes=999-5000', 1000, '999-1000'],
  ['bytes=1000-', 1000, none],
  ['bytes=1000-2000', 1000, none],
  ['bytes=-0', 1000, none],
  ['bytes=5-4', 1000, whole],
  ['bytes=-', 1000, whole],
  ['bytes=', 1000, whole],
  ['bytes=,', 1000, whole],
  ['bytes', 1000, whole],
  ['bytes 0-1', 1000, whole],
  ['bytes=a-b', 1000, whole],
  ['bytes=0-1x', 1000, whole],
  ['bytes=0x0-1', 1000, whole],
  ['bytes=--1', 1000, whole],
  ['bytes=1-2-3', 1000, whole],
  ['bytes=+1-2', 1000, whole],
  ['bytes=1.5-2', 1000, whole],
  ['bytes=0-1, x', 1000, whole],
  ['bytes=5-4, 0-1', 1000, whole],
  ['items=0-1', 1000, whole],
  ['', 1000, whole],
  ['BYTES=0-1', 1000, '0-2'],
  ['bytes= 0-1', 1000, '0-2'],
  ['bytes=0-1 ,\t500-501', 1000, '0-2 500-502'],
  ['bytes=,0-1,,500-501,', 1000, '0-2 500-502'],
  ['bytes=500-501,0-1', 1000, '500-502 0-2'],
  ['bytes=0-1,2-3', 1000, '0-4'],
  ['bytes=0-9,5-20', 1000, '0-21'],
  ['bytes=0-9,100-109', 1000, '0-110'],
  ['bytes=0-9,200-209', 1000, '0-10 200-210'],
  ['bytes=800-,0-9,-300', 1000, '700-1000 0-10'],
  ['bytes=0-9,5000-', 1000, '0-10'],
  ['bytes=5000-,6000-', 1000, none],
  ['bytes=5000-,-0', 1000, none],
  ['bytes=0-99999999999999999999999999', 1000, '0-1000'],
  ['bytes=99999999999999999999999999-', 1000, none],
  ['bytes=9007199254740993-9007199254740992', 1000, whole],
  ['bytes=-99999999999999999999999999', 1000, '0-1000'],
  ['bytes=007-009', 1000, '7-10'],
  ['bytes=0-', 0, none],
  ['bytes=0-0', 0, none],
  ['bytes=-1', 0, whole],
  ['bytes=-0', 0, none],
  ['bytes=0-0', 1, '0-1'],
  ['bytes=1-', 1, none],
  ['bytes=10995116277759-', 10_995_116_277_760, '10995116277759-10995116277760'],
]

function farApart(count: number): string {
  return `bytes=${Array.from({ length: count }, (_, index) => `${index * 1000}-${index * 1000}`).join()}`
}

function bytesOf(ranges: readonly { start: number; end: number }[]): number[] {
  const set = new Set<number>()
  for (const { start, end } of ranges) for (let at = start; at < end; at += 1) set.add(at)
  return [...set].toSorted((a, b) => a - b)
}

describe('planRanges', () => {
  it.each(rows)('%s of %d bytes is %s', (header, size, expected) => {
    const plan = planRanges(header, size)
    expect(plan.kind === 'ranges' ? plan.ranges.map(({ start, end }) => `${start}-${end}`).join(' ') : plan.kind).toBe(expected)
  })

  it('ignores a list that is too long, and takes the longest that is not', () => {
    expect(planRanges(farApart(rangeCountMax), 1e9)).toMatchObject({ kind: 'ranges', ranges: { length: rangeCountMax } })
    expect(planRanges(farApart(rangeCountMax + 1), 1e9)).toEqual({ kind: 'whole' })
  })

  it('never plans more bytes than there are, whatever is asked', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(2000), fc.nat(2000)).map(([first, more]) => `${first}-${first + more}`),
      fc.nat(2000).map((first) => `${first}-`),
      fc.nat(2000).map((length) => `-${length}`),
    )
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 1500 }), (specs, size) => {
        const plan = planRanges(`bytes=${specs.join(', ')}`, size)
        if (plan.kind !== 'ranges') return plan.kind === 'unsatisfiable'
        const covered = new Uint8Array(size)
        for (const { start, end } of plan.ranges) {
          expect(start).toBeLessThan(end)
          for (let at = start; at < end; at += 1) covered[at]! += 1
        }
        return covered.every((count) => count <= 1) && plan.ranges.reduce((sum, range) => sum + rangeLength(range), 0) <= size
      }),
    )
  })
})

describe('coalesceRanges', () => {
  it('keeps every byte and, without a gap to bridge, adds none', () => {
    const range = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 50 })).map(([start, length]) => ({ start, end: start + length }))
    fc.assert(
      fc.property(fc.array(range), (ranges) => {
        expect(bytesOf(coalesceRanges(ranges, 0))).toEqual(bytesOf(ranges))
      }),
    )
  })
})

describe('the other forms', () => {
  it('writes the inclusive ones', () => {
    expect(contentRange({ start: 0, end: 500 }, 1000)).toBe('bytes 0-499/1000')
    expect(unsatisfiedRange(1000)).toBe('bytes */1000')
    expect(rangeHeader({ start: 5, end: 6 })).toBe('bytes=5-5')
  })

  it('clamps and intersects', () => {
    expect(clampRange({ start: 5, end: 50 }, 10)).toEqual({ start: 5, end: 10 })
    expect(clampRange({ start: 20, end: 50 }, 10)).toEqual({ start: 10, end: 10 })
    expect(intersectRanges({ start: 0, end: 5 }, { start: 4, end: 9 })).toEqual({ start: 4, end: 5 })
    expect(intersectRanges({ start: 0, end: 5 }, { start: 5, end: 9 })).toBeUndefined()
  })
})
