/** In which encoding the console shows a text. */
import { expect, test } from 'vitest'
import { decodeText, encodingOf } from '../../../edge/console/text-encoding.ts'

const bytes = (...parts: (string | readonly number[])[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : part)))
const utf16 = (text: string, isBig: boolean): readonly number[] => Array.from(text).flatMap((letter) => (isBig ? [letter.charCodeAt(0) >> 8, letter.charCodeAt(0) & 255] : [letter.charCodeAt(0) & 255, letter.charCodeAt(0) >> 8]))

test.each([
  ['UTF-8', bytes('Grüße\n'), 'Grüße\n', undefined],
  ['UTF-8 with a mark', bytes([0xef, 0xbb, 0xbf], 'a,ü'), 'a,ü', undefined],
  ['nothing', bytes(), '', undefined],
  ['UTF-16 of Windows', bytes([0xff, 0xfe], utf16('Grüße\r\n', false)), 'Grüße\r\n', 'UTF-16'],
  ['UTF-16, the other way round', bytes([0xfe, 0xff], utf16('Grüße', true)), 'Grüße', 'UTF-16'],
  ['Latin-1', bytes('J', [0xfc], 'rgen,K', [0xf6], 'ln\n'), 'Jürgen,Köln\n', 'Windows-1252'],
  ['the euro of Windows', bytes([0x80], ' 5'), '€ 5', 'Windows-1252'],
  ['UTF-8 with a damaged byte', bytes('Grüße ', [0xfc], ' und mehr'), 'Grüße \ufffd und mehr', undefined],
])('%s', (_, given, text, note) => {
  expect(decodeText(given)).toBe(text)
  const encoding = encodingOf(given, true)
  if (note === undefined) expect(encoding?.note).toBeUndefined()
  else expect(encoding?.note).toContain(note)
})

test('a letter that is cut at the end of the first bytes is no other encoding', () => {
  const cut = bytes('plain Ã').subarray(0, -1)
  expect([encodingOf(cut, false)?.note, encodingOf(cut, true)?.note === undefined]).toEqual([undefined, false])
})

test('bytes with zeros are no text', () => {
  expect([encodingOf(bytes('PK', [0, 1]), true), decodeText(bytes('a', [0]))]).toEqual([undefined, undefined])
})
