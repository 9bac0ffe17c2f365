/** What is kept of uploads in parts: its bytes, and bytes that are none. */
import { describe, expect, it } from 'vitest'
import { type OpenUpload, decodeFinishedUpload, decodeOpenUpload, encodeFinishedUpload, encodeOpenUpload } from '../../../shared/format/upload-state.ts'
import type { Hash } from '../../../shared/format/entry.ts'
import { isHash } from '../../../shared/hash.ts'
import { makeInlineRoot } from '../../../shared/format/manifest-shape.ts'
import { nodeHash } from '../../../edge/node.ts'

const open: OpenUpload = {
  path: '/a/\udcff',
  length: 70_000,
  offset: 12,
  metadata: 'filename YQ==,empty',
  headers: [['if-none-match', '*']],
  size: 0,
  root: undefined,
  tail: Uint8Array.of(1, 2, 3),
  after: undefined,
  turn: 'ab',
}
const head =
  '{"format":1,"path":"/a/\\udcff","length":70000,"offset":12,"metadata":"filename YQ==,empty","headers":[["if-none-match","*"]],"size":0,"root":null,"after":null,"turn":"ab"}'
const bytesOf = (text: string, tail: readonly number[] = []): Uint8Array => {
  const bytes = new TextEncoder().encode(text)
  return Uint8Array.of(bytes.length & 255, bytes.length >>> 8, 0, 0, ...bytes, ...tail)
}

describe('an open upload', () => {
  it('has these bytes', () => {
    expect(Buffer.from(encodeOpenUpload(open))).toEqual(Buffer.from(bytesOf(head, [1, 2, 3])))
    expect(decodeOpenUpload(bytesOf(head, [1, 2, 3]))).toEqual(open)
  })

  it('comes back with a manifest', async () => {
    const root = await makeInlineRoot([{ kind: 'hole', length: 70_000 }], nodeHash)
    const whole = { ...open, size: 70_000, root, tail: new Uint8Array(0), after: 7 }
    expect(decodeOpenUpload(encodeOpenUpload(whole))).toEqual(whole)
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['a head that is cut', bytesOf(head).subarray(0, 40)],
    ['a length beyond the end', Uint8Array.of(255, 255, 255, 255, 123, 125)],
    ['no JSON', bytesOf('{"format":1')],
    ['a newer format', bytesOf(head.replace('"format":1', '"format":2'))],
    ['another field', bytesOf(head.replace('"turn"', '"more":1,"turn"'))],
    ['a missing field', bytesOf(head.replace('"offset":12,', ''))],
    ['a negative size', bytesOf(head.replace('"size":0', '"size":-1'))],
    ['a root that is none', bytesOf(head.replace('"root":null', '"root":"AAAA"'))],
    ['a header that is none', bytesOf(head.replace('["if-none-match","*"]', '["if-none-match"]'))],
    ['a seq that is none', bytesOf(head.replace('"after":null', '"after":1.5'))],
  ])('%s is refused', (_, bytes) => {
    expect(() => decodeOpenUpload(bytes)).toThrow(/^Cannot /)
  })
})

describe('a finished upload', () => {
  const version = 'a'.repeat(64)
  const finished = { path: '/x', length: 3, metadata: '', seq: 9, version: isHash(version) ? version : ('' as Hash) }
  const text = `{"format":1,"path":"/x","length":3,"metadata":"","seq":9,"version":"${version}"}`

  it('has these bytes', () => {
    expect(Buffer.from(encodeFinishedUpload(finished)).toString()).toBe(text)
    expect(decodeFinishedUpload(Buffer.from(text))).toEqual(finished)
  })

  it.each([text.replace('"seq":9', '"seq":0'), text.replace('aaaa', 'AAAA'), text.replace('"seq"', '"more":1,"seq"'), 'null'])('%s is refused', (bytes) => {
    expect(() => decodeFinishedUpload(Buffer.from(bytes))).toThrow(/^Cannot read a finished upload/)
  })
})
