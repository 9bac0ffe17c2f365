/** The runtimes that an edge runs on as a server of its own, for suites that hold on each: `describe.each(runtimes)`. */
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

/** The same with secrets: nobody is let in without a token of `access/tokens.ts`. */
export const closedRuntimes: typeof runtimes = [
  ['Node', () => startEdge({ access: { keys: testKeys, tokenRate: 0, anonymousRate: 0 } })],
  ['Deno', () => startDenoEdge({ EDGEMOUNT_SECRETS: testSecrets, EDGEMOUNT_TOKEN_RATE: '0', EDGEMOUNT_ANONYMOUS_RATE: '0' })],
  ['workerd', () => startWorkerdEdge({ EDGEMOUNT_SECRETS: testSecrets, EDGEMOUNT_TOKEN_RATE: '0', EDGEMOUNT_ANONYMOUS_RATE: '0' })],
]
