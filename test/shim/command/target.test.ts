import { expect, test } from 'vitest'
import { inSource, parseTarget, typedInSource } from '../../../shim/command/target.ts'

test.each([
  ['http://127.0.0.1:8787/photos', { source: 'http://127.0.0.1:8787', volume: 'photos', seq: undefined, path: '/' }],
  ['http://127.0.0.1:8787/photos/2024/a%20b.jpg', { source: 'http://127.0.0.1:8787', volume: 'photos', seq: undefined, path: '/2024/a b.jpg' }],
  ['https://example.org/photos@12/x/', { source: 'https://example.org', volume: 'photos', seq: 12, path: '/x' }],
  ['https://example.org/photos/@12/x', { source: 'https://example.org', volume: 'photos', seq: 12, path: '/x' }],
  ['https://example.org/v1/photos/files/a/b', { source: 'https://example.org', volume: 'photos', seq: undefined, path: '/a/b' }],
  ['https://example.org/base/v1/photos/@3/a', { source: 'https://example.org/base', volume: 'photos', seq: 3, path: '/a' }],
  ['http://h/v/caf%C3%A9/%FF', { source: 'http://h', volume: 'v', seq: undefined, path: '/café/\udcff' }],
  ['https://h/t/em1.abc/v1/photos/files/a', { source: 'https://h', volume: 'photos', seq: undefined, path: '/a', token: 'em1.abc' }],
  ['https://h/base/t/em1.abc/v1/photos/@3/a', { source: 'https://h/base', volume: 'photos', seq: 3, path: '/a', token: 'em1.abc' }],
  ['https://h/t/em1.abc/photos', { source: 'https://h', volume: 'photos', seq: undefined, path: '/', token: 'em1.abc' }],
  ['https://h/photos/a?t=em1.abc', { source: 'https://h', volume: 'photos', seq: undefined, path: '/a', token: 'em1.abc' }],
  ['https://h/t/photos', { source: 'https://h', volume: 't', seq: undefined, path: '/photos' }],
])('the address %s', (text, place) => {
  expect(parseTarget(text)).toEqual({ kind: 'edge', text, place })
})

test('in the text of a store every part may be the volume, from left to right', () => {
  expect(parseTarget('dir:./data/photos@7/2024/x.jpg')).toMatchObject({
    kind: 'store',
    places: [
      { source: 'dir:.', volume: 'data', path: '/photos@7/2024/x.jpg', seq: undefined },
      { source: 'dir:./data', volume: 'photos', path: '/2024/x.jpg', seq: 7 },
      { source: 'dir:./data/photos@7', volume: '2024', path: '/x.jpg', seq: undefined },
      { source: 'dir:./data/photos@7/2024', volume: 'x.jpg', path: '/', seq: undefined },
    ],
  })
})

test('an absolute store stays absolute, and parts that can be no volume are none', () => {
  const target = parseTarget('dir:/srv/../my data/v')
  expect(target).toMatchObject({ places: [{ source: 'dir:/srv/../my data', volume: 'v', path: '/' }] })
})

test.each([
  ['./data/photos', 'it has no source. For a folder on this disk write "dir:./data/photos"'],
  ['http://127.0.0.1:8787', 'the volume is missing'],
  ['http://127.0.0.1:8787/', 'the volume is missing'],
  ['http://h/v?x=1', 'write "?" as %3F'],
  ['http://[', 'it is not a URL'],
  ['dir:', 'the volume is missing'],
  ['dir:..', 'must be 1 to 63 letters'],
  ['http://h/v/a%00b', 'a name contains a NUL'],
])('%s is refused', (text, why) => {
  expect(() => parseTarget(text)).toThrow(why)
})

test('in a store of a cloud the bucket is the store, and its parameters stay with it', () => {
  expect(parseTarget('s3://bucket/team/photos@7/x.jpg?endpoint=http://127.0.0.1:9000&region=eu')).toMatchObject({
    kind: 'store',
    places: [
      { source: 's3://bucket?endpoint=http://127.0.0.1:9000&region=eu', volume: 'team', path: '/photos@7/x.jpg' },
      { source: 's3://bucket/team?endpoint=http://127.0.0.1:9000&region=eu', volume: 'photos', path: '/x.jpg', seq: 7 },
      { source: 's3://bucket/team/photos@7?endpoint=http://127.0.0.1:9000&region=eu', volume: 'x.jpg', path: '/' },
    ],
  })
  expect(parseTarget('az://account/box/photos')).toMatchObject({ places: [{ source: 'az://account/box', volume: 'photos', path: '/' }] })
})

test.each([
  ['s3://bucket', 'the volume is missing: s3://bucket/<volume>'],
  ['s3://key:secret@bucket?region=x', 'Cannot use "s3://…@bucket?region=x" as a volume path: the volume is missing'],
  ['az://account', 'the volume is missing: az://account/<container>/<volume>'],
])('%s names no volume', (text, why) => {
  expect(() => parseTarget(text)).toThrow(why)
})

test('what stands below a source comes before its parameters', () => {
  expect(inSource('s3://bucket/team?region=eu', 'photos')).toBe('s3://bucket/team/photos?region=eu')
  expect(inSource('dir:./what?', 'photos')).toBe('dir:./what?/photos')
  expect(inSource('http://127.0.0.1:8787', 'photos')).toBe('http://127.0.0.1:8787/photos')
  expect(typedInSource('s3://bucket/team?endpoint=http://h&region=eu', 'photos')).toBe("'s3://bucket/team/photos?endpoint=http://h&region=eu'")
  expect(typedInSource('s3://bucket', 'photos')).toBe('s3://bucket/photos')
  expect(typedInSource('dir:./what?', 'photos')).toBe('dir:./what?/photos')
})
