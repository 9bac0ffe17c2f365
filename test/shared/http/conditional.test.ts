import { describe, expect, it } from 'vitest'
import { evaluatePreconditions, isRangeCurrent, parseTags } from '../../../shared/http/conditional.ts'

const now = Date.UTC(2026, 10, 21, 12) / 1000
const modified = Date.UTC(2026, 10, 20) / 1000
const at = (seconds: number): string => new Date(seconds * 1000).toUTCString()
const same = at(modified)
const before = at(modified - 1)
const after = at(modified + 1)
const current = { etag: '"v1"', lastModified: modified }

/** method, headers, verdict; the file is there. */
const rows: readonly (readonly [string, Record<string, string>, string])[] = [
  ['GET', {}, 'proceed'],
  ['GET', { 'if-match': '"v1"' }, 'proceed'],
  ['GET', { 'if-match': '"v0", "v1"' }, 'proceed'],
  ['GET', { 'if-match': '*' }, 'proceed'],
  ['GET', { 'if-match': '"v0"' }, 'failed'],
  ['GET', { 'if-match': 'W/"v1"' }, 'failed'],
  ['GET', { 'if-match': 'v1' }, 'failed'],
  ['GET', { 'if-match': '' }, 'failed'],
  ['PUT', { 'if-match': '"v0"' }, 'failed'],
  ['PUT', { 'if-match': '"v1"' }, 'proceed'],
  ['GET', { 'if-unmodified-since': same }, 'proceed'],
  ['GET', { 'if-unmodified-since': after }, 'proceed'],
  ['GET', { 'if-unmodified-since': before }, 'failed'],
  ['GET', { 'if-unmodified-since': 'yesterday' }, 'proceed'],
  ['GET', { 'if-match': '"v1"', 'if-unmodified-since': before }, 'proceed'],
  ['GET', { 'if-match': '"v0"', 'if-unmodified-since': after }, 'failed'],
  ['GET', { 'if-none-match': '"v1"' }, 'not-modified'],
  ['HEAD', { 'if-none-match': '"v1"' }, 'not-modified'],
  ['GET', { 'if-none-match': 'W/"v1"' }, 'not-modified'],
  ['GET', { 'if-none-match': '"v0", W/"v1"' }, 'not-modified'],
  ['GET', { 'if-none-match': '*' }, 'not-modified'],
  ['GET', { 'if-none-match': '"v0"' }, 'proceed'],
  ['GET', { 'if-none-match': 'v1' }, 'proceed'],
  ['PUT', { 'if-none-match': '*' }, 'failed'],
  ['DELETE', { 'if-none-match': '"v1"' }, 'failed'],
  ['PUT', { 'if-none-match': '"v0"' }, 'proceed'],
  ['GET', { 'if-modified-since': same }, 'not-modified'],
  ['GET', { 'if-modified-since': after }, 'not-modified'],
  ['GET', { 'if-modified-since': before }, 'proceed'],
  ['GET', { 'if-modified-since': 'soon' }, 'proceed'],
  ['PUT', { 'if-modified-since': after }, 'proceed'],
  ['GET', { 'if-none-match': '"v0"', 'if-modified-since': after }, 'proceed'],
  ['GET', { 'if-none-match': '"v1"', 'if-modified-since': before }, 'not-modified'],
  ['GET', { 'if-match': '"v1"', 'if-none-match': '"v1"' }, 'not-modified'],
  ['GET', { 'if-match': '"v0"', 'if-none-match': '"v1"' }, 'failed'],
  ['GET', { 'if-unmodified-since': after, 'if-modified-since': after }, 'not-modified'],
]

describe('evaluatePreconditions', () => {
  it.each(rows)('%s %j: %s', (method, headers, verdict) => {
    expect(evaluatePreconditions(method, new Headers(headers), current, now)).toBe(verdict)
  })

  it.each([
    [{ 'if-match': '*' }, 'failed'],
    [{ 'if-match': '"v1"' }, 'failed'],
    [{ 'if-none-match': '*' }, 'proceed'],
    [{ 'if-none-match': '"v1"' }, 'proceed'],
    [{ 'if-unmodified-since': before }, 'proceed'],
    [{}, 'proceed'],
  ])('with nothing there, PUT %j: %s', (headers, verdict) => {
    expect(evaluatePreconditions('PUT', new Headers(headers as Record<string, string>), undefined, now)).toBe(verdict)
  })
})

describe('isRangeCurrent', () => {
  it.each([
    [null, true],
    ['"v1"', true],
    ['"v0"', false],
    ['W/"v1"', false],
    [same, false],
    [before, false],
    [after, false],
    ['v1', false],
    ['*', false],
    ['', false],
  ])('If-Range %s: %s', (ifRange, expected) => {
    expect(isRangeCurrent(ifRange, current)).toBe(expected)
  })

  it('never matches a weak tag, even its own', () => {
    expect(isRangeCurrent('W/"v1"', { etag: 'W/"v1"', lastModified: undefined })).toBe(false)
  })
})

describe('parseTags', () => {
  it.each([
    ['"a"', ['"a"']],
    [' "a" ,\tW/"b" ', ['"a"', 'W/"b"']],
    ['"a,b", "c"', ['"a,b"', '"c"']],
    [',"a",,"b",', ['"a"', '"b"']],
    ['""', ['""']],
    ['*', ['*']],
    ['"a" "b"', undefined],
    ['a', undefined],
    ['"a', undefined],
    ['w/"a"', undefined],
    ['"a b"', undefined],
    ['*, "a"', undefined],
  ])('%s', (header, tags) => {
    expect(parseTags(header)).toEqual(tags)
  })
})
