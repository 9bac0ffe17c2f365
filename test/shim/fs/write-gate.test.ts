import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { WriteGate } from '../../../shim/fs/write-gate.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'

const bed = () => {
  const state = { localBytes: 0, dirtyBytes: 0, nowMs: 0, lookCount: 0 }
  const dirtyBytes = (): number => {
    state.lookCount += 1
    return state.dirtyBytes
  }
  const gate = new WriteGate({ localBytes: () => state.localBytes, dirtyBytes, bytesMax: 1000, nowMs: () => state.nowMs })
  const outcome = (answer: unknown): unknown[] => {
    const settled: unknown[] = []
    if (answer instanceof Deferred) answer.listen((value) => settled.push(value))
    else settled.push(answer)
    return settled
  }
  return { state, gate, outcome }
}

test('nobody waits while there is room, and nothing is counted', () => {
  const { state, gate } = bed()
  state.localBytes = 1000
  expect(gate.pass(() => undefined)).toBeUndefined()
  expect(state.lookCount).toBe(0)
})

test('bytes that are here and published hold nobody up', () => {
  const { state, gate } = bed()
  state.localBytes = 5000
  expect(gate.pass(() => undefined)).toBeUndefined()
  // Counting costs: it is done now and then.
  for (let index = 0; index < 100; index += 1) gate.pass(() => undefined)
  expect(state.lookCount).toBe(1)
})

test('who comes while too much waits goes on when less does, or after a second', () => {
  const { state, gate, outcome } = bed()
  Object.assign(state, { localBytes: 5000, dirtyBytes: 4000 })
  const first = outcome(gate.pass(() => ({ written: 1 })))
  state.nowMs = 400
  const second = outcome(gate.pass(() => ({ written: 2 })))
  gate.tick()
  expect([first, second]).toEqual([[], []])
  state.nowMs = 1000
  gate.tick()
  expect([first, second]).toEqual([[{ written: 1 }], []])
  state.localBytes = 500
  gate.tick()
  expect(second).toEqual([{ written: 2 }])
})

test('who is interrupted does nothing', () => {
  const { state, gate, outcome } = bed()
  Object.assign(state, { localBytes: 5000, dirtyBytes: 4000 })
  let count = 0
  const answer = gate.pass<undefined>(() => {
    count += 1
    return undefined
  })
  const settled = outcome(answer)
  if (answer instanceof Deferred) answer.onInterrupt?.()
  state.nowMs = 5000
  gate.tick()
  expect([settled, count]).toEqual([[-errno.EINTR], 0])
})

test('the end of the mount is an error for who waits', () => {
  const { state, gate, outcome } = bed()
  Object.assign(state, { localBytes: 5000, dirtyBytes: 4000 })
  const settled = outcome(gate.pass(() => undefined))
  gate.stop()
  expect(settled).toEqual([-errno.EIO])
})
