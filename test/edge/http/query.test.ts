import { describe, expect, it } from 'vitest'
import { addressOf, queryInteger, queryName, queryValue, splitUrl } from '../../../edge/http/query.ts'

describe('splitUrl', () => {
  it.each([
    ['http://h/a%2Fb?x=1', '/a%2Fb', 'x=1'],
    ['http://h:80', '/', ''],
    ['http://h/?', '/', ''],
    ['http://h/a?b?c', '/a', 'b?c'],
    ['http://h/a#f?g', '/a', ''],
    ['/a?b', '/a', 'b'],
  ])('%s', (url, path, query) => {
    expect(splitUrl(url)).toEqual({ path, query })
  })
})

describe('query values', () => {
  it('are read raw, the first of each name', () => {
    expect(queryValue('a=1&a=2&b', 'a')).toBe('1')
    expect(queryValue('a=1&b', 'b')).toBe('')
    expect(queryValue('ab=1', 'a')).toBeUndefined()
    expect(queryName('after=a+b%FF', 'after')).toBe('a b\udcff')
    expect(queryName('after=', 'after')).toBeUndefined()
  })

  it('refuse numbers that are none', () => {
    const bounds = { min: 1, max: 10 }
    expect(queryInteger('limit=10', 'limit', bounds)).toBe(10)
    expect(queryInteger('', 'limit', bounds)).toBeUndefined()
    for (const text of ['0', '11', '-1', '1.5', '1e1', '', 'x', ' 1', '99999999999999999999']) {
      expect(() => queryInteger(`limit=${text}`, 'limit', bounds), text).toThrow(/Cannot read limit/)
    }
  })

  it('refuse names that cannot be', () => {
    expect(() => queryName('after=a%2Fb', 'after')).toThrow(/slash/)
    expect(() => queryName('after=%zz', 'after')).toThrow(/hex/)
  })
})

describe('addressOf', () => {
  it.each([
    ['/a/../b?c', 'GET', 'http://h:1/a/../b?c'],
    ['//a', 'GET', 'http://h:1//a'],
    ['/%2e%2e/a\\b', 'GET', 'http://h:1/%2e%2e/a\\b'],
    ['http://other/a', 'GET', 'http://other/a'],
    ['HTTPS://other', 'GET', 'HTTPS://other'],
    ['*', 'OPTIONS', 'http://h:1/'],
    ['*', 'GET', undefined],
    ['a', 'GET', undefined],
    ['', 'GET', undefined],
    ['ftp://other/a', 'GET', undefined],
  ])('%s, %s: %s', (target, method, address) => {
    expect(addressOf(target, method, 'h:1')).toBe(address)
  })
})
