/** An edge with the secrets of `tokens.ts`. */
import { type EdgeTestSettings, type EdgeUnderTest, startEdge } from '../edge-under-test.ts'
import { testKeys } from './tokens.ts'

export async function startGuardedEdge(settings: EdgeTestSettings = {}): Promise<EdgeUnderTest> {
  return await startEdge({ ...settings, access: { keys: testKeys } })
}
