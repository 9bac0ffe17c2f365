/** A store that refuses the edge is the edge's trouble: 503, no word of the store's to who asks, and the reason in the log, once. */
import { expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../../edge/app.ts'
import { nodeHash } from '../../../edge/node.ts'
import { aroundCalls } from '../../../edge/store/around.ts'
import { blameStore } from '../../../edge/store/blame.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { EdgemountError, type ErrorCode } from '../../../shared/error.ts'
import type { LogFields, Logger } from '../../../shared/log.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { testKeys, tokenFor } from '../access/tokens.ts'

const reason = 'Cannot read "x" from s3://secret-bucket: the server does not know the access key'

function bed(): { clock: ManualClock; lines: string[]; log: Logger } {
  const lines: string[] = []
  const note = (message: string, fields?: LogFields): void => void lines.push(`${message} ${String(fields?.['error'])}`)
  return { clock: new ManualClock(Date.now()), lines, log: { debug: note, info: note, warn: note, error: note } }
}

const failing = (code: ErrorCode) => aroundCalls(new MemoryStore(), async () => {
  throw new EdgemountError(code, reason)
})

it('a stranger does not hear where the store is', async () => {
  const { clock, log } = bed()
  const app = createApp({ store: failing('unavailable'), clock, random: new SeededRandom(1), hash: nodeHash, log, access: { keys: testKeys } })
  onTestFinished(() => app.dispose())
  const message = async (headers: Record<string, string>): Promise<string> => await (await app.fetch(new Request('http://edge.test/v1/demo/files/a', { headers }))).text()
  expect(await message({})).toContain('the store behind this edge')
  expect(await message({})).not.toContain('secret-bucket')
})

it.each(['denied', 'invalid'] as const)('%s', async (code) => {
  const { clock, lines, log } = bed()
  for (const access of [undefined, { keys: testKeys }]) {
    const app = createApp({ store: failing(code), clock, random: new SeededRandom(1), hash: nodeHash, log, access })
    onTestFinished(() => app.dispose())
    const headers = { authorization: `Bearer ${await tokenFor()}` }
    for (const path of ['/v1/demo/files/a', '/v1/demo', '/healthz?deep=1', '/v1/demo/peers']) {
      const answer = await app.fetch(new Request(`http://edge.test${path}`, { headers }))
      expect([path, answer.status, answer.headers.get('retry-after')]).toEqual([path, 503, '1'])
      expect(await answer.text()).not.toContain('secret-bucket')
    }
  }
  expect(lines.filter((line) => line.includes('secret-bucket')).length).toBe(2)
})

it('is told once a minute, also when the clock is set back, and passes all else', async () => {
  const { clock, lines, log } = bed()
  const store = blameStore(failing('denied'), { clock, log })
  for (const ms of [0, 10_000, 49_999, 1, 0]) {
    await clock.advance(ms)
    await expect(store.list('')).rejects.toMatchObject({ code: 'unavailable', cause: { code: 'denied' } })
  }
  expect(lines).toEqual([`the store refuses what is asked of it EdgemountError: ${reason}`, `the store refuses what is asked of it EdgemountError: ${reason}`])
  await clock.advance(60_000)
  await expect(blameStore(failing('exhausted'), { clock, log }).get('a')).rejects.toMatchObject({ code: 'exhausted', message: reason })
  expect(lines.length).toBe(3)
  await expect(blameStore(failing('unsupported'), { clock, log }).get('a')).rejects.toMatchObject({ code: 'unsupported', message: reason })
})
