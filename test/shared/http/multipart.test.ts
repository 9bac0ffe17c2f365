import { describe, expect, it } from 'vitest'
import { concatBytes } from '../../../shared/bytes.ts'
import { planMultipart, writeMultipart } from '../../../shared/http/multipart.ts'
import type { ByteRange } from '../../../shared/range.ts'

const body = 'abcdefghijklmnopqrstuvwxyz'

async function* read({ start, end }: ByteRange): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += 2) yield new TextEncoder().encode(body.slice(at, Math.min(at + 2, end)))
}

describe('multipart/byteranges', () => {
  it('is exactly the bytes of RFC 9110 section 14.6, and as long as planned', async () => {
    const plan = planMultipart([{ start: 20, end: 26 }, { start: 0, end: 3 }], 26, 'text/plain', 'B0')
    const written: Uint8Array[] = []
    for await (const bytes of writeMultipart(plan, read)) written.push(bytes)
    const text = new TextDecoder().decode(concatBytes(written))
    expect(text).toBe(
      '--B0\r\ncontent-type: text/plain\r\ncontent-range: bytes 20-25/26\r\n\r\nuvwxyz' +
        '\r\n--B0\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-2/26\r\n\r\nabc\r\n--B0--\r\n',
    )
    expect(plan.length).toBe(text.length)
    expect(plan.contentType).toBe('multipart/byteranges; boundary=B0')
  })
})
