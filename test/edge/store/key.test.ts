import { expect, test } from 'vitest'
import { checkKey, checkLimit, checkPrefix, listLimitMax } from '../../../edge/store/key.ts'

test.each(['', 'a', 'a/', 'log/0', 'a/..b', 'a/.', 'a/..'])('%j begins a key', (prefix) => {
  expect(() => checkPrefix(prefix)).not.toThrow()
})

test('a long key is shown in part', () => {
  expect(() => checkKey('x'.repeat(5000))).toThrow(`Cannot use the key "${'x'.repeat(80)}…": a key is printable ASCII parts joined by "/", at most 1024 bytes`)
})

test('the limit of a list', () => {
  expect(checkLimit(undefined)).toBe(listLimitMax)
  expect(checkLimit(7)).toBe(7)
  expect(() => checkLimit(0)).toThrow('Cannot list 0 keys: a limit is 1 to 1000')
})
