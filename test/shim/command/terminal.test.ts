import { expect, test } from 'vitest'
import { plainText } from '../../../shim/command/terminal.ts'
import { CapturedTerminal } from '../../support/captured-terminal.ts'

test('a terminal gets no control characters and no broken bytes, others get names as they are', () => {
  const name = 'a\u001b[31m\nb\udcff é 😀 \u009b'
  expect(plainText(name, new CapturedTerminal({ isTerminal: true }).output)).toBe('a?[31m?b? é 😀 ?')
  expect(plainText(name, new CapturedTerminal().output)).toBe(name)
})
