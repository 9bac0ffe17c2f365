/**
 * A mount process that ends, or is killed, while the kernel keeps its notifying thread waiting: a LOOKUP waits for a page that never comes, and a commit
 * changes names in the same directory. Nothing may be left that SIGKILL cannot end.
 *
 * Every wait has a limit, and at the end the connection is aborted by its number, so that a failure here hangs nobody.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { abortConnection } from '../../shim/fuse/abort-connection.ts'
import { findMount, readMountTable } from '../../shim/fuse/mount-table.ts'
import { Running, edgemount, edgemountOk, forceUnmount, isMounted } from '../support/command.ts'
import { HoldingProxy } from '../support/holding-proxy.ts'

let directory: string
let mountPoint: string
let store: string
let edge: Running
let proxy: HoldingProxy
let daemon: Running
let deviceMinor: number
let clients: ChildProcess[]

const runtime = (): Record<string, string> => ({ XDG_RUNTIME_DIR: path.join(directory, 'run') })

/** Stats the held name in one thread and names that are not there in three, from a working directory in the mount, until it is over. */
const busyScript = `
import os, sys, threading, time
os.chdir(sys.argv[1])
end = time.time() + 20
def work(k):
    i = 0
    while time.time() < end:
        i += 1
        try: os.stat('a' if k == 0 and i == 1 else 'none%d-%d' % (k, i))
        except OSError as error:
            if error.errno in (107, 103): return
for k in range(4): threading.Thread(target=work, args=(k,)).start()
`

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'edgemount-stuck-'))
  mountPoint = path.join(directory, 'mnt')
  store = `dir:${path.join(directory, 'store')}`
  clients = []
  for (const name of ['mnt', 'run', 'source', 'names']) mkdirSync(path.join(directory, name), { mode: 0o700 })
  // What has two names has its attributes in the tree of inodes, whose page is in the first pack; the root's page is in the second.
  writeFileSync(path.join(directory, 'source/a'), 'hello')
  linkSync(path.join(directory, 'source/a'), path.join(directory, 'source/b'))
  await edgemountOk(['import', path.join(directory, 'source'), `${store}/vol`])
  const packs = readdirSync(path.join(directory, 'store'), { recursive: true, encoding: 'utf8' })
    .map((name) => path.basename(name))
    .filter((name) => /^m[0-9A-Z]{26}$/.test(name))
  if (packs.length === 0) throw new Error('The store has no metadata where it is looked for')
  await put('second')
  edge = new Running(['serve', store, '--port', '0'])
  const [, url] = await edge.printed(/(http:\/\/[\d.]+:\d+)/)
  proxy = await HoldingProxy.start(url!)
  proxy.holds = (asked) => packs.some((pack) => asked.includes(pack))
  const parameters = ['mount', `${proxy.url}/vol`, mountPoint, '--cache', path.join(directory, 'cache'), '--serve', 'off', '--deadline', '600s']
  daemon = new Running(parameters, { env: runtime() })
  await daemon.printed(/Mounted/)
  deviceMinor = findMount(readMountTable(), mountPoint)!.deviceMinor
})

afterEach(async () => {
  // Our own connection: its number may be another's once its process is gone.
  if (!(await within(100, () => daemon.hasEnded))) abortConnection(deviceMinor)
  for (const client of clients) client.kill('SIGKILL')
  await Promise.all([daemon.stop('SIGKILL'), edge.stop()])
  await proxy.close()
  forceUnmount(mountPoint)
  rmSync(directory, { recursive: true, force: true })
})

async function put(name: string): Promise<void> {
  writeFileSync(path.join(directory, name), name)
  await edgemountOk(['put', path.join(directory, name), `${store}/vol/${name}`])
}

function client(program: string, ...parameters: string[]): ChildProcess {
  const child = spawn(program, parameters, { cwd: '/', stdio: 'ignore' })
  clients.push(child)
  return child
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

async function within(ms: number, condition: () => boolean): Promise<boolean> {
  const untilMs = performance.now() + ms
  while (!condition() && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 25))
  return condition()
}

/** True when a thread of the process waits in the kernel where no signal reaches it. */
function isStuck(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1').includes(') D '))
  } catch {
    return false
  }
}

async function untilStuck(): Promise<void> {
  const isStuckNow = (): boolean => isStuck(daemon.pid)
  for (let seen = 0; seen < 5; seen += 1) {
    if (!(await within(10_000, isStuckNow))) throw new Error(`The notifying thread does not wait:\n${daemon.output}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(isStuckNow()).toBe(true)
}

test('kill -9 while a notification waits for a LOOKUP that is not answered: process, mount and reader end', { timeout: 60_000 }, async () => {
  const reader = client('stat', path.join(mountPoint, 'a'))
  expect(await within(10_000, () => proxy.heldCount > 0)).toBe(true)
  await put('third')
  await untilStuck()
  daemon.child.kill('SIGKILL')
  expect(await within(15_000, () => daemon.hasEnded && hasEnded(reader) && !isMounted(mountPoint))).toBe(true)
})

test.each(['umount --force', 'SIGINT'] as const)('%s of a busy mount whose notifications wait: everything ends in time', { timeout: 60_000 }, async (how) => {
  const busy = client('python3', '-c', busyScript, mountPoint)
  expect(await within(10_000, () => proxy.heldCount > 0)).toBe(true)
  for (let index = 0; index < 300; index += 1) writeFileSync(path.join(directory, 'names', `n${index}`), String(index))
  await edgemountOk(['import', path.join(directory, 'names'), `${store}/vol`])
  await untilStuck()
  const startMs = performance.now()
  if (how === 'SIGINT') daemon.child.kill('SIGINT')
  else void edgemount(['umount', '--force', mountPoint], { env: runtime() })
  expect(await within(15_000, () => daemon.hasEnded && hasEnded(busy) && !isMounted(mountPoint))).toBe(true)
  expect(daemon.child.exitCode).toBe(0)
  expect(performance.now() - startMs).toBeLessThan(10_000)
})
