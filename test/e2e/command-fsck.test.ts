/**
 * `fsck` as a real process: a volume that is whole, bytes that are wrong in a pack, packs that are gone, a store that is away; over an edge too.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Running, edgemount, edgemountOk } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-fsck-'))
const at = (...names: string[]): string => join(directory, ...names)

beforeAll(async () => {
  mkdirSync(at('tree', 'sub'), { recursive: true })
  writeFileSync(at('tree', 'big'), randomBytes(300_000))
  writeFileSync(at('tree', 'sub', 'small'), 'small')
  await edgemountOk(['import', at('tree'), `dir:${at('whole')}/v`])
  await edgemountOk(['mkdir', `dir:${at('whole')}/v/later`])
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** A copy of the store with something done to it. */
function damaged(name: string, damage: (volume: string) => void): string {
  cpSync(at('whole'), at(name), { recursive: true })
  damage(at(name, 'v'))
  return `dir:${at(name)}/v`
}

function flip(folder: string, offset: number): void {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name)
    chmodSync(file, 0o600)
    const bytes = readFileSync(file)
    bytes[offset]! ^= 1
    writeFileSync(file, bytes)
  }
}

test('a whole volume is whole, also over an edge', async () => {
  const plain = await edgemountOk(['fsck', `dir:${at('whole')}/v`])
  expect(plain).toMatch(/^Checked "v" at commit 3: 3 commits, \d+ entries, \d+ packs, in .*: nothing is damaged\.\n$/)
  expect(await edgemountOk(['fsck', '--read-data', `dir:${at('whole')}/v@2`])).toMatch(/^Checked "v" at commit 2: .* 293 KiB of files, /)
  const serve = new Running(['serve', `dir:${at('whole')}`, '--port', '0'])
  try {
    const [url] = await serve.printed(/http:\/\/[\d.]+:\d+/)
    const json = JSON.parse(await edgemountOk(['fsck', '--json', '--read-data', `${url}/v`])) as unknown
    expect(json).toMatchObject({ volume: 'v', seq: 3, commits: 3, errors: 0, warnings: 0, readBytes: expect.any(Number) as number })
  } finally {
    await serve.stop()
  }
})

test('a wrong byte of a file is found by --read-data alone', async () => {
  const volume = damaged('data', (folder) => flip(join(folder, 'data'), 1000))
  expect((await edgemount(['fsck', volume])).code).toBe(0)
  const { code, stdout } = await edgemount(['fsck', '--read-data', volume])
  expect(stdout).toMatch(/^Damaged: "\/big" \(bytes 0 to \d+\): .*\n/)
  expect(stdout).toMatch(/: \d+ things? damaged\.\n$/)
  expect(code).toBe(8)
  const json = await edgemount(['fsck', '--read-data', '--json', volume])
  const lines = json.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines[0]).toEqual({ severity: 'error', path: '/big', what: expect.any(String) as string, why: expect.any(String) as string })
  expect(lines.at(-1)).toMatchObject({ volume: 'v', seq: 3, errors: lines.length - 1, warnings: 0 })
  expect([json.code, json.stderr]).toEqual([8, ''])
})

test('packs that are gone are found without reading them', async () => {
  const volume = damaged('gone', (folder) => rmSync(join(folder, 'data'), { recursive: true }))
  const { code, stdout } = await edgemount(['fsck', volume])
  expect(stdout).toMatch(/^Damaged: .*data/)
  expect(code).toBe(8)
})

test('wrong bytes of a page or commit are damage, too', async () => {
  for (const part of ['meta', 'log']) {
    const { code, stdout, stderr } = await edgemount(['fsck', damaged(part, (folder) => flip(join(folder, part), 40))])
    expect(code, `${part}: ${stdout}${stderr}`).toBe(8)
  }
})

test('a store that is away is no damage', async () => {
  const serve = new Running(['serve', `dir:${at('whole')}`, '--port', '0'])
  const [url] = await serve.printed(/http:\/\/[\d.]+:\d+/)
  await serve.stop()
  expect((await edgemount(['fsck', `${url}/v`, '--timeout', '1s'])).code).toBe(7)
  renameSync(at('whole'), at('away'))
  const { code, stderr } = await edgemount(['fsck', `dir:${at('whole')}/v`])
  renameSync(at('away'), at('whole'))
  expect([code, stderr]).toEqual([4, expect.stringContaining('does not exist') as string])
  const part = await edgemount(['fsck', `dir:${at('whole')}/v/sub`])
  expect([part.code, part.stderr]).toEqual([10, expect.stringContaining('only whole volumes are checked') as string])
})
