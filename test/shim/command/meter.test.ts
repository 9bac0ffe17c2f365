import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { bar, Meter } from '../../../shim/command/meter.ts'
import type { Output } from '../../../shim/command/terminal.ts'

function recorder(isTerminal: boolean): Output & { readonly written: string[] } {
  const written: string[] = []
  return { isTerminal, columns: 20, written, write: (text) => Promise.resolve(void written.push(String(text))) }
}

test('a terminal gets one line, cut to its width, that is gone at the end', async () => {
  const output = recorder(true)
  const meter = new Meter(systemClock, output, false, () => 'x'.repeat(50))
  await sleep(250)
  await meter.stop()
  expect(output.written[0]).toBe(`\r${'x'.repeat(19)}\u001b[K`)
  expect(output.written.at(-1)).toBe('\r\u001b[K')
})

test('a log gets nothing for quick work, and quiet is quiet', async () => {
  const [log, quiet] = [recorder(false), recorder(true)]
  const meters = [new Meter(systemClock, log, false, () => 'x'), new Meter(systemClock, quiet, true, () => 'x')]
  await sleep(250)
  for (const meter of meters) await meter.stop()
  expect([log.written, quiet.written]).toEqual([[], []])
})

test('a bar never leaves its frame', () => {
  expect([-1, 0, 0.5, 1, 7, Number.NaN].map((fraction) => bar(fraction, 4))).toEqual(['[....]', '[....]', '[##..]', '[####]', '[####]', '[....]'])
})
