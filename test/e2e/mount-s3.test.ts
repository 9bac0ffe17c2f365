/** A volume in a real S3 server (Ceph's radosgw), by the command alone: made, mounted, written, published, checked, mounted elsewhere. */
import { execFile } from 'node:child_process'
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { edgemount, edgemountOk, forceUnmount, Running } from '../support/command.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting-proxy.ts'
import { type Radosgw, startRadosgw } from '../support/radosgw.ts'
import { makeBucket, testBucket } from '../support/s3-servers.ts'

let server: Radosgw | undefined
let proxy: CountingProxy | undefined

beforeAll(async () => {
  server = await startRadosgw()
  await makeBucket(server)
  proxy = await startCountingProxy(server.endpoint)
})

afterAll(async () => {
  await proxy?.stop()
  await server?.stop()
})

const fileCount = 10_000

function environment(): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: server!.accessKeyId, AWS_SECRET_ACCESS_KEY: server!.secretAccessKey }
}

function addressOf(names: string): string {
  return `s3://${testBucket}/${names}?endpoint=${proxy!.url}&region=us-east-1`
}

async function mountAt(volume: string): Promise<string> {
  const base = mkdtempSync(path.join(tmpdir(), 'edgemount-s3-'))
  const [directory, cache] = [path.join(base, 'mnt'), path.join(base, 'cache')]
  mkdirSync(directory)
  const daemon = new Running(['mount', volume, directory, '--cache', cache, '--serve', 'off', '--write-back-delay', '1m'], { env: environment() })
  onTestFinished(async () => {
    await daemon.stop()
    forceUnmount(directory)
    rmSync(base, { recursive: true, force: true })
  })
  await daemon.mounted(directory)
  return directory
}

async function sh(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', `set -e; ${script}`], { timeout: 60_000, killSignal: 'SIGKILL' })
  return stdout
}

test(`${fileCount} small files and a large one: few PUTs, whole, and the same in another mount`, { timeout: 180_000 }, async () => {
  const volume = addressOf('team/files')
  const env = environment()
  expect(await edgemountOk(['create', volume], { env })).toContain(`Created the volume "files" in ${addressOf('team')}`)
  const first = await mountAt(volume)
  proxy!.taken()
  await sh(`mkdir ${first}/many && cd ${first}/many && seq ${fileCount} | split -l 1 -a 4 - f && head -c 20000000 /dev/urandom > ../large`)
  await edgemountOk(['flush', first], { env })
  expect(proxy!.taken()['PUT']).toBeLessThanOrEqual(10)
  const checked = await edgemountOk(['fsck', '--read-data', volume], { env })
  expect(checked).toContain('nothing is damaged')
  const second = await mountAt(volume)
  const hash = (directory: string): Promise<string> => sh(`cd ${directory} && cat many/* | sha256sum && sha256sum large && ls many | wc -l`)
  expect(await hash(second)).toBe(await hash(first))
  expect(JSON.parse(await edgemountOk(['status', '--json'], { env }))).toEqual(expect.anything())
  expect(await edgemountOk(['ls', addressOf('team')], { env })).toBe('files\n')
  expect(await edgemountOk(['cat', addressOf('team/files/many/faaaa')], { env })).toBe('1\n')
})

test('what is wrong is said, without a secret', async () => {
  const env = environment()
  const bucket = await edgemount(['create', `s3://no-such-bucket/v?endpoint=${proxy!.url}`], { env })
  expect(bucket.stderr).toContain('there is no bucket "no-such-bucket" there')
  const key = await edgemount(['ls', addressOf('team/files')], { env: { ...env, AWS_SECRET_ACCESS_KEY: 'mistyped-secret' } })
  expect(key.stderr).toContain('Check AWS_SECRET_ACCESS_KEY')
  expect(key.stdout + key.stderr).not.toContain('mistyped-secret')
  const volume = await edgemount(['ls', addressOf('team/none')], { env })
  expect(volume.stderr).toContain(`To make it: edgemount create '${addressOf('team/none')}'`)
})
