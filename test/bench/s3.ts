/**
 * Writing through a bucket, beside s3fs over the same server (Ceph's radosgw, which keeps everything in memory): s3fs publishes at close, so ours is measured
 * until all is published, too. Where s3fs or radosgw is not installed there are no rows.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Radosgw, startRadosgw } from '../support/radosgw.ts'
import { makeBucket, testBucket } from '../support/s3-servers.ts'
import { type Bed, isInstalled, waitUntilMounted } from './bed.ts'
import type { Row } from './table.ts'

const smallFilesProgram = resolve(import.meta.dirname, 'small-files.ts')
/** s3fs takes some hundredths of a second for each. */
const smallFileCount = 1000
const bigMebibytes = 256

/** Gives the seconds that a folder was written in. */
type Write = (folder: string) => number

export async function benchS3(bed: Bed, rounds: number): Promise<Row[]> {
  for (const program of ['s3fs', 'radosgw']) {
    if (!isInstalled(program)) {
      console.error(`(${program} is not installed: the rows of S3 are left out)`)
      return []
    }
  }
  const server = await startRadosgw()
  process.env['AWS_ACCESS_KEY_ID'] = server.accessKeyId
  process.env['AWS_SECRET_ACCESS_KEY'] = server.secretAccessKey
  try {
    await makeBucket(server)
    const other = await mountS3fs(bed, server)
    try {
      return await measure(bed, rounds, server, other.directory)
    } finally {
      other.end()
    }
  } finally {
    await server.stop()
  }
}

async function measure(bed: Bed, rounds: number, server: Radosgw, otherDirectory: string): Promise<Row[]> {
  const volume = `s3://${testBucket}/bench?endpoint=${server.endpoint}&region=us-east-1`
  bed.run('create', volume)
  const mounted = await bed.mount(volume)
  const rows: Row[] = []
  const works: readonly (readonly [name: string, unit: string, amount: number, write: Write])[] = [
    [`S3: ${smallFileCount.toLocaleString('en-US')} files of 4 KiB, until published`, 'files/s', smallFileCount, writeSmall],
    [`S3: one file of ${bigMebibytes} MiB, until published`, 'MB/s', (bigMebibytes * 2 ** 20) / 1e6, writeBig],
  ]
  for (const [name, unit, amount, write] of works) {
    const [values, others]: [number[], number[]] = [[], []]
    for (let round = 0; round < rounds; round += 1) {
      const seconds = write(mkdtempSync(join(mounted.directory, 'work-')))
      values.push(amount / (seconds + bed.run('flush', mounted.directory).seconds))
      others.push(amount / write(mkdtempSync(join(otherDirectory, 'work-'))))
    }
    rows.push({ name, unit, values, baseline: { name: 's3fs', values: others } })
  }
  await mounted.unmount()
  return rows
}

function writeSmall(folder: string): number {
  return Number(execFileSync(process.execPath, [smallFilesProgram, folder, String(smallFileCount)], { encoding: 'utf8' }))
}

function writeBig(folder: string): number {
  const start = performance.now()
  execFileSync('dd', ['if=/dev/urandom', `of=${join(folder, 'big')}`, 'bs=1M', `count=${bigMebibytes}`], { stdio: 'ignore' })
  return (performance.now() - start) / 1000
}

async function mountS3fs(bed: Bed, server: Radosgw): Promise<{ readonly directory: string; end(): void }> {
  const directory = bed.path('s3fs')
  mkdirSync(directory)
  const secrets = bed.path('s3fs-secrets')
  writeFileSync(secrets, `${server.accessKeyId}:${server.secretAccessKey}`, { mode: 0o600 })
  const child = spawn('s3fs', [testBucket, directory, '-f', '-o', `passwd_file=${secrets},url=${server.endpoint},use_path_request_style`], { stdio: 'ignore' })
  const end = (): void => {
    execFileSync('umount', ['-l', directory])
    child.kill('SIGTERM')
  }
  await waitUntilMounted(directory, child)
  return { directory, end }
}
