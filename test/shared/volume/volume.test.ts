import { describe, expect, test } from 'vitest'
import { bytesOf, expectBytes, inPieces, linesOf, newVolume, randomBytes, textOf, utf8 } from '../../support/test-volume.ts'

describe('a volume', () => {
  test('keeps what a commit made', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    const body = randomBytes(7, 300_000)
    const big = await writer.write(inPieces(body))
    const small = await writer.write([utf8('hello')])
    const result = await writer.commit([
      { op: 'mkdir', path: '/a' },
      { op: 'create', path: '/a/big', ...big },
      { op: 'create', path: '/b/c/small', parents: true, ...small },
      { op: 'symlink', path: '/link', target: 'b/c/small' },
      { op: 'link', path: '/a/big', to: '/b/big' },
    ])
    expect(result.seq).toBe(2)
    const head = await volume.head()
    expect(head.seq).toBe(2)
    expectBytes(await bytesOf(head, '/a/big'), body)
    expectBytes(await bytesOf(head, '/b/big', { start: 1000, end: 200_001 }), body.slice(1000, 200_001))
    expect(await textOf(head, '/b/c/small')).toBe('hello')
    expect((await head.follow('/link')).path).toBe('/b/c/small')
    expect((await head.resolve('/b/big')).linkCount).toBe(2)
    expect(await linesOf(head)).toEqual([
      '/ directory',
      '/a directory',
      '/a/big file 300000 bytes',
      '/b directory',
      '/b/big file 300000 bytes',
      '/b/c directory',
      '/b/c/small file hello',
      '/link symlink b/c/small',
    ])
  })
})
