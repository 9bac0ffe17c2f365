/** Debian's nginx over a folder, as one process on a free port of the loopback interface. From Debian: nginx-light. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeName } from '../../shared/name.ts'

const startMs = 20_000

export interface Nginx {
  readonly port: number
  stop(): Promise<void>
}

/** Serves these files, all changed at one time, below `prefix`; `/healthz` answers as an edge does. Throws, with what nginx said, when it does not come up. */
export async function startNginx(files: Readonly<Record<string, string>>, prefix: string, modifiedSeconds: number): Promise<Nginx> {
  const directory = await mkdtemp(path.join(tmpdir(), 'edgemount-nginx-'))
  await layOut(path.join(directory, 'root', prefix), files, modifiedSeconds)
  const port = await freePort()
  await writeFile(path.join(directory, 'nginx.conf'), configText(directory, port))
  const child = spawn('nginx', ['-p', directory, '-c', path.join(directory, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
  })
  const onExit = (): void => void child.kill('SIGKILL')
  process.once('exit', onExit)
  const stop = async (): Promise<void> => {
    process.off('exit', onExit)
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await listens(child, port)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, stop }
}

/** Names are bytes: some are not UTF-8. */
async function layOut(root: string, files: Readonly<Record<string, string>>, modifiedSeconds: number): Promise<void> {
  for (const [name, body] of Object.entries(files)) {
    const slash = name.lastIndexOf('/')
    const folder = path.join(root, name.slice(0, Math.max(0, slash)))
    await mkdir(folder, { recursive: true })
    const file = Buffer.concat([Buffer.from(`${folder}/`), encodeName(name.slice(slash + 1))])
    await writeFile(file, body)
    await utimes(file, modifiedSeconds, modifiedSeconds)
  }
}

function configText(directory: string, port: number): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`)
  return `daemon off;
master_process off;
pid ${directory}/pid;
events { worker_connections 64; }
http {
  access_log off;
  ${places.join('\n  ')}
  default_type application/octet-stream;
  # RFC 9110 section 13.1.3; by default nginx wants the very same date.
  if_modified_since before;
  server {
    listen 127.0.0.1:${port};
    root ${directory}/root;
    location = /healthz { return 200 '{"status":"ok"}\\n'; }
  }
}
`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function listens(child: ChildProcess, port: number): Promise<void> {
  let said = ''
  let failure: Error | undefined
  child.stderr?.on('data', (text) => (said += String(text)))
  child.once('error', (error) => (failure = error))
  const start = performance.now()
  while (!(await isListening(port))) {
    if (failure !== undefined || child.exitCode !== null || performance.now() - start > startMs) {
      throw new Error(`Cannot start nginx (Debian: nginx-light): ${failure?.message ?? `it does not listen\n${said}`}`)
    }
    await sleep(20)
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
