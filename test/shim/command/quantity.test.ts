import { expect, test } from 'vitest'
import { counted, formatBytes, formatDuration, parseBytes, parseCount, parseDuration, writeBytes, writeDuration } from '../../../shim/command/quantity.ts'

test.each([
  ['0', 0],
  ['4096', 4096],
  ['10GiB', 10 * 2 ** 30],
  ['500MB', 500_000_000],
  ['64k', 65_536],
  ['1.5 MiB', 1_572_864],
  ['2t', 2 * 2 ** 40],
])('the size %s is %d bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes)
})

test.each([
  ['1d', 86_400_000],
  ['500ms', 500],
  ['2s', 2000],
  ['1.5m', 90_000],
  ['1h', 3_600_000],
])('the duration %s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '-1', '10XB', 'GiB', '1.5', '1e3', '99999999999999999999', '0x10'])('"%s" is no size', (text) => {
  expect(() => parseBytes(text)).toThrow('it is not a size such as')
})

test.each(['5', '0', '1.5', ' 7 '])('the duration "%s" has no unit', (text) => {
  expect(() => parseDuration(text)).toThrow(`it has no unit; write ${text.trim()}s or ${text.trim()}ms`)
})

test('a count is whole', () => {
  expect(parseCount('8787')).toBe(8787)
  expect(() => parseCount('1k')).toThrow('it is not a whole number')
})

test('quantities read well', () => {
  expect([0, 1023, 1024, 1536, 10 * 2 ** 20, 150 * 2 ** 20, 2 ** 40].map(formatBytes)).toEqual(['0 B', '1023 B', '1.00 KiB', '1.50 KiB', '10.0 MiB', '150 MiB', '1.00 TiB'])
  expect([0, 850, 12_345, 245_000, 7_380_000].map(formatDuration)).toEqual(['0 ms', '850 ms', '12.3 s', '4 min 05 s', '2 h 03 min'])
  expect([counted(1, 'file'), counted(12_345, 'file'), counted(2, 'entry'), counted(0, 'key')]).toEqual(['1 file', '12,345 files', '2 entries', '0 keys'])
})

test('defaults are written as they are read', () => {
  for (const bytes of [0, 1, 4096, 10 * 2 ** 30, 3 * 2 ** 20]) expect(parseBytes(writeBytes(bytes))).toBe(bytes)
  for (const ms of [0, 250, 30_000]) expect(parseDuration(writeDuration(ms))).toBe(ms)
})
