/** The runtimes that an edge runs on as a server of its own, for suites that hold on each: `describe.each(runtimes)`. */
import { startDenoEdge } from './deno-under-test.ts'
import { type EdgeUnderTest, startEdge } from './edge-under-test.ts'
import { startWorkerdEdge } from './workerd-under-test.ts'

export const runtimes: readonly (readonly [name: string, start: () => Promise<EdgeUnderTest>])[] = [
  ['Node', () => startEdge()],
  ['Deno', startDenoEdge],
  ['workerd', startWorkerdEdge],
]
