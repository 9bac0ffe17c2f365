/** Tokens from the command line: made, read, brought to an edge that wants them, and revoked; a mount through one; and an edge that must not be open. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Running, edgemount, edgemountOk, forceUnmount } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-token-'))
const at = (name: string): string => join(directory, name)
let secrets = ''
let serve: Running
let edge = ''
/** As who makes tokens has it. */
let keeper: Record<string, string> = {}

beforeAll(async () => {
  mkdirSync(at('run'), { mode: 0o700 })
  mkdirSync(at('store'))
  secrets = (await edgemountOk(['token', 'secret'])).trim()
  keeper = { EDGEMOUNT_SECRETS: secrets, XDG_RUNTIME_DIR: at('run') }
  serve = new Running(['serve', `dir:${at('store')}`, '--port', '0'], { env: keeper })
  edge = (await serve.printed(/http:\/\/[\d.]+:\d+/))[0]
})

afterAll(async () => {
  await serve.stop()
  rmSync(directory, { recursive: true, force: true })
})

const make = async (...words: string[]): Promise<string> => (await edgemountOk(['token', 'create', ...words], { env: keeper })).trim()
const bearer = (token: string): { env: Record<string, string> } => ({ env: { EDGEMOUNT_TOKEN: token, XDG_RUNTIME_DIR: at('run') } })

test('a volume is made, written, read and listed by who may', async () => {
  const without = await edgemount(['ls', `${edge}/demo`])
  expect([without.code, without.stderr]).toEqual([5, expect.stringContaining('a token is needed\nSet EDGEMOUNT_TOKEN to a token for this edge, or give --token')])
  const all = await make('--volume', 'demo', '--can', 'read,list,write,publish,admin')
  await edgemountOk(['create', `${edge}/demo`], bearer(all))
  await edgemountOk(['put', '-', `${edge}/demo/docs/a.txt`], { ...bearer(all), input: Buffer.from('hello') })
  const reader = await make('--volume', 'demo')
  expect(await edgemountOk(['cat', `${edge}/demo/docs/a.txt`], bearer(reader))).toBe('hello')
  expect(await edgemountOk(['ls', '--token', reader, `${edge}/demo/docs`])).toBe('a.txt\n')
  expect(await edgemountOk(['ls', `${edge}/t/${reader}/v1/demo/files/docs`])).toBe('a.txt\n')
  expect(await edgemountOk(['cat', `${edge}/demo/docs/a.txt?t=${reader}`])).toBe('hello')
  const refused = await edgemount(['put', '-', `${edge}/demo/b`], { ...bearer(reader), input: Buffer.from('x') })
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('the token allows to read, list, and not to publish')])
  const everything = await make('--volume', '*', '--can', 'list')
  expect(await edgemountOk(['ls', edge], bearer(everything))).toBe('demo\n')
  expect(await edgemountOk(['ls', `${edge}/t/${everything}`])).toBe('demo\n')
  const near = await edgemount(['ls', `${edge}/demo`], bearer(await make('--volume', 'demo', '--prefix', '/docs')))
  expect([near.code, near.stderr]).toEqual([5, expect.stringContaining('this is about the whole volume, and the token reaches "/docs" alone')])
})

test('a token is read, and whether it is genuine', async () => {
  const token = await make('--volume', 'demo', '--prefix', 'docs', '--can', 'write,read', '--expires', '1h')
  const told = await edgemountOk(['token', 'inspect', token], { env: keeper })
  expect(told).toMatch(/^volume {4}demo\nreaches {3}\/docs and what is below\nallows {4}read, write\nexpires {3}20.* \(in (?:59 min|60 min|1 h).*\)\nkey {7}k1\nid {8}[0-9a-f]{24}\ngenuine {3}yes\n$/)
  expect(JSON.parse(await edgemountOk(['token', 'inspect', '--json', '-'], { input: Buffer.from(`${token}\n`) }))).toMatchObject({ volume: 'demo', isExpired: false, isGenuine: null })
  const other = (await edgemountOk(['token', 'secret', 'k1'])).trim()
  expect(JSON.parse(await edgemountOk(['token', 'inspect', '--json', token], { env: { EDGEMOUNT_SECRETS: other } }))).toMatchObject({ isGenuine: false })
  const broken = await edgemount(['token', 'inspect', `${token}x`])
  expect([broken.code, broken.stderr]).toEqual([2, expect.stringMatching(/^Cannot read the token: /)])
  expect(broken.stderr).not.toContain(token)
})

test.each([
  [['token', 'create'], 'name one with --volume'],
  [['token', 'create', '--volume', 'demo', '--can', 'fly'], 'Cannot allow "fly"'],
  [['token', 'create', '--volume', 'a b'], 'Cannot use the volume name'],
  [['token', 'create', '--volume', 'demo', '--expires', '4000d'], 'more than ten years'],
  [['token', 'sing'], 'there is no such action'],
  [['token', 'revoke', 'x'], '1 more word is needed'],
  [['token', 'url', 'dir:./data/photos/x'], 'a signed address is one of an edge'],
  [['token', 'secret', 'k 1'], 'Cannot use the key id'],
])('%j is refused', async (words, why) => {
  const { code, stderr } = await edgemount(words, { env: keeper })
  expect([code, stderr]).toEqual([2, expect.stringContaining(why)])
})

