/** The console on each runtime: the same page, every preview and every action. One browser and one edge a runtime; odd cases are in the other files, on Node alone. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildBundles, buildConsole } from '../../edge/bundle.ts'
import { builtConsole } from '../../edge/console-files.ts'
import { testKeys, testSecrets, tokenFor } from '../edge/access/tokens.ts'
import { startDenoEdge } from '../edge/deno-under-test.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../edge/edge-under-test.ts'
import { startWorkerdEdge } from '../edge/workerd-under-test.ts'
import { actionSuite } from '../suites/console/actions.ts'
import { previewSuite } from '../suites/console/previews.ts'
import { type ConsoleWorld, videoBytes, worldFiles } from '../suites/console/world.ts'
import { ConsoleBed, expectNoProblems } from '../support/console-bed.ts'

const variables = { EDGEMOUNT_SECRETS: testSecrets, EDGEMOUNT_TOKEN_RATE: '0', EDGEMOUNT_ANONYMOUS_RATE: '0' }
const runtimes = [
  ['Node', async () => startEdge({ console: await buildConsole(), access: { keys: testKeys, tokenRate: 0, anonymousRate: 0 } })],
  ['Deno', () => startDenoEdge(variables)],
  ['workerd', () => startWorkerdEdge(variables)],
] as const
let bed: ConsoleBed
let video: Uint8Array

beforeAll(async () => {
  await buildBundles()
  video = await videoBytes()
  bed = await ConsoleBed.start('')
})

afterAll(() => bed?.close())

test('what the command serves on Node is what was built', async () => {
  expect(await builtConsole()).toEqual(await buildConsole())
})

describe.each(runtimes)('on %s', (_, start) => {
  let edge: EdgeUnderTest
  let world: ConsoleWorld

  beforeAll(async () => {
    edge = await start()
    await edge.commit(...(await worldFiles(edge, video)))
    world = { edge, bed, token: await tokenFor({ rights: ['read', 'list', 'write'] }) }
  })

  afterAll(() => edge?.close())

  test('the page and its files are those that were built', async () => {
    const { page, files } = await buildConsole()
    expect(await (await edge.fetch(`/t/${world.token}/`, { headers: { accept: 'text/html' } })).text()).toBe(page)
    for (const [name, { text, type }] of Object.entries(files)) {
      const response = await edge.fetch(`/t/${world.token}/console/${name}`)
      expect([response.headers.get('content-type'), await response.text()]).toEqual([type, text])
    }
  })

  previewSuite(() => world)
  actionSuite(() => world)

  test('a token is asked for, but for a public volume, which opens without one and cannot be changed', async () => {
    await edge.commit(await fileOperation(edge.volume, '/for-all/notes.txt', 'for all'))
    const base = `${edge.url}/`
    const closed = await bed.open('#/demo/for-all/', { base })
    await closed.shows('A token is needed')
    await closed.page.getByLabel('Token').fill(world.token)
    await closed.page.keyboard.press('Enter')
    await closed.page.locator('.rows a', { hasText: 'notes.txt' }).waitFor()
    expect(closed.page.url()).toBe(`${base}t/${world.token}/#/demo/for-all/`)
    expectNoProblems(closed, /401/)
    const access = { method: 'PUT', headers: { 'x-api-key': await tokenFor(), 'if-match': '"absent"' }, body: '{"format":1,"publicRead":true,"revoked":[]}' }
    expect((await edge.fetch('/v1/demo/access', access)).status).toBe(204)
    const stranger = await bed.open('#/demo/for-all/', { base })
    await stranger.page.getByText('This volume is public').waitFor()
    await stranger.page.locator('.rows a', { hasText: 'notes.txt' }).click()
    await stranger.page.locator('pre', { hasText: 'for all' }).waitFor()
    expect(await stranger.page.getByRole('button', { name: 'Delete' }).count()).toBe(0)
    expectNoProblems(stranger, /401/)
  })
})
