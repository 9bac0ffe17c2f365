import { expect, test } from 'vitest'
import { EdgemountError, codeOf, codeOfHttpStatus, codeOfProxyStatus, errorCodes, httpStatusOfCode, messageOf } from '../../shared/error.ts'

test.each(errorCodes)('%s has a status', (code) => {
  expect(httpStatusOfCode[code]).toBeGreaterThanOrEqual(400)
})

test.each(errorCodes.filter((code) => code !== 'closed'))('%s comes back from the status it was sent as', (code) => {
  expect(codeOfHttpStatus(httpStatusOfCode[code])).toBe(code)
})

test('an edge that shuts down looks away for the moment, to a client', () => {
  expect(codeOfHttpStatus(httpStatusOfCode.closed)).toBe('unavailable')
})

test('every status of a failure has a code', () => {
  for (let status = 400; status < 600; status += 1) expect(errorCodes).toContain(codeOfHttpStatus(status))
})

test.each([
  [401, 'denied'],
  [410, 'not-found'],
  [413, 'exhausted'],
  [418, 'invalid'],
  [504, 'unavailable'],
  [507, 'exhausted'],
  [599, 'unavailable'],
])('a proxy’s %i is %s', (status, code) => {
  expect(codeOfHttpStatus(status)).toBe(code)
})

test('a server error that nobody named is a proxy that cannot reach the edge, never damage', () => {
  for (let status = 500; status < 600; status += 1) expect(codeOfProxyStatus(status)).toBe('unavailable')
  expect([403, 404, 429].map(codeOfProxyStatus)).toEqual(['denied', 'not-found', 'exhausted'])
})

test('the code of anything thrown', () => {
  expect(codeOf(new EdgemountError('stale', 'x'))).toBe('stale')
  expect(codeOf(new DOMException('x', 'AbortError'))).toBe('aborted')
  expect(codeOf(new DOMException('x', 'TimeoutError'))).toBe('unavailable')
  expect(codeOf(new TypeError('x'))).toBe('internal')
  expect(codeOf('text')).toBe('internal')
  expect(codeOf(undefined)).toBe('internal')
})

test('the sentence of anything thrown', () => {
  expect(messageOf(new EdgemountError('stale', 'Cannot do "x": y'))).toBe('Cannot do "x": y')
  expect(messageOf('text')).toBe('text')
  expect(messageOf(undefined)).toBe('undefined')
})

test('an error keeps its cause', () => {
  const cause = new Error('deep')
  expect(new EdgemountError('corrupt', 'x', { cause })).toMatchObject({ name: 'EdgemountError', code: 'corrupt', cause })
})
