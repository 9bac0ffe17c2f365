import { expect, test } from 'vitest'
import { plainText, readLine } from '../../../shim/command/terminal.ts'
import { CapturedTerminal } from '../../support/captured-terminal.ts'

test('a terminal gets no control characters and no broken bytes, others get names as they are', () => {
  const name = 'a\u001b[31m\nb\udcff é 😀 \u009b'
  expect(plainText(name, new CapturedTerminal({ isTerminal: true }).output)).toBe('a?[31m?b? é 😀 ?')
  expect(plainText(name, new CapturedTerminal().output)).toBe(name)
})

test('a line is what was typed before Enter, in however many parts', async () => {
  const line = async (...typed: string[]): Promise<string | undefined> => await readLine(new CapturedTerminal({ typed }).input, new AbortController().signal)
  expect(await line('photos\n')).toBe('photos')
  expect(await line('pho', 'tos\nmore')).toBe('photos')
  expect(await line('photos')).toBeUndefined()
  expect(await line()).toBeUndefined()
  expect(await line('x'.repeat(5000), '\n')).toBeUndefined()
})
