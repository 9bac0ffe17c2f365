/** The S3 store before servers that fail, lie or say nothing; and with what `open.ts` puts around it. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deadlineStore } from '../../../edge/store/deadline.ts'
import { openStore } from '../../../edge/store/open.ts'
import { retryStore } from '../../../edge/store/retry.ts'
import type { S3Store } from '../../../edge/store/s3.ts'
import { systemClock } from '../../../shared/clock.ts'
import { systemRandom } from '../../../shared/random.ts'
import { probeStore } from '../../../shared/volume/probe.ts'
import { answerText, type FaultAnswer, type HeardRequest, startFaultServer } from '../../support/fault-server.ts'
import { s3StoreAt } from '../../support/s3-servers.ts'
import { collect, failureOf, text } from '../../support/store-bytes.ts'

const secretAccessKey = 'the-secret-of-tests'
const retries = { clock: systemClock, random: systemRandom, tryCountMax: 3, firstPauseMs: 1, pauseMsMax: 2 }

async function failing(answer: (request: HeardRequest, index: number) => FaultAnswer): Promise<{ store: S3Store; requests: readonly HeardRequest[] }> {
  const { url, requests } = await startFaultServer(answer)
  return { store: s3StoreAt({ endpoint: url, accessKeyId: 'key', secretAccessKey }, ''), requests }
}

function xmlError(status: number, code: string, message = 'some words'): FaultAnswer {
  return answerText(status, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`, { 'Content-Type': 'application/xml' })
}

const found = { ETag: '"tag"', 'Content-Type': 'application/octet-stream' }

describe('what servers say', () => {
  test.each([
    [503, 'SlowDown', 'unavailable', 'try again'],
    [429, 'TooManyRequests', 'unavailable', 'try again'],
    [500, 'InternalError', 'unavailable', 'try again'],
    [400, 'RequestTimeout', 'unavailable', 'try again'],
    [403, 'RequestTimeTooSkewed', 'unavailable', "this machine's clock"],
    [403, 'AccessDenied', 'denied', 's3:GetObject and s3:ListBucket on the bucket "edgemount-test"'],
    [403, 'InvalidAccessKeyId', 'denied', 'AWS_ACCESS_KEY_ID'],
    [403, 'SignatureDoesNotMatch', 'denied', 'AWS_SECRET_ACCESS_KEY'],
    [400, 'ExpiredToken', 'denied', 'AWS_SESSION_TOKEN'],
    [301, 'PermanentRedirect', 'invalid', '?region=<region>'],
    [400, 'AuthorizationHeaderMalformed', 'invalid', '?region=<region>'],
    [404, 'NoSuchBucket', 'invalid', 'there is no bucket "edgemount-test"'],
    [501, 'NotImplemented', 'unsupported', 'does not do that'],
    [400, 'InvalidRequest', 'invalid', 'InvalidRequest: some words'],
  ] as const)('%i %s is %s', async (status, name, code, why) => {
    const { store, requests } = await failing(() => xmlError(status, name))
    const error = await store.get('k').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code, message: expect.stringContaining(why) as string })
    expect(String(error)).toMatch(/Cannot read "k" from s3:\/\/edgemount-test\?endpoint=/)
    expect(String(error)).not.toContain(secretAccessKey)
    expect(requests).toHaveLength(1)
  })

  test('an answer without a body has its status alone', async () => {
    const { store } = await failing(() => answerText(503))
    expect(await failureOf(store.get('k'))).toBe('unavailable')
    expect(await failureOf(store.list(''))).toBe('unavailable')
    expect(await failureOf(store.delete('k'))).toBe('unavailable')
  })

  test('no answer is unavailable', async () => {
    const { store } = await failing(() => 'reset')
    expect(await failureOf(store.get('k'))).toBe('unavailable')
    const away = s3StoreAt({ endpoint: 'http://127.0.0.1:2', accessKeyId: 'key', secretAccessKey }, '')
    await expect(away.get('k')).rejects.toThrow(/ECONNREFUSED.*check the endpoint/)
  })
})

describe('conditional writes', () => {
  test('a write that landed and was answered with 500 is tried once, also below retries', async () => {
    const { store, requests } = await failing(() => xmlError(500, 'InternalError'))
    expect(await failureOf(retryStore(store, retries).create('k', text('x')))).toBe('unavailable')
    expect(await failureOf(retryStore(store, retries).replace('k', text('x'), '"t"'))).toBe('unavailable')
    expect(requests.map(({ method, headers }) => `${method} ${headers.get('if-none-match') ?? headers.get('if-match')}`)).toEqual(['PUT *', 'PUT "t"'])
  })

  test('409 of a create: what is there won; where nothing is, it is tried again', async () => {
    const lost = await failing(({ method }) => (method === 'PUT' ? xmlError(409, 'ConditionalRequestConflict') : answerText(200, '', found)))
    expect(await lost.store.create('k', text('x'))).toBe(false)
    const again = await failing(({ method }, index) => (method === 'HEAD' ? answerText(404) : index === 0 ? xmlError(409, 'ConditionalRequestConflict') : answerText(200, '', found)))
    expect(await again.store.create('k', text('x'))).toBe(true)
    expect(again.requests.map(({ method }) => method)).toEqual(['PUT', 'HEAD', 'PUT'])
    const never = await failing(({ method }) => (method === 'PUT' ? xmlError(409, 'ConditionalRequestConflict') : answerText(404)))
    expect(await failureOf(never.store.create('k', text('x')))).toBe('unavailable')
    expect(never.requests.length).toBeLessThanOrEqual(12)
  })

  test('a server that does not know conditions is unsupported', async () => {
    const { store } = await failing(() => xmlError(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented'))
    await expect(store.create('k', text('x'))).rejects.toThrow('does not do conditional writes')
  })

  test('a server that takes If-Match without quotes and does not look at it never gets the object itself', async () => {
    const bare: string[] = []
    const { store } = await failing(({ method, path, headers }) => {
      const condition = headers.get('if-match')
      if (method === 'PUT' && condition !== undefined && !condition.startsWith('"')) bare.push(path)
      return method === 'PUT' && condition?.startsWith('"') === true ? xmlError(412, 'PreconditionFailed') : answerText(200, '', { ...found, ETag: '"abc0"' })
    })
    await expect(store.replace('lease', text('x'), '"abc0"')).rejects.toThrow('without quotes and does not look at it')
    expect(bare).toHaveLength(1)
    expect(bare[0]).toContain('/tag-probe-')
  })
})

describe('bodies', () => {
  test.each([
    ['cut', { ...answerText(200, 'abc', { ...found, 'Content-Length': '10' }) }],
    ['reset', { text: `HTTP/1.1 200 OK\r\nETag: "t"\r\nContent-Length: 10\r\n\r\nabc` }],
  ] as const)('a body that is %s is unavailable, whole or as a stream', async (_, answer) => {
    const { store } = await failing(() => answer)
    const whole = await store.get('k')
    expect(whole?.size).toBe(10)
    expect(await failureOf(whole!.bytes())).toBe('unavailable')
    const streamed = await store.get('k')
    await expect(collect(streamed!.stream())).rejects.toThrow('terminated')
  })

  test('a body that hangs ends by the deadline, or by the signal', async () => {
    const { store } = await failing(() => ({ ...answerText(200, 'abc', { ...found, 'Content-Length': '10' }), after: 'hang' }))
    const timed = deadlineStore(store, { clock: systemClock, callMs: 50 })
    const whole = await timed.get('k')
    expect(await failureOf(whole!.bytes())).toBe('unavailable')
    const controller = new AbortController()
    const found2 = await store.get('k', { signal: controller.signal })
    const reading = failureOf(found2!.bytes())
    controller.abort()
    expect(await reading).toBe('aborted')
  })

  test('an answer that never comes ends by the deadline', async () => {
    const { store } = await failing(() => 'hang')
    const timed = deadlineStore(store, { clock: systemClock, callMs: 50 })
    expect(await failureOf(timed.get('k'))).toBe('unavailable')
    expect(await failureOf(timed.create('k', text('x')))).toBe('unavailable')
  })

  test.each([
    ['the whole object', answerText(200, '0123456789', found)],
    ['another part', answerText(206, '34', { ...found, 'Content-Range': 'bytes 3-4/10' })],
    ['a shorter part', answerText(206, '2', { ...found, 'Content-Range': 'bytes 2-2/10' })],
    ['less than it says', answerText(206, '2', { ...found, 'Content-Range': 'bytes 2-3/10' })],
  ])('for a range, %s is refused', async (_, answer) => {
    const { store } = await failing(() => answer)
    expect(await failureOf(store.get('k', { range: { start: 2, end: 4 } }))).toBe('unsupported')
  })

  test('reads are tried again: a 503, then a cut body, then all of it', async () => {
    const answers = [xmlError(503, 'SlowDown'), answerText(200, 'abc', { ...found, 'Content-Length': '10' }), answerText(200, '0123456789', found)]
    const { store, requests } = await failing((_, index) => answers[index] ?? 'reset')
    const whole = await retryStore(store, retries).get('k')
    expect(new TextDecoder().decode(await whole!.bytes())).toBe('0123456789')
    expect(requests).toHaveLength(3)
  })
})

function listingOf(keys: readonly string[], more: string): FaultAnswer {
  const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')
  return answerText(200, `<?xml version="1.0"?><ListBucketResult>${contents}${more}</ListBucketResult>`, { 'Content-Type': 'application/xml' })
}

describe('listings', () => {
  test('pages that are shorter than asked for are joined, and names of others left out', async () => {
    const pages = [['a', 'b/'], ['c//d'], ['e&amp;f &lt;', 'g ']]
    const { store, requests } = await failing((_, index) => listingOf(pages[index]!, `<IsTruncated>${index < 2}</IsTruncated>`))
    expect((await store.list('', { limit: 10 })).map(({ key }) => key)).toEqual(['a', 'e&f <', 'g '])
    const asked = requests.map(({ path }) => new URLSearchParams(path.split('?')[1]))
    expect(asked.map((query) => [query.get('start-after'), query.get('max-keys')])).toEqual([[null, '10'], ['b/', '9'], ['c//d', '9']])
  })

  test('names that a server encodes are decoded', async () => {
    const { store } = await failing(() => listingOf(['a+b%2Bc%20d', '%25'], '<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>'))
    expect((await store.list('')).map(({ key }) => key)).toEqual(['a b+c d', '%'])
  })
})

/** A server that keeps objects and looks at no condition. */
function carelessServer({ isRanged }: { isRanged: boolean }): (request: HeardRequest) => FaultAnswer {
  const objects = new Map<string, string>()
  return ({ method, path, headers, body }) => {
    const key = path.split('?', 1)[0]!
    if (method === 'PUT') objects.set(key, body)
    if (method === 'DELETE') objects.delete(key)
    const object = objects.get(key)
    if (method !== 'GET') return answerText(200, '', found)
    if (object === undefined) return xmlError(404, 'NoSuchKey')
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers.get('range') ?? '')
    if (range === null || !isRanged) return answerText(200, object, found)
    const part = object.slice(Number(range[1]), Number(range[2]) + 1)
    return answerText(206, part, { ...found, 'Content-Range': `bytes ${range[1]}-${range[2]}/${object.length}` })
  }
}

