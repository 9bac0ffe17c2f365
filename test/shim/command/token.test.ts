/** Tokens from the command line: made, read, brought to an edge that wants them, and revoked. In this process; real ones are in `e2e/command-token`. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../../shim/command/run.ts'
import { commands } from '../../../shim/command/commands.ts'
import { everyVolume, readToken } from '../../../shared/wire/token.ts'
import { otherSecret, testKeys, testSecrets, tokenFor } from '../../edge/access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../../edge/edge-under-test.ts'
import { CapturedTerminal } from '../../support/captured-terminal.ts'

let edge: EdgeUnderTest

beforeAll(async () => {
  edge = await startEdge({ access: { keys: testKeys, anonymousRate: 0 } })
  await edge.commit(await fileOperation(edge.volume, '/docs/a.txt', 'hello'))
})

afterAll(() => edge.close())

interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function edgemount(words: readonly string[], environment: Record<string, string> = { EDGEMOUNT_SECRETS: testSecrets }, typed: readonly string[] = []): Promise<Finished> {
  const terminal = new CapturedTerminal({ environment, typed })
  const code = await run(commands, words, terminal)
  return { code, stdout: terminal.printed, stderr: terminal.remarked }
}

const edgemountOk = async (words: readonly string[], environment?: Record<string, string>, typed?: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await edgemount(words, environment, typed)
  expect([code, stderr]).toEqual([0, expect.any(String)])
  return stdout
}

const bearer = (token: string): Record<string, string> => ({ EDGEMOUNT_TOKEN: token })

test('a token is brought by the environment, a flag, or the URL', async () => {
  const reader = await tokenFor({ rights: ['read', 'list'] })
  const without = await edgemount(['ls', `${edge.url}/demo`])
  expect([without.code, without.stderr]).toEqual([5, expect.stringContaining('a token is needed\nSet EDGEMOUNT_TOKEN to a token for this edge, or give --token')])
  expect(await edgemountOk(['cat', `${edge.url}/demo/docs/a.txt`], bearer(reader))).toBe('hello')
  expect(await edgemountOk(['ls', '--token', reader, `${edge.url}/demo/docs`], {})).toBe('a.txt\n')
  expect(await edgemountOk(['ls', `${edge.url}/t/${reader}/v1/demo/files/docs`], {})).toBe('a.txt\n')
  expect(await edgemountOk(['cat', `${edge.url}/demo/docs/a.txt?t=${reader}`], bearer('em1.another'))).toBe('hello')
  const refused = await edgemount(['put', '-', `${edge.url}/demo/b`], bearer(reader), ['x'])
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('the token allows to read, list, and not to publish')])
  const near = await edgemount(['ls', `${edge.url}/demo`], bearer(await tokenFor({ prefix: '/docs' })))
  expect([near.code, near.stderr]).toEqual([5, expect.stringContaining('this is about the whole volume, and the token reaches "/docs" alone; mounts and commands need one that reaches all of it')])
  const odd = await edgemount(['ls', `${edge.url}/demo`], bearer('two words'))
  expect([odd.code, odd.stderr]).toEqual([2, expect.stringContaining('it has characters that no token has')])
})

test('the volumes of an edge are for who may list all', async () => {
  const everything = await tokenFor({ volume: everyVolume, rights: ['list'] })
  expect(await edgemountOk(['ls', edge.url], bearer(everything))).toBe('demo\n')
  expect(await edgemountOk(['ls', `${edge.url}/t/${everything}`], {})).toBe('demo\n')
  expect((await edgemount(['ls', edge.url], bearer(await tokenFor()))).code).toBe(5)
})

test('a volume is made and written with the rights for that', async () => {
  const all = (await edgemountOk(['token', 'create', '--volume', 'fresh', '--can', 'read,list,publish,admin'])).trim()
  await edgemountOk(['create', `${edge.url}/fresh`], bearer(all))
  await edgemountOk(['put', '-q', '-', `${edge.url}/fresh/x`], bearer(all), ['new'])
  expect(await edgemountOk(['cat', `${edge.url}/fresh/x`], bearer(all))).toBe('new')
})

test('a token is read, and whether it is genuine', async () => {
  const token = (await edgemountOk(['token', 'create', '--volume', 'demo', '--prefix', 'docs', '--can', 'write,read', '--expires', '1h'])).trim()
  const told = await edgemountOk(['token', 'inspect', token])
  expect(told).toMatch(/^volume {4}demo\nreaches {3}\/docs and what is below\nallows {4}read, write\nexpires {3}20.* \(in (?:59 min|60 min|1 h).*\)\nkey {7}k1\nid {8}[0-9a-f]{24}\ngenuine {3}yes\n$/)
  expect(JSON.parse(await edgemountOk(['token', 'inspect', '--json', '-'], {}, [`${token}\n`]))).toMatchObject({ volume: 'demo', isExpired: false, isGenuine: null })
  expect(JSON.parse(await edgemountOk(['token', 'inspect', '--json', `${edge.url}/t/${token}/v1/demo`]))).toMatchObject({ volume: 'demo' })
  expect(JSON.parse(await edgemountOk(['token', 'inspect', '--json'], { EDGEMOUNT_SECRETS: `k1:${otherSecret}`, ...bearer(token) }))).toMatchObject({ isGenuine: false })
  expect(await edgemountOk(['token', 'inspect', await tokenFor({ expiry: 1 })])).toContain('1970-01-01T00:00:01.000Z (it has expired)')
  const broken = await edgemount(['token', 'inspect', `${token}x`])
  expect([broken.code, broken.stderr]).toEqual([2, expect.stringMatching(/^Cannot read the token: /)])
  expect(broken.stderr).not.toContain(token)
})

test.each([
  [['token', 'create'], 'name one with --volume'],
  [['token', 'create', '--volume', 'demo', '--can', 'fly'], 'Cannot allow "fly"'],
  [['token', 'create', '--volume', 'a b'], 'Cannot use the volume name'],
  [['token', 'create', '--volume', 'demo', '--prefix', '/a/../b'], 'is not a name'],
  [['token', 'create', '--volume', 'demo', '--expires', '4000d'], 'more than ten years'],
  [['token', 'sing'], 'there is no such action'],
  [['token', 'revoke', 'x'], '1 more word is needed'],
  [['token', 'url', 'dir:./data/photos/x'], 'a signed address is one of an edge'],
  [['token', 'url', 'http://h/photos'], 'name a file in the volume'],
  [['token', 'secret', 'k 1'], 'Cannot use the key id'],
  [['token', 'public', 'dir:./data/photos', 'yes'], 'say on or off'],
])('%j is refused', async (words, why) => {
  const { code, stderr } = await edgemount(words)
  expect([code, stderr]).toEqual([2, expect.stringContaining(why)])
})

test('nothing is signed without a secret, or with one that is none', async () => {
  const words = ['token', 'create', '--volume', 'demo']
  expect(await edgemount(words, {})).toMatchObject({ code: 5, stderr: expect.stringContaining('to make one: edgemount token secret') })
  expect(await edgemount(words, { EDGEMOUNT_SECRET: 'password' })).toMatchObject({ code: 2, stderr: expect.stringContaining('32 random ones are needed') })
  const fresh = (await edgemountOk(['token', 'secret', 'k7'])).trim()
  expect(readToken((await edgemountOk(words, { EDGEMOUNT_SECRETS: fresh })).trim()).claims.keyId).toBe('k7')
})

test('a signed address is for its file', async () => {
  const url = (await edgemountOk(['token', 'url', `${edge.url}/demo/docs/a.txt`, '--expires', '1h'])).trim()
  const answer = await fetch(url, { headers: { range: 'bytes=1-3' } })
  expect([answer.status, await answer.text()]).toEqual([206, 'ell'])
  expect((await fetch(url.replace('a.txt', 'b.txt'))).status).toBe(403)
  expect((await edgemountOk(['token', 'url', `${edge.url}/demo@2/docs/a.txt`])).trim()).toMatch(/\/v1\/demo\/@2\/docs\/a\.txt\?t=em1\./)
})

test('revoked and public are said over the edge', async () => {
  const admin = bearer(await tokenFor({ rights: ['admin'] }))
  const reader = await tokenFor({ rights: ['read'] })
  const address = `${edge.url}/v1/demo/files/docs/a.txt`
  expect((await fetch(`${address}?t=${reader}`)).status).toBe(200)
  expect(await edgemountOk(['token', 'revoke', `${edge.url}/demo`, reader], admin)).toMatch(/^Revoked [0-9a-f]{24} in "demo"/)
  expect((await fetch(`${address}?t=${reader}`)).status).toBe(401)
  await edgemountOk(['token', 'revoke', `${edge.url}/demo`, 'f'.repeat(24)], admin)
  await edgemountOk(['token', 'public', `${edge.url}/demo`, 'on'], admin)
  expect((await fetch(address)).status).toBe(200)
  expect(JSON.parse(await edgemountOk(['token', 'access', '--json', `${edge.url}/demo`], admin))).toMatchObject({ publicRead: true, revoked: [{ until: expect.any(Number) }, { id: 'f'.repeat(24) }] })
  await edgemountOk(['token', 'public', `${edge.url}/demo`, 'off'], admin)
  expect(await edgemountOk(['token', 'access', `${edge.url}/demo`], admin)).toMatch(/^Only who has a token may read\.\nRevoked:\n {2}[0-9a-f]{24} until 20/)
  expect((await edgemount(['token', 'revoke', `${edge.url}/demo`, await tokenFor({ volume: 'other' })], admin)).stderr).toContain('it is a token for the volume "other"')
  expect((await edgemount(['token', 'access', `${edge.url}/demo`], bearer(await tokenFor({ rights: ['read'] })))).code).toBe(5)
})
