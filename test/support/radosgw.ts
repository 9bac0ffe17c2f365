/**
 * Ceph's S3 server, a real one, for as long as a test file runs: one monitor, one OSD that keeps everything in memory, one gateway, on free ports of the loopback
 * interface. Takes about 12 s to start. From Debian: radosgw, ceph-mon, ceph-osd.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Radosgw {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  stop(): Promise<void>
}

const credentials = { accessKeyId: 'edgemountkey', secretAccessKey: 'edgemountsecret' } as const
const commandMs = 60_000
const startMs = 90_000
const stopMs = 5000

/** Throws, with what its parts said, when it does not come up: tests that need it fail. */
export async function startRadosgw(): Promise<Radosgw> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgemount-radosgw-'))
  const processes: ChildProcess[] = []
  const stop = async (): Promise<void> => {
    for (const each of processes.toReversed()) await stopProcess(each)
    await rm(directory, { recursive: true, force: true })
  }
  // Also when the tests are ended from outside: nothing may stay behind.
  const onExit = (): void => processes.forEach((each) => each.kill('SIGKILL'))
  process.once('exit', onExit)
  try {
    const endpoint = await startAll(directory, processes)
    return { endpoint, ...credentials, stop: () => stop().finally(() => process.off('exit', onExit)) }
  } catch (error) {
    const said = await Promise.all(['mon', 'osd', 'rgw'].map((name) => readFile(path.join(directory, `${name}.log`), 'utf8').catch(() => '')))
    await stop()
    throw new Error(`Cannot start radosgw (Debian: radosgw ceph-mon ceph-osd): ${String(error)}\n${said.map((each) => each.slice(-2000)).join('\n')}`, { cause: error })
  }
}

async function startAll(directory: string, processes: ChildProcess[]): Promise<string> {
  const [monitorPort, gatewayPort] = await freePorts(2)
  const clusterId = randomUUID()
  for (const name of ['mon', 'osd', 'rgw', 'out']) await mkdir(path.join(directory, name))
  const config = path.join(directory, 'ceph.conf')
  await writeFile(config, configText(directory, clusterId, monitorPort!, gatewayPort!))
  const keyring = path.join(directory, 'keyring')
  const map = path.join(directory, 'map')
  const call = (program: string, ...args: string[]): Promise<unknown> => run(program, ['-c', config, ...args], { timeout: commandMs, killSignal: 'SIGKILL' })
  const daemon = (program: string, ...args: string[]): void => {
    // They end with the tests also when those are killed, and clean nothing up.
    const words = ['--pdeathsig', 'SIGKILL', program, '-c', config, '-f', ...args]
    processes.push(spawn('setpriv', words, { stdio: 'ignore' }).on('error', () => undefined))
  }
  await makeKeys(keyring)
  await run('monmaptool', ['--create', '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, '--fsid', clusterId, map], { timeout: commandMs })
  await call('ceph-mon', '-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring)
  daemon('ceph-mon', '-i', 'a')
  await call('ceph', 'auth', 'import', '-i', keyring)
  const osdId = randomUUID()
  await call('ceph', 'osd', 'new', osdId)
  await call('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId)
  daemon('ceph-osd', '-i', '0')
  daemon('radosgw', '-n', 'client.rgw')
  const user = ['user', 'create', '--uid=test', '--display-name=test', `--access-key=${credentials.accessKeyId}`, `--secret-key=${credentials.secretAccessKey}`]
  const endpoint = `http://127.0.0.1:${gatewayPort}`
  await untilAnswering(endpoint, processes)
  await call('radosgw-admin', ...user)
  return endpoint
}

async function makeKeys(keyring: string): Promise<void> {
  const owners: readonly (readonly [name: string, ...rights: string[]])[] = [
    ['mon.', 'mon', 'allow *'],
    ['client.admin', 'mon', 'allow *', 'osd', 'allow *', 'mgr', 'allow *'],
    ['client.rgw', 'mon', 'allow *', 'osd', 'allow *'],
    ['osd.0', 'mon', 'allow profile osd', 'osd', 'allow *'],
  ]
  for (const [index, [name, ...rights]] of owners.entries()) {
    const caps = Array.from({ length: rights.length / 2 }, (_, pair) => ['--cap', ...rights.slice(pair * 2, pair * 2 + 2)]).flat()
    await run('ceph-authtool', [...(index === 0 ? ['--create-keyring'] : []), keyring, '--gen-key', '-n', name, ...caps], { timeout: commandMs })
  }
}

async function untilAnswering(endpoint: string, processes: readonly ChildProcess[]): Promise<void> {
  const end = Date.now() + startMs
  for (;;) {
    const answer = await fetch(endpoint).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer !== undefined) return
    if (processes.some(({ exitCode }) => exitCode !== null)) throw new Error('a part of it ended')
    if (Date.now() > end) throw new Error(`nothing answers at ${endpoint}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const limit = setTimeout(() => child.kill('SIGKILL'), stopMs)
  await ended
  clearTimeout(limit)
}

/** All at once, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
      const server = createServer().once('error', reject)
      server.listen(0, '127.0.0.1', () => resolve(server))
    })),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** One copy of everything, no health checks that a small machine fails, nothing outside the directory. */
function configText(directory: string, clusterId: string, monitorPort: number, gatewayPort: number): string {
  return `[global]
fsid = ${clusterId}
mon host = v2:127.0.0.1:${monitorPort}/0
mon initial members = a
public addr = 127.0.0.1
ms bind ipv4 = true
keyring = ${directory}/keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
run dir = ${directory}/out
log file = ${directory}/$type.log
log to stderr = false
admin socket = ${directory}/out/$name.asok
pid file = ${directory}/out/$name.pid
mon data = ${directory}/mon
osd data = ${directory}/osd
crash dir = ${directory}/out
[mon]
mon allow pool size one = true
mon warn on pool no redundancy = false
mon cluster log file = ${directory}/out/cluster.log
mon data avail crit = 1
mon data avail warn = 1
mon max pg per osd = 2000
[osd]
osd objectstore = memstore
memstore device bytes = 2147483648
osd max object size = 134217728
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw data = ${directory}/rgw
rgw enable usage log = false
rgw enable ops log = false
rgw run sync thread = false
`
}
