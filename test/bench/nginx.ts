/**
 * nginx as people put it before a bucket: one server has the objects, one before it caches slices of 1 MiB of them (`slice`, `proxy_cache`).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Nginx {
  readonly url: string
  stop(): Promise<void>
}

/** Serves the files of `root`, from an empty cache. Its workers are as many as the edge's: one. */
export async function startNginx(directory: string, root: string): Promise<Nginx> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(join(directory, 'cache'), { recursive: true })
  const [port, objects] = [await freePort(), await freePort()]
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, configuration(directory, root, port, objects))
  const child = spawn('nginx', ['-p', directory, '-c', file, '-e', join(directory, 'error.log')], { stdio: 'ignore' })
  await untilServing(child, port)
  return { url: `http://127.0.0.1:${port}`, stop: () => stop(child) }
}

function configuration(directory: string, root: string, port: number, objects: number): string {
  return `daemon off; master_process off; pid ${directory}/pid;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  proxy_cache_path ${directory}/cache keys_zone=slices:64m max_size=8g inactive=1h use_temp_path=off;
  upstream objects { server 127.0.0.1:${objects}; keepalive 32; }
  server { listen 127.0.0.1:${objects}; location / { root ${root}; } }
  server {
    listen 127.0.0.1:${port};
    location / {
      slice 1m; proxy_cache slices; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache_valid 200 206 1h; proxy_pass http://objects;
    }
  }
}
`
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function untilServing(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`Cannot start nginx: it ended with code ${child.exitCode}`)
    try {
      await fetch(`http://127.0.0.1:${port}/`)
      return
    } catch {
      await sleep(10)
    }
  }
  child.kill('SIGKILL')
  throw new Error('Cannot start nginx: it does not answer')
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  await ended
}
