/**
 * Bad input, given to the real command: each gets one sentence that says what cannot be done, why, and what to do, and its own exit code.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asNobody } from '../support/as-nobody.ts'
import { edgemount, edgemountOk, mainFile } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-errors-'))
const at = (name: string): string => join(directory, name)
const store = `dir:${at('store')}`
let taken: Server
let takenPort = 0

beforeAll(async () => {
  mkdirSync(at('folder/sub'), { recursive: true })
  mkdirSync(at('empty'))
  writeFileSync(at('folder/file'), 'x')
  await edgemountOk(['import', at('folder'), `${store}/v`])
  taken = createServer((_, response) => response.writeHead(404).end('no edge'))
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  takenPort = (taken.address() as AddressInfo).port
})

afterAll(() => {
  taken.close()
  rmSync(directory, { recursive: true, force: true })
})

/** `@` at the start of an argument stands for a path in the test's directory, `%` for the store, `#` for the taken port. */
function filled(word: string): string {
  return word.replace(/^(dir:)?@/, `$1${directory}/`).replace(/^%/, store).replace('#', String(takenPort))
}

const cases: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ['an unknown command', ['destroy'], 2, /no such command\nSee: edgemount --help/],
  ['an unknown flag', ['ls', '--color', '%/v'], 2, /unknown option '--color'\nSee: edgemount ls --help/],
  ['a missing argument', ['mount', '%/v'], 2, /<folder> is missing \(an empty folder\)/],
  ['an argument too many', ['ls', '%/v', 'x'], 2, /it has no place for "x"/],
  ['a size that is none', ['mount', '%/v', '@empty', '--cache-bytes', 'huge'], 2, /it is not a size such as 4096, 500MB or 10GiB \(--cache-bytes\)/],
  ['a folder that is missing', ['import', '@nowhere', '%/v'], 4, /Cannot import ".*nowhere": it does not exist\. Name a folder that exists/],
  ['a file in the place of a folder', ['import', '@folder/file', '%/v'], 2, /it is a file\. Use: edgemount put/],
  ['an import into a commit', ['import', '@folder', '%/v@2'], 2, /a commit never changes; leave "@2" out/],
  ['an import below a file', ['import', '@folder', '%/v/file'], 2, /Cannot import into "\/file": it is not a folder/],
  ['an unclosed pattern', ['import', '--exclude', '[a', '@folder', '%/v'], 2, /"\[" is not closed/],
  ['a store without its kind', ['ls', './data/v'], 2, /For a folder on this disk write "dir:\.\/data\/v"/],
  ['a kind of store that there is not', ['ls', 'gs://bucket/v'], 10, /"gs:\/\/bucket".*"gs:" is not supported; use dir:<path>, s3:/],
  ['a store that is a file', ['serve', `dir:${at('folder/file')}`], 2, /it is a file, not a directory/],
  ['a bucket without its slashes', ['ls', 's3:bucket/v'], 2, /write "s3:\/\/bucket\/v"/],
  ['no bucket', ['ls', 's3://'], 2, /the volume is missing: s3:\/\/<bucket>\/<volume>/],
  ['a pattern that takes in again', ['import', '--exclude', '!x', '@folder', '%/v'], 2, /no way to take names in again/],
  ['a port that a mount may not have', ['mount', '%/v', '@empty', '--serve', '127.0.0.1:#'], 6, /or choose another with --serve/],
  ['a volume that is missing', ['ls', '%/nope'], 4, /Cannot open the volume "nope": there is none in dir:.*store\. To make it: edgemount create dir:/],
  ['a store that is missing', ['ls', 'dir:@nowhere/docs'], 4, /Cannot open the volume "docs": the folder ".*nowhere" does not exist\. Check the path/],
  ['a mount of a missing store', ['mount', 'dir:@nope/st/v', '@empty'], 4, /the folder ".*nope\/st" does not exist/],
  ['serving a missing store', ['serve', 'dir:@nowhere'], 4, /Cannot serve "dir:.*nowhere": the folder .* does not exist\. .*edgemount create dir:.*nowhere\/<volume>/],
  ['a store in the place of a volume', ['log', '%'], 4, /Cannot open the volume "store": dir:.*\/store is a store; name a volume in it: .*\(there are: .*v\)/],
  ['a volume where a store lies', ['create', '%'], 6, /Cannot create the volume "store": dir:.*\/store is a store; name a volume in it/],
  ['an import where a store lies', ['import', '@folder', '%'], 6, /dir:.*\/store is a store; name a volume in it/],
  ['a folder that is no volume', ['ls', 'dir:@folder'], 4, /folder" is a folder, and no volume\. To make one in it: edgemount create dir:.*folder\/<volume>/],
  ['a volume name that cannot be', ['create', '%/my volume'], 2, /must be 1 to 63 letters/],
  ['a volume that is there already', ['create', '%/v'], 6, /there is one already in dir:/],
  ['chunking that cannot be', ['create', '%/w', '--chunking', 'fixed:3'], 2, /Cannot cut files by "fixed:3": /],
  ['a path that is missing', ['cat', '%/v/nope'], 4, /Cannot open "\/nope": it does not exist/],
  ['a commit that is missing', ['ls', '%/v@99'], 4, /Cannot open snapshot 99 of "v": there is no such commit/],
  ['a directory where a file is wanted', ['cat', '%/v/sub'], 2, /Cannot read "\/sub": it is a directory/],
  ['a range behind the end', ['cat', '--range', '5-9', '%/v/file'], 2, /the file has 1 bytes/],
  ['a path with dots', ['rm', '%/v/sub/..'], 2, /must be 1 to 63 letters|is not a name/],
  ['the root', ['rm', '-r', '%/v'], 2, /Cannot remove "\/" of "v": that is the volume/],
  ['a mount point that is missing', ['mount', '%/v', '@nowhere'], 4, /Cannot mount on ".*nowhere": there is no such directory\. Create it first/],
  ['a mount point that is not empty', ['mount', '%/v', '@folder'], 6, /the directory is not empty/],
  ['a mount point that is a file', ['mount', '%/v', '@folder/file'], 2, /it is not a directory/],
  ['a mount of a missing volume', ['mount', '%/nope', '@empty'], 4, /Cannot open the volume "nope"/],
  ['a mount of a directory', ['mount', '%/v/sub', '@empty'], 10, /only whole volumes can be mounted\. Mount dir:.*store\/v/],
  ['an address that is none', ['mount', '%/v', '@empty', '--serve', 'everywhere'], 2, /neither <host>:<port>/],
  ['an edge that is not there', ['ls', 'http://127.0.0.1:1/v'], 7, /Cannot reach the edge http:\/\/127\.0\.0\.1:1: .*Is an edge running there\? To start one: edgemount serve <store>/],
  ['a server that is no edge', ['ls', 'http://127.0.0.1:#/v'], 2, /a server answers there, but it is no edge/],
  ['a port that is taken', ['serve', '%', '--port', '#'], 6, /another program has the port; stop it, or choose another with --port/],
  ['an address of another machine', ['serve', '%', '--open', '--host', '203.0.113.7'], 2, /this machine does not have that address/],
  ['a folder that is no mount', ['umount', '@empty'], 4, /nothing of edgemount is mounted there\. See: edgemount status/],
  ['a status of no mount', ['status', '@empty'], 4, /no mount of this user answers there/],
  ['a file that cannot be put', ['put', '@nowhere', '%/v/'], 4, /Cannot read ".*nowhere": it does not exist/],
  ['standard input without a name', ['put', '-', '%/v/sub'], 2, /say what the file is to be called/],
  ['a file that cannot be written', ['get', '%/v/file', '@nowhere/x'], 4, /Cannot write ".*nowhere\/x": it does not exist/],
  ['a log of a path', ['log', '%/v/sub'], 10, /Cannot list the commits of "\/sub": the log is that of the whole volume "v"/],
  ['a comparison with nothing', ['diff', '%/v', '0'], 2, /commits count from 1/],
]