test('a signed address is for its file', async () => {
  const url = (await edgemountOk(['token', 'url', `${edge}/demo/docs/a.txt`, '--expires', '1h'], { env: keeper })).trim()
  const answer = await fetch(url, { headers: { range: 'bytes=1-3' } })
  expect([answer.status, await answer.text()]).toEqual([206, 'ell'])
  expect((await fetch(url.replace('a.txt', 'b.txt'))).status).toBe(403)
})

test('revoked and public are said over the edge, and in the store itself', async () => {
  const admin = await make('--volume', 'demo', '--can', 'admin')
  const reader = await make('--volume', 'demo')
  const url = `${edge}/v1/demo/files/docs/a.txt`
  expect((await fetch(`${url}?t=${reader}`)).status).toBe(200)
  expect(await edgemountOk(['token', 'revoke', `${edge}/demo`, reader], bearer(admin))).toMatch(/^Revoked [0-9a-f]{24} in "demo"/)
  expect((await fetch(`${url}?t=${reader}`)).status).toBe(401)
  await edgemountOk(['token', 'public', `${edge}/demo`, 'on'], bearer(admin))
  expect((await fetch(url)).status).toBe(200)
  expect(JSON.parse(await edgemountOk(['token', 'access', '--json', `dir:${at('store')}/demo`]))).toMatchObject({ publicRead: true, revoked: [{ id: expect.any(String) }] })
  await edgemountOk(['token', 'public', `dir:${at('store')}/demo`, 'off'])
  expect(await edgemountOk(['token', 'access', `${edge}/demo`], bearer(admin))).toMatch(/^Only who has a token may read\.\nRevoked:\n {2}[0-9a-f]{24} until 20/)
  expect((await edgemount(['token', 'revoke', `dir:${at('store')}/none`, '0'.repeat(24)])).code).toBe(4)
})

test('a mount through a token reads and writes, names no token anywhere, and says so when it is revoked', async () => {
  const admin = await make('--volume', 'demo', '--can', 'admin')
  const token = await make('--volume', 'demo', '--can', 'read,list,publish')
  await edgemountOk(['put', '-', `dir:${at('store')}/demo/big`], { input: Buffer.alloc(300_000, 'abc') })
  const mountPoint = at('mnt')
  mkdirSync(mountPoint)
  const mount = new Running(['mount', `${edge}/demo`, mountPoint, '--cache', at('cache'), '--log-level', 'debug', '--write-back-delay', '100ms'], bearer(token))
  onTestFinished(async () => {
    await mount.stop()
    forceUnmount(mountPoint)
  })
  await mount.mounted(mountPoint)
  expect(readFileSync(join(mountPoint, 'docs/a.txt'), 'utf8')).toBe('hello')
  writeFileSync(join(mountPoint, 'new.txt'), 'from the mount')
  await edgemountOk(['flush', mountPoint], bearer(token))
  expect(await edgemountOk(['cat', `${edge}/demo/new.txt`], bearer(token))).toBe('from the mount')
  const status = await edgemountOk(['status', '--json'], bearer(token))
  expect(status).toContain('"volume":"demo"')
  await edgemountOk(['token', 'revoke', `${edge}/demo`, token], bearer(admin))
  // What the kernel asks of a file that was never read goes to the edge, which says no.
  await sleep(100)
  let code = ''
  try {
    readFileSync(join(mountPoint, 'big'))
  } catch (error) {
    code = error instanceof Error && 'code' in error ? String(error.code) : ''
  }
  expect(code).toBe('EACCES')
  for (const text of [status, await edgemountOk(['status'], bearer(token)), mount.output, readFileSync('/proc/self/mountinfo', 'utf8')]) expect(text).not.toContain(token.slice(4, 40))
  expect(mount.output).toContain('it was revoked; ask for a new one')
})

test('an edge that others can reach needs a secret, or somebody who says that it needs none', async () => {
  const words = ['serve', `dir:${at('store')}`, '--host', '0.0.0.0', '--port', '0']
  const refused = await edgemount(words)
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringMatching(/^Cannot listen on "0\.0\.0\.0" without a secret: .*edgemount token secret.*--open/)])
  for (const env of [{ EDGEMOUNT_SECRETS: secrets }, { EDGEMOUNT_OPEN: '1' }]) {
    const open = new Running(words, { env })
    onTestFinished(async () => void (await open.stop()))
    await open.printed(/Serving .* at http/)
    await open.stop()
  }
  const weak = await edgemount(words, { env: { EDGEMOUNT_SECRET: 'password' } })
  expect([weak.code, weak.stderr]).toEqual([2, expect.stringContaining('32 random ones are needed')])
})
