/** The Azure store before servers that fail, lie or say nothing. */
import { describe, expect, test } from 'vitest'
import { AzureStore } from '../../../edge/store/azure.ts'
import { deadlineStore } from '../../../edge/store/deadline.ts'
import { retryStore } from '../../../edge/store/retry.ts'
import { systemClock } from '../../../shared/clock.ts'
import { systemRandom } from '../../../shared/random.ts'
import { answerText, type FaultAnswer, type HeardRequest, startFaultServer } from '../../support/fault-server.ts'
import { collect, failureOf, text } from '../../support/store-bytes.ts'

const retries = { clock: systemClock, random: systemRandom, tryCountMax: 3, firstPauseMs: 1, pauseMsMax: 2 }
const token = 'sv=2024-01-01&sig=the-secret-of-tests'
const found = { ETag: '"tag"', 'Content-Type': 'application/octet-stream' }
/** Above what is read at once. */
const large = 100_000

async function failing(answer: (request: HeardRequest, index: number) => FaultAnswer): Promise<{ store: AzureStore; requests: readonly HeardRequest[] }> {
  const { url, requests } = await startFaultServer(answer)
  return { store: new AzureStore({ account: 'account', container: 'box', prefix: '', endpoint: `${url}/account`, access: { kind: 'sas', token } }), requests }
}

function xmlError(status: number, code: string): FaultAnswer {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>some words\nRequestId:1\nTime:2</Message></Error>`
  return answerText(status, body, { 'Content-Type': 'application/xml', 'x-ms-error-code': code })
}

describe('what servers say', () => {
  test.each([
    [503, 'ServerBusy', 'unavailable', 'try again'],
    [429, 'TooManyRequests', 'unavailable', 'try again'],
    [500, 'OperationTimedOut', 'unavailable', 'try again'],
    [403, 'AuthenticationFailed', 'denied', 'AZURE_STORAGE_SAS_TOKEN'],
    [403, 'AuthorizationPermissionMismatch', 'denied', 'racwdl'],
    [409, 'PublicAccessNotPermitted', 'denied', 'AZURE_STORAGE_KEY'],
    [404, 'ContainerNotFound', 'invalid', 'there is no container "box"'],
    [400, 'InvalidHeaderValue', 'invalid', 'InvalidHeaderValue'],
  ] as const)('%i %s is %s', async (status, name, code, why) => {
    const { store, requests } = await failing(() => xmlError(status, name))
    const error = await store.get('k').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code, message: expect.stringContaining(why) as string })
    expect(String(error)).not.toContain('the-secret')
    expect(requests).toHaveLength(1)
  })

  test('no answer is unavailable, and the address with its signature is not shown', async () => {
    const { store } = await failing(() => 'reset')
    const error = await store.get('k').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'unavailable' })
    expect(String(error)).not.toContain('the-secret')
  })

  test('a write on a condition is sent once, whatever is answered; what is there is not', async () => {
    const { store, requests } = await failing(() => xmlError(500, 'InternalError'))
    expect(await failureOf(retryStore(store, retries).create('k', text('x')))).toBe('unavailable')
    expect(await failureOf(retryStore(store, retries).replace('k', text('x'), '"t"'))).toBe('unavailable')
    expect(requests).toHaveLength(2)
    const taken = await failing(() => xmlError(409, 'BlobAlreadyExists'))
    expect(await taken.store.create('k', text('x'))).toBe(false)
    const going = await failing(() => xmlError(409, 'ContainerBeingDeleted'))
    expect(await failureOf(going.store.create('k', text('x')))).toBe('unavailable')
  })
})

describe('bodies', () => {
  test('a body that is cut is unavailable, whole or as a stream', async () => {
    const { store } = await failing(() => answerText(200, 'abc', { ...found, 'Content-Length': String(large) }))
    expect(await failureOf((await store.get('k'))!.bytes())).toBe('unavailable')
    await expect(collect((await store.get('k'))!.stream())).rejects.toThrow(/./)
  })

  test('a small body that is cut is unavailable, and tried again', async () => {
    const answers = [answerText(200, 'abc', { ...found, 'Content-Length': '10' }), answerText(200, '0123456789', found)]
    const { store, requests } = await failing((_, index) => answers[index] ?? 'reset')
    const whole = await retryStore(store, retries).get('k')
    expect(new TextDecoder().decode(await whole!.bytes())).toBe('0123456789')
    expect(requests).toHaveLength(2)
  })

  test.each([10, large])('a body of %i bytes that hangs ends by the deadline', async (length) => {
    const { store } = await failing(() => ({ ...answerText(200, 'abc', { ...found, 'Content-Length': String(length) }), after: 'hang' }))
    const timed = deadlineStore(store, { clock: systemClock, callMs: 50 })
    expect(await failureOf(timed.get('k').then((whole) => whole!.bytes()))).toBe('unavailable')
  })

  test('for a range, the whole object or another part is refused', async () => {
    const range = { start: 2, end: 4 }
    const { store } = await failing(({ path }) =>
      path.includes('/whole') ? answerText(200, '0123456789', found) : answerText(206, '34', { ...found, 'Content-Range': 'bytes 3-4/10' }),
    )
    expect(await failureOf(store.get('whole', { range }))).toBe('unsupported')
    expect(await failureOf(store.get('other', { range }))).toBe('unsupported')
  })
})

test('names that do not come in order are no listing', async () => {
  const blob = (name: string): string => `<Blob><Name>${name}</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>`
  const body = `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>${blob('b')}${blob('a')}</Blobs><NextMarker/></EnumerationResults>`
  const { store } = await failing(() => answerText(200, body, { 'Content-Type': 'application/xml' }))
  await expect(store.list('')).rejects.toThrow('hierarchical namespace')
})