test.concurrent.each(cases)('%s', async (_, words, code, message) => {
  const finished = await edgemount(words.map(filled), { env: { XDG_RUNTIME_DIR: directory } })
  expect(finished.stderr).toMatch(message)
  expect(finished.code).toBe(code)
  expect(finished.stdout).toBe('')
  expect(finished.stderr.split('\n').length, 'one sentence, and perhaps where to look').toBeLessThanOrEqual(3)
})

test('an import that cannot be makes no volume', async () => {
  expect((await edgemount(['import', '--exclude', '[', at('folder'), `${store}/unmade`])).code).toBe(2)
  expect((await edgemount(['ls', `${store}/unmade`])).code).toBe(4)
})

test('errors are JSON where JSON was asked for', async () => {
  const { code, stdout, stderr } = await edgemount(['stat', '--json', `${store}/v/nope`])
  expect(JSON.parse(stderr)).toEqual({ error: { code: 'not-found', message: 'Cannot open "/nope": it does not exist' } })
  expect([code, stdout]).toEqual([4, ''])
})

test('a pipe that nobody reads to its end is no error', async () => {
  writeFileSync(at('folder/long'), 'line\n'.repeat(200_000))
  await edgemountOk(['import', at('folder'), `${store}/long`])
  const script = '"$0" "$1" cat "$2" | head -1'
  expect(execFileSync('sh', ['-c', script, process.execPath, mainFile, `${store}/long/long`], { encoding: 'utf8' })).toBe('line\n')
})

test('a folder that may not be read, and a store that may not be written', async () => {
  mkdirSync(at('closed'))
  chmodSync(at('closed'), 0o000)
  chmodSync(directory, 0o755)
  const unread = await asNobody(['import', at('closed'), `dir:${at('elsewhere')}/v`])
  expect(unread.stderr).toMatch(/Cannot import ".*closed": permission denied/)
  expect(unread.code).toBe(5)
  if (process.getuid?.() !== 0) chmodSync(at('empty'), 0o500)
  const unwritten = await asNobody(['create', `dir:${at('empty')}/v`])
  expect(unwritten.stderr).toMatch(/Cannot create "v\/[^"]*" in dir:.*: no permission; check the owner and mode of the directory/)
  expect(unwritten.code).toBe(5)
})