describe('the probe of a new volume', () => {
  test('refuses a server that does not look at If-None-Match, with the reason', async () => {
    const { store } = await failing(carelessServer({ isRanged: true }))
    const error = await probeStore({ store, clock: systemClock, random: systemRandom }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/^Cannot keep a volume in "s3:\/\/edgemount-test\S*": of 4 creates of one key 4 were told that they were first$/) as string })
  })

  test('refuses a server that does not do ranges, with the reason', async () => {
    const careless = carelessServer({ isRanged: false })
    const created = new Set<string>()
    const { store } = await failing((request) => {
      const key = request.path.split('?', 1)[0]!
      if (request.method === 'PUT' && created.has(key)) return xmlError(412, 'PreconditionFailed')
      if (request.method === 'PUT') created.add(key)
      return careless(request)
    })
    await expect(probeStore({ store, clock: systemClock, random: systemRandom })).rejects.toThrow(/does not do ranges/)
  })
})

test('opened by its URL, a store is tried again, and a write on conditions is not', async () => {
  const { url, requests } = await startFaultServer(() => xmlError(503, 'SlowDown'))
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey)
  onTestFinished(() => void vi.unstubAllEnvs())
  const opened = await openStore(`s3://bucket/p?endpoint=${url}&region=here-1`, { clock: systemClock, random: systemRandom })
  expect(await failureOf(opened.store.get('k'))).toBe('unavailable')
  expect(await failureOf(opened.store.create('k', text('x')))).toBe('unavailable')
  await opened.dispose()
  expect(requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'GET', 'PUT'])
  expect(requests[0]?.path).toMatch(/^\/bucket\/p\/k\?/)
  expect(requests[0]?.headers.get('authorization')).toContain('/here-1/s3/aws4_request')
})
