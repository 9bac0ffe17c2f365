/** The parsers that the HTTP tables rest on take nothing that is wrong: else the tables could not fail. */
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type HttpAnswer, HttpConnection } from '../support/http-connection.ts'
import { parseMultipart } from '../support/multipart-parser.ts'

const type = 'multipart/byteranges; boundary=B'
const good = '--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-2/9\r\n\r\nabc\r\n--B\r\nContent-Range: bytes 5-5/9\r\n\r\nf\r\n--B--\r\n'

describe('parseMultipart', () => {
  it('reads parts, with or without a line break before the first', () => {
    for (const text of [good, `\r\n${good}`]) {
      expect(parseMultipart(type, Buffer.from(text)).map((part) => [part.contentRange, part.body.toString()])).toEqual([['bytes 0-2/9', 'abc'], ['bytes 5-5/9', 'f']])
    }
  })

  it.each([
    ['another type', 'multipart/mixed; boundary=B', good],
    ['no boundary', 'multipart/byteranges', good],
    ['another boundary', 'multipart/byteranges; boundary=C', good],
    ['a part that is too short', type, good.replace('abc', 'ab')],
    ['a part that is too long', type, good.replace('abc', 'abcd')],
    ['a part without a range', type, good.replace('Content-Range: bytes 5-5/9', 'X: y')],
    ['no end', type, good.replace('--B--\r\n', '--B\r\n')],
    ['something behind the end', type, `${good}x`],
    ['no line break behind the end', type, good.slice(0, -2)],
    ['bare line feeds', type, good.replaceAll('\r\n', '\n')],
  ])('refuses %s', (_, contentType, text) => {
    expect(() => parseMultipart(contentType, Buffer.from(text))).toThrow(/^(No |Something |A )/)
  })
})

async function answered(bytes: string, method = 'GET'): Promise<HttpAnswer | undefined> {
  const server = createServer((socket) => socket.end(Buffer.from(bytes, 'latin1')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  onTestFinished(() => void server.close())
  const connection = await HttpConnection.open((server.address() as AddressInfo).port)
  try {
    return await connection.answer(method)
  } finally {
    connection.close()
  }
}

describe('HttpConnection', () => {
  it.each([
    ['HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc', 'abc'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', 'abc'],
    ['HTTP/1.0 200 OK\r\n\r\nabc', 'abc'],
    ['HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n', ''],
  ])('reads %j', async (bytes, body) => {
    expect((await answered(bytes))?.body.toString()).toBe(body)
  })

  it('knows when nothing comes', async () => {
    expect(await answered('')).toBeUndefined()
  })

  it.each([
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab',
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc',
    'HTTP/1.1 200 OK\r\ncontent-length: 3x\r\n\r\nabc',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\nabc\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nname : value\r\n\r\n',
    'HTTP/1.1 200 OK\r\nname\r\n\r\n',
    'HTTP/1.1 200 OK\r\nname: a\0b\r\n\r\n',
    'HTTP/1.1 200 OK\r\na: b',
  ])('refuses %j', async (bytes) => {
    await expect(answered(bytes)).rejects.toThrow(/^(An answer |A chunk |A header |The (connection|status))/)
  })
})
