/** What is sent to Cloudflare: small enough, whole, and with no client of a store that it does not use. Bundled as `npm run deploy:worker` does, without a network. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { tempDirectory } from '../support/temp-directory.ts'

const root = path.resolve(import.meta.dirname, '../..')
const bytesMax = 1024 * 1024

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>
}

async function tryOut(script: string): Promise<{ gzipBytes: number; packages: Set<string>; code: string; said: string }> {
  const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Manifest
  const directory = await tempDirectory()
  const own = scripts[script]!.replaceAll(/dist\/worker(-s3)?/g, directory)
  const bin = path.join(root, 'node_modules/.bin')
  // A proxy that nobody listens at: what asks the network fails.
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', WRANGLER_LOG_PATH: directory }
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', own], { cwd: root, env, timeout: 60_000 })
  const meta = JSON.parse(await readFile(path.join(directory, 'meta.json'), 'utf8')) as { inputs: Readonly<Record<string, unknown>> }
  const code = await readFile(path.join(directory, `${script.replace('deploy:', '')}.js`), 'utf8')
  const packages = new Set(Object.keys(meta.inputs).flatMap((name) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1] ?? []))
  return { gzipBytes: gzipSync(code).length, packages, code, said: stdout + stderr }
}

test('over R2: no SDK, nothing of Node', async () => {
  const { gzipBytes, packages, code, said } = await tryOut('deploy:worker')
  expect(said).toMatch(/env\.VOLUMES.*R2 Bucket/)
  expect(gzipBytes).toBeLessThan(bytesMax)
  expect([...packages].filter((name) => name !== 'hono' && !name.startsWith('wrangler'))).toEqual([])
  expect(code).not.toMatch(/["']node:/)
})

test('over S3: its SDK, and no other', async () => {
  const { gzipBytes, packages, code } = await tryOut('deploy:worker-s3')
  expect(gzipBytes).toBeLessThan(bytesMax)
  expect(packages).toContain('@aws-sdk/client-s3')
  expect([...packages].filter((name) => name.startsWith('@azure/'))).toEqual([])
  expect(code).not.toMatch(/\bfrom ["']node:/)
})
