/** Edges with a secret, as real processes: where one may listen, a mount through a token in the background, and what becomes of it when that is revoked. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { testSecrets, tokenFor } from '../edge/access/tokens.ts'
import { Running, edgemount, edgemountOk, forceUnmount } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-token-'))
const at = (name: string): string => join(directory, name)
const run = { XDG_RUNTIME_DIR: at('run') }
let serve: Running
let edge = ''

beforeAll(async () => {
  mkdirSync(at('run'), { mode: 0o700 })
  mkdirSync(at('store'))
  await edgemountOk(['create', `dir:${at('store')}/demo`])
  await edgemountOk(['put', '-q', '-', `dir:${at('store')}/demo/big`], { input: Buffer.alloc(300_000, 'abc') })
  serve = new Running(['serve', `dir:${at('store')}`, '--port', '0'], { env: { EDGEMOUNT_SECRETS: testSecrets } })
  edge = (await serve.printed(/(http:\/\/[\d.]+:\d+), for who has a token/))[1] ?? ''
})

afterAll(async () => {
  await serve.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('a mount through a token reads and writes, shows the token nowhere, and says so when it is revoked', async () => {
  const token = await tokenFor({ rights: ['read', 'list', 'publish'] })
  const [mountPoint, log] = [at('mnt'), at('mount.log')]
  mkdirSync(mountPoint)
  const words = ['mount', `${edge}/demo`, mountPoint, '--daemon', '--token', token, '--cache', at('cache'), '--log-level', 'debug', '--log-file', log, '--write-back-delay', '100ms']
  const pid = /as process (\d+)/.exec((await edgemount(words, { env: run })).stderr)?.[1]
  onTestFinished(async () => {
    await edgemount(['umount', '--force', mountPoint], { env: run })
    forceUnmount(mountPoint)
  })
  writeFileSync(join(mountPoint, 'new.txt'), 'from the mount')
  await edgemountOk(['flush', mountPoint], { env: run })
  const answer = await fetch(`${edge}/v1/demo/files/new.txt`, { headers: { authorization: `Bearer ${token}` } })
  expect(await answer.text()).toBe('from the mount')
  const status = await edgemountOk(['status', '--json', mountPoint], { env: run })
  const admin = await tokenFor({ rights: ['admin'] })
  await edgemountOk(['token', 'revoke', `${edge}/demo`, token], { env: { EDGEMOUNT_TOKEN: admin } })
  // What the kernel asks of a file that was never read goes to the edge, which says no.
  expect(() => readFileSync(join(mountPoint, 'big'))).toThrow('EACCES')
  const logged = readFileSync(log, 'utf8')
  expect(logged).toContain('it was revoked; ask for a new one')
  for (const text of [status, logged, readFileSync(`/proc/${pid}/cmdline`, 'utf8'), readFileSync('/proc/self/mountinfo', 'utf8')]) expect(text).not.toContain(token.slice(4, 40))
})

test('an edge that others can reach needs a secret, or somebody who says that it needs none', async () => {
  const words = ['serve', `dir:${at('store')}`, '--host', '0.0.0.0', '--port', '0']
  const refused = await edgemount(words)
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringMatching(/^Cannot listen on "0\.0\.0\.0" without a secret: .*edgemount token secret.*--open/)])
  for (const env of [{ EDGEMOUNT_SECRETS: testSecrets }, { EDGEMOUNT_OPEN: '1' }]) {
    const open = new Running(words, { env })
    onTestFinished(async () => void (await open.stop()))
    await open.printed(/Serving .* at http/)
    await open.stop()
  }
})
