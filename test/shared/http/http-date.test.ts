import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatHttpDate, parseHttpDate } from '../../../shared/http/http-date.ts'

const now = Date.UTC(2026, 10, 21) / 1000
const example = Date.UTC(1994, 10, 6, 8, 49, 37) / 1000

describe('HTTP dates', () => {
  it.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', example],
    ['Sunday, 06-Nov-94 08:49:37 GMT', example],
    ['Sun Nov  6 08:49:37 1994', example],
    ['Tue, 29 Feb 2000 00:00:00 GMT', Date.UTC(2000, 1, 29) / 1000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Wed, 31 Dec 1969 23:59:59 GMT', -1],
    ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1) / 1000],
    ['Friday, 21-Nov-76 00:00:00 GMT', Date.UTC(2076, 10, 21) / 1000],
    ['Monday, 21-Nov-77 00:00:00 GMT', Date.UTC(1977, 10, 21) / 1000],
    ['Mon, 29 Feb 2001 00:00:00 GMT', undefined],
    ['Sun, 00 Nov 1994 08:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 24:00:00 GMT', undefined],
    ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
    ['Sun, 6 Nov 1994 08:49:37 GMT', undefined],
    ['sun, 06 nov 1994 08:49:37 gmt', undefined],
    ['1994-11-06T08:49:37Z', undefined],
    ['784111777', undefined],
    ['', undefined],
  ])('%s is %s', (text, seconds) => {
    expect(parseHttpDate(text, now)).toBe(seconds)
  })

  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpDate(formatHttpDate(seconds)!, now)).toBe(seconds)
      }),
    )
  })

  it('has no date for years of other than four digits', () => {
    expect(formatHttpDate(-62_167_219_201)).toBeUndefined()
    expect(formatHttpDate(253_402_300_800)).toBeUndefined()
  })
})
