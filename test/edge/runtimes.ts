/** The runtimes that an edge runs on as a server of its own, for suites that hold on each: `describe.each(runtimes)`. */
import { effort } from '../support/effort.ts'
import { testKeys, testSecrets } from './access/tokens.ts'
import { startDenoEdge } from './deno-under-test.ts'
import { type EdgeUnderTest, startEdge } from './edge-under-test.ts'
import { startWorkerdEdge } from './workerd-under-test.ts'

export type RuntimeName = 'Node' | 'Deno' | 'workerd'

export const runtimes: readonly (readonly [name: RuntimeName, start: () => Promise<EdgeUnderTest>])[] = [
  ['Node', () => startEdge()],
  ['Deno', () => startDenoEdge()],
  ['workerd', () => startWorkerdEdge()],
]

/**
 * For suites that start an edge for each of many tests: Deno's take half a minute to start together, so it is left to the longer runs. What `test/runtime` and the
 * rows of HTTP ask, it is asked each time.
 */
export const quickRuntimes = runtimes.filter(([name]) => name !== 'Deno' || effort > 1)

/** The same with secrets: nobody is let in without a token of `access/tokens.ts`. */
export const closedRuntimes: typeof runtimes = [
  ['Node', () => startEdge({ access: { keys: testKeys, tokenRate: 0, anonymousRate: 0 } })],
  ['Deno', () => startDenoEdge({ EDGEMOUNT_SECRETS: testSecrets, EDGEMOUNT_TOKEN_RATE: '0', EDGEMOUNT_ANONYMOUS_RATE: '0' })],
  ['workerd', () => startWorkerdEdge({ EDGEMOUNT_SECRETS: testSecrets, EDGEMOUNT_TOKEN_RATE: '0', EDGEMOUNT_ANONYMOUS_RATE: '0' })],
]
