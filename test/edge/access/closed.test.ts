/** Edges that nobody set up are closed: a Worker without a secret, or with one that is none, and Deno where others could reach it. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { expect, test } from 'vitest'
import { startWorkerdEdge } from '../workerd-under-test.ts'
import { tokenFor } from './tokens.ts'

test.each([[{}], [{ EDGEMOUNT_SECRETS: 'k1:password', EDGEMOUNT_OPEN: '1' }]])('a Worker with %j answers nobody but who asks how it is', async (bindings) => {
  const edge = await startWorkerdEdge(bindings)
  try {
    expect((await edge.fetch('/healthz')).status).toBe(200)
    for (const headers of [{}, { authorization: `Bearer ${await tokenFor()}` }]) {
      for (const address of ['/', '/v1', '/v1/demo/head', '/v1/demo/files/x']) {
        const refused = await edge.fetch(address, { headers })
        expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('this edge has no secret')])
      }
    }
  } finally {
    await edge.close()
  }
})

test('Deno does not listen where others could reach it without a secret', async () => {
  const root = path.resolve(import.meta.dirname, '../../..')
  const { EDGEMOUNT_SECRETS: _secrets, EDGEMOUNT_SECRET: _secret, EDGEMOUNT_OPEN: _open, ...env } = process.env
  const deno = spawn(path.join(root, 'node_modules/.bin/deno'), ['run', '-A', 'edge/deno.ts', 'memory:', '--host', '0.0.0.0', '--port', '0'], { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  deno.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const code = await new Promise((resolve) => deno.once('exit', resolve))
  expect([code, said]).toEqual([1, expect.stringMatching(/^Cannot listen on "0\.0\.0\.0" without a secret: .*--open/)])
})
