import { describe, expect, it } from 'vitest'
import { contentDisposition, contentTypeOf, isScriptable } from '../../shared/content-type.ts'
import { decodeName } from '../../shared/name.ts'

describe('contentTypeOf', () => {
  it.each([
    ['a.html', 'text/html; charset=utf-8'],
    ['A.JPG', 'image/jpeg'],
    ['x.tar.gz', 'application/gzip'],
    ['data.parquet', 'application/vnd.apache.parquet'],
    ['README', 'application/octet-stream'],
    ['.html', 'application/octet-stream'],
    ['a.', 'application/octet-stream'],
    ['a.constructor', 'application/octet-stream'],
    ['a.js', 'text/javascript; charset=utf-8'],
  ])('%s is %s', (name, type) => {
    expect(contentTypeOf(name)).toBe(type)
  })
})

it('files that can bring scripts are known by their type', () => {
  const names = ['a.html', 'a.svg', 'a.xml', 'a.xsl', 'a.txt', 'a.png', 'a.pdf', 'a.js', 'a.json']
  expect(names.filter((name) => isScriptable(contentTypeOf(name)))).toEqual(['a.html', 'a.svg', 'a.xml', 'a.xsl'])
})

describe('contentDisposition', () => {
  it.each([
    ['a.txt', 'attachment; filename="a.txt"'],
    ['a "b"\\c.txt', `attachment; filename="a _b__c.txt"; filename*=UTF-8''a%20%22b%22%5Cc.txt`],
    ['naïve.txt', `attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`],
    ['100%.txt', `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`],
    ['a\r\nset-cookie: x', `attachment; filename="a__set-cookie: x"; filename*=UTF-8''a%0D%0Aset-cookie%3A%20x`],
    [decodeName(Uint8Array.of(0xff, 0x61)), `attachment; filename="_a"; filename*=UTF-8''%FFa`],
  ])('%j', (name, expected) => {
    expect(contentDisposition('attachment', name)).toBe(expected)
    expect(() => new Headers({ 'content-disposition': expected })).not.toThrow()
  })
})
