/** What senders say of their bodies: how it is read, and that a body which is another leaves nothing. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectedDigests } from '../../../edge/http/digest.ts'
import { pattern } from '../../support/store-bytes.ts'
import type { EdgeUnderTest } from '../edge-under-test.ts'
import { runtimes } from '../runtimes.ts'

const digest = (algorithm: string, body: Uint8Array | string): string => createHash(algorithm).update(body).digest('base64')
const sha256 = digest('sha256', 'hello')

describe('reading the fields', () => {
  const namesIn = (headers: Record<string, string>): string[] => expectedDigests(new Headers(headers)).map(({ name, header }) => `${header} ${name}`)

  it.each<[Record<string, string>, string[]]>([
    [{}, []],
    [{ 'content-md5': digest('md5', '') }, ['Content-MD5 md5']],
    [{ 'repr-digest': `sha-256=:${sha256}:` }, ['Repr-Digest sha-256']],
    [{ 'repr-digest': `sha-512=:${digest('sha512', '')}:,\tsha-256=:${sha256}:;note="a, b"` }, ['Repr-Digest sha-512', 'Repr-Digest sha-256']],
    [{ 'repr-digest': `unixsum=:AAA=:, crc32c=:AAAAAA==:, later="x, sha-256", sha-256=:${sha256}:` }, ['Repr-Digest sha-256']],
    [{ 'repr-digest': 'adler=1;a, other, list=(1 2)' }, []],
    [{ 'content-digest': `md5=:${digest('md5', '')}:`, 'repr-digest': `sha=:${digest('sha1', '')}:` }, ['Repr-Digest sha-1', 'Content-Digest md5']],
    [{ 'repr-digest': '' }, []],
  ])('%j', (headers, names) => {
    expect(namesIn(headers)).toEqual(names)
  })

  it.each<Record<string, string>>([
    { 'content-md5': 'nonsense' },
    { 'content-md5': sha256 },
    { 'repr-digest': 'sha-256' },
    { 'repr-digest': `sha-256=${sha256}` },
    { 'repr-digest': `sha-256=:${sha256}` },
    { 'repr-digest': `sha-256=:${digest('md5', '')}:` },
    { 'repr-digest': `sha-256=:${sha256}:,` },
    { 'repr-digest': `sha-256=:${sha256}: sha-512` },
    { 'repr-digest': `SHA-256=:${sha256}:` },
    { 'content-digest': ':::' },
  ])('%j is malformed', (headers) => {
    expect(() => expectedDigests(new Headers(headers))).toThrow(/^Cannot read (Content-MD5|Repr-Digest|Content-Digest) "/)
  })
})

it('a field that is long and malformed is refused as fast as it is read', () => {
  const began = performance.now()
  for (const value of [`sha-256=:x:;${' '.repeat(30_000)}"`, `a=b;${'; '.repeat(15_000)}"`, `a=b;${'"x"'.repeat(10_000)}"`]) {
    expect(() => expectedDigests(new Headers({ 'repr-digest': value }))).toThrow(/^Cannot read Repr-Digest/)
  }
  expect(performance.now() - began).toBeLessThan(500)
})

describe.each(runtimes)('on %s', (_runtime, start) => {
  let edge: EdgeUnderTest
  const body = pattern(3_000_000)
  const put = (headers: Record<string, string>, sent: Uint8Array = body): Promise<Response> =>
    edge.fetch('/v1/demo/files/x', { method: 'PUT', body: new Uint8Array(sent), headers })

  beforeAll(async () => {
    edge = await start()
  })
  afterAll(() => edge.close())

  it.each([
    ['content-md5', digest('md5', body)],
    ['repr-digest', `sha-256=:${digest('sha256', body)}:`],
    ['repr-digest', `sha-512=:${digest('sha512', body)}:, md5=:${digest('md5', body)}:`],
    ['content-digest', `sha=:${digest('sha1', body)}:`],
  ])('%s: %s is right', async (name, value) => {
    expect((await put({ [name]: value })).ok).toBe(true)
  })

  it.each([
    ['content-md5', (text: string) => digest('md5', text)],
    ['repr-digest', (text: string) => `sha-256=:${digest('sha256', text)}:`],
    ['content-digest', (text: string) => `md5=:${digest('md5', body)}:, sha-512=:${digest('sha512', text)}:`],
  ])('a %s of other bytes: nothing is committed', async (name, of) => {
    const before = (await edge.volume.head()).seq
    for (const sent of [body, body.subarray(0, 100), body.subarray(0, 0)]) {
      const response = await put({ [name]: of('another body') }, sent)
      expect(response.status).toBe(400)
      expect(await response.text()).toMatch(/Cannot take the body: its \S+ is \S+, and \S+ says \S+; send it again/)
    }
    expect((await edge.volume.head()).seq).toBe(before)
  })
})
