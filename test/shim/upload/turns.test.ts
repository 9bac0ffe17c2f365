import { expect, test } from 'vitest'
import { Turns } from '../../../shim/upload/turns.ts'

test('timers have their turn while work goes on', async () => {
  let ticks = 0
  const timer = setInterval(() => (ticks += 1), 1)
  const turns = new Turns(() => performance.now())
  const endMs = performance.now() + 200
  let calls = 0
  while (performance.now() < endMs) {
    await turns.due()
    calls += 1
  }
  clearInterval(timer)
  expect(ticks).toBeGreaterThan(4)
  expect(calls, 'and most of the time nothing is waited for').toBeGreaterThan(1000)
})
