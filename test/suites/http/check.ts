/** Sends a row and holds every byte that comes back against it. Also used against nginx, which gives its answers to be compared. */
import { expect } from 'vitest'
import type { RuntimeName } from '../../edge/runtimes.ts'
import { HttpConnection, type HttpAnswer } from '../../support/http-connection.ts'
import { parseMultipart } from '../../support/multipart-parser.ts'
import { files } from './files.ts'
import type { Answer, HttpRow } from './row.ts'

export interface Server {
  readonly port: number
  /** File name → its ETag there. */
  readonly tags: ReadonlyMap<string, string>
}

/** What each of the two servers has at this address, and both can say. */
const probe = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'

/** The ETags of all files on a server, by HEAD. */
export async function learnTags(port: number): Promise<Map<string, string>> {
  const tags = new Map<string, string>()
  const connection = await HttpConnection.open(port)
  for (const name of ['letters.txt', 'digits.bin', 'big.bin', 'empty', 'empty.txt', 'one', 'dir/a.html', 'dir/b/c.txt']) {
    connection.send(`HEAD /v1/demo/files/${name} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    const tag = (await connection.answer('HEAD'))?.headers.get('etag')?.[0]
    if (tag === undefined) throw new Error(`"${name}" has no ETag`)
    tags.set(name, tag)
  }
  connection.close()
  return tags
}

/** The answers to a row, and whether the connection could be used again. */
export async function answersOf({ steps }: Pick<HttpRow, 'steps'>, { port, tags }: Server): Promise<{ answers: (HttpAnswer | undefined)[]; connection: 'kept' | 'closed' }> {
  const connection = await HttpConnection.open(port)
  const methods: string[] = []
  const answers: (HttpAnswer | undefined)[] = []
  try {
    for (const step of steps) {
      if (typeof step === 'string') {
        methods.push(...methodsOf(step))
        connection.send(withTags(step, tags))
        continue
      }
      const answer = await connection.answer(methods[0] ?? 'GET')
      answers.push(answer)
      if (answer === undefined || answer.status >= 200) methods.shift()
    }
    return { answers, connection: (await isKept(connection)) ? 'kept' : 'closed' }
  } finally {
    connection.close()
  }
}

export async function checkRow(row: HttpRow, server: Server, runtime: RuntimeName): Promise<void> {
  const difference = row.on?.[runtime]
  const answersOwn = row.steps.filter((step) => typeof step !== 'string')
  const wanted = difference?.answers ?? answersOwn
  const steps = wanted.length === answersOwn.length ? row.steps : [...row.steps.filter((step) => typeof step === 'string'), ...wanted]
  const { answers, connection } = await answersOf({ steps }, server)
  for (const [index, answer] of answers.entries()) {
    checkAnswer(answer, wanted[index] ?? { status: 0 }, server.tags)
    if (answer !== undefined) checkAlways(answer, runtime)
  }
  expect(connection).toBe(difference?.connection ?? row.connection)
}

/** The methods of the requests in a text; bodies that look like requests are smuggled ones and must not be answered. */
function methodsOf(text: string): string[] {
  return [...text.matchAll(/^([A-Z]+) \S.* HTTP\/1\.[01]\r$/gm)].map((match) => match[1]!)
}

/** Sends one more request. Nothing else may come first: a body's length was right, and nothing was smuggled. */
async function isKept(connection: HttpConnection): Promise<boolean> {
  connection.send(probe)
  const answer = await connection.answer('GET')
  if (answer === undefined) return false
  expect([answer.status, answer.body.toString()]).toEqual([200, '{"status":"ok"}\n'])
  expect(await connection.rest()).toBe('')
  return true
}

function checkAnswer(answer: HttpAnswer | undefined, wanted: Answer, tags: Server['tags']): void {
  if (answer === undefined || wanted.status === 0) {
    expect(answer?.status ?? 0).toBe(wanted.status)
    return
  }
  const body = answer.body.toString('latin1')
  const bodyOf = (text: string): string => Buffer.from(text).toString('latin1')
  const exact = typeof wanted.body === 'string' ? bodyOf(wanted.body) : body
  expect({ status: answer.status, body: shown(body) }).toEqual({ status: wanted.status, body: shown(exact) })
  expect(body === exact).toBe(true)
  if (wanted.body instanceof RegExp) expect(body).toMatch(wanted.body)
  const found: Record<string, string | undefined> = {}
  const expected: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(wanted.has ?? {})) {
    found[name] = answer.headers.get(name)?.join(' | ')
    expected[name] = typeof value === 'string' ? withTags(value, tags) : value instanceof RegExp ? expect.stringMatching(value) : undefined
  }
  expect(found).toEqual(expected)
  if (wanted.parts !== undefined) checkParts(answer, wanted.parts)
  if (wanted.error !== undefined && body !== '') checkError(body, wanted.error)
}

/** What holds for every answer: no header comes twice, and there is a date (RFC 9110 section 6.6.1), which on Cloudflare its front end gives. */
function checkAlways({ headers, status, version }: HttpAnswer, runtime: RuntimeName): void {
  const repeated = [...headers].filter(([, values]) => values.length > 1).map(([name]) => name)
  expect(repeated).toEqual([])
  if (headers.has('access-control-allow-origin') && runtime !== 'workerd') expect(headers.get('date')?.join()).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
  if (version === '1.0') expect(headers.has('transfer-encoding')).toBe(false)
  expect([status, headers.get('content-encoding')]).toEqual([status, undefined])
}

/** A failure must not print a file. */
function shown(body: string): string {
  return body.length > 500 ? `${body.length} bytes: ${body.slice(0, 100)}…` : body
}

function checkParts(answer: HttpAnswer, { file, ranges }: NonNullable<Answer['parts']>): void {
  const text = files[file]!
  const found = parseMultipart(answer.headers.get('content-type')?.join() ?? '', answer.body)
  expect(found.map(({ contentRange, body }) => [contentRange, body.toString('latin1')])).toEqual(
    ranges.map(([first, last]) => [`bytes ${first}-${last}/${text.length}`, text.slice(first, last + 1)]),
  )
}

/** Every error has a code and a sentence that says what cannot be done. */
function checkError(body: string, code: string): void {
  const { error } = JSON.parse(body) as { error: { code: string; message: string } }
  expect(error).toEqual({ code, message: expect.stringMatching(/^Cannot .+/s) })
}

function withTags(text: string, tags: Server['tags']): string {
  return text.replaceAll(/\{tag:([^}]+)\}/g, (_, name: string) => {
    const tag = tags.get(name)
    if (tag === undefined) throw new Error(`A row names the ETag of "${name}", which was not learned`)
    return tag
  })
}
