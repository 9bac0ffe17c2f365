/**
 * Writing in a mount, by real programs: small files, tar, git, npm, fio, rm; beside the same work in a folder of the same disk, and in an `rclone mount`
 * (full VFS cache, a folder as its remote, which is kinder to it than a bucket). Then what it costs until everything is published.
 *
 * Folders of many files are removed at the end only: for some minutes after many were removed ext4 takes up to twenty times as long to make new ones
 * (it passes over each inode that was freed lately), and whoever comes after is measured with that.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Bed, type Mounted, dropKernelCaches, waitUntilMounted } from './bed.ts'
import type { Row } from './table.ts'

const smallFilesProgram = resolve(import.meta.dirname, 'small-files.ts')
const repository = resolve(import.meta.dirname, '../..')
const smallFileCount = 10_000
const tarFileCount = 50_000
const gibibyte = 2 ** 30

interface Work {
  readonly name: string
  readonly unit: string
  readonly isLessBetter?: boolean
  readonly goal?: string
  /** Also done by rclone. */
  readonly isForOthers: boolean
  /** It leaves few files and many bytes. */
  readonly isBig?: boolean
  /** Does the work in an empty folder and gives the figure. */
  run(folder: string): number
}

/** What the work needs, made once, outside of what is measured. */
interface Materials {
  readonly tar: string
  readonly clone: string
  readonly npm: string
}

/** `print`: rows as soon as they are known, since this takes a quarter of an hour. */
export async function benchWrite(bed: Bed, rounds: number, print: (rows: readonly Row[]) => void): Promise<void> {
  const works = worksWith(prepare(bed))
  print(await benchPublish(bed, rounds))
  const others = await mountRclone(bed)
  try {
    for (const work of works) {
      const figures = { ours: [] as number[], local: [] as number[], rclone: [] as number[] }
      for (let round = 0; round < rounds; round += 1) {
        figures.local.push(runIn(work, mkdtempSync(bed.path('local-'))))
        figures.ours.push(await runInMount(bed, work))
        if (others !== undefined && work.isForOthers) figures.rclone.push(...runInOther(work, others.directory))
      }
      const { name, unit, isLessBetter, goal } = work
      const row = { name, unit, values: figures.ours, ...(isLessBetter === true ? { isLessBetter } : {}) }
      print([{ ...row, baseline: { name: 'local', values: figures.local }, ...(goal === undefined ? {} : { goal }) }])
      if (figures.rclone.length > 0) print([{ ...row, baseline: { name: 'rclone mount', values: figures.rclone } }])
    }
  } finally {
    others?.end()
  }
}

/** Nothing when the other one cannot do the work, or cannot clear up after it: that is told, and is no reason to stop. */
function runInOther(work: Work, directory: string): number[] {
  const folder = mkdtempSync(join(directory, 'work-'))
  try {
    dropKernelCaches()
    return [work.run(folder)]
  } catch (error) {
    console.error(`(rclone mount cannot do "${work.name}": ${(error as Error).message.split('\n', 2).join(' ')})`)
    return []
  } finally {
    // rclone may answer EIO while it uploads: then it stays.
    if (work.isBig === true) spawnSync('rm', ['-rf', folder], { stdio: 'ignore' })
  }
}

/** A fresh volume and an empty cache each time; what is measured ends when the program does. */
async function runInMount(bed: Bed, work: Work): Promise<number> {
  const [store, cache] = [mkdtempSync(bed.path('store-')), mkdtempSync(bed.path('cache-'))]
  const mounted = await mountNew(bed, store, cache)
  try {
    return runIn(work, mkdtempSync(join(mounted.directory, 'work-')))
  } finally {
    await mounted.unmount()
    if (work.isBig === true) for (const folder of [store, cache]) rmSync(folder, { recursive: true, force: true })
  }
}

async function mountNew(bed: Bed, store: string, cache: string): Promise<Mounted> {
  bed.run('create', `dir:${store}/v`)
  return await bed.mount(`dir:${store}/v`, { cache })
}

function runIn(work: Work, folder: string): number {
  dropKernelCaches()
  const figure = work.run(folder)
  if (work.isBig === true) rmSync(folder, { recursive: true })
  return figure
}

async function benchPublish(bed: Bed, rounds: number): Promise<Row[]> {
  const seconds: number[] = []
  const objects: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const [store, cache] = [mkdtempSync(bed.path('store-')), mkdtempSync(bed.path('cache-'))]
    const mounted = await mountNew(bed, store, cache)
    const before = keyCount(store)
    makeSmallFiles(join(mounted.directory, 'work'), smallFileCount)
    seconds.push(bed.run('flush', mounted.directory).seconds)
    objects.push(keyCount(store) - before)
    await mounted.unmount()
  }
  return [
    { name: '10,000 files of 4 KiB: from the last close until published (whole `flush`)', unit: 's', values: seconds, isLessBetter: true },
    { name: '10,000 files of 4 KiB: objects put into the store', unit: 'PUTs', values: objects, isLessBetter: true, goal: '≤ 10' },
  ]
}

function keyCount(store: string): number {
  return readdirSync(store, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
}

function worksWith({ tar, clone, npm }: Materials): Work[] {
  const seconds = { unit: 's', isLessBetter: true, isForOthers: true } as const
  return [
    {
      name: `create, write 4 KiB and close ${smallFileCount.toLocaleString('en-US')} files, the first of a mount`,
      unit: 'files/s',
      isForOthers: true,
      run: (folder) => smallFileCount / makeSmallFiles(folder, smallFileCount),
    },
    {
      name: `create, write 4 KiB and close ${smallFileCount.toLocaleString('en-US')} files, after as many`,
      unit: 'files/s',
      isForOthers: false,
      goal: '≥ 5,000/s or 0.7',
      run: (folder) => {
        makeSmallFiles(join(folder, 'first'), smallFileCount)
        return smallFileCount / makeSmallFiles(join(folder, 'next'), smallFileCount)
      },
    },
    { name: `tar x of ${tarFileCount.toLocaleString('en-US')} files`, ...seconds, goal: '≥ 0.33', run: (folder) => timed('tar', ['xf', tar, '-C', folder]) },
    { name: 'git clone of a local repository', ...seconds, goal: '≥ 0.33', run: (folder) => timed('git', ['clone', '-q', '--no-hardlinks', clone, join(folder, 'clone')]) },
    { name: 'npm ci (offline)', ...seconds, isForOthers: false, run: (folder) => timedNpm(npm, folder) },
    { name: 'write 1 GiB in sequence (1 MiB blocks)', unit: 'MB/s', isForOthers: true, isBig: true, goal: '≥ 0.9', run: (folder) => fioWrite(folder, 'write', ['--bs=1M']) },
    { name: 'write 1 GiB in sequence, then fsync', unit: 'MB/s', isForOthers: true, isBig: true, goal: '≥ 0.9', run: (folder) => fioWrite(folder, 'write', ['--bs=1M', '--end_fsync=1']) },
    { name: 'write 4 KiB at random in a file of 1 GiB', unit: '/s', isForOthers: false, isBig: true, run: (folder) => fioWrite(folder, 'randwrite', ['--bs=4k', '--time_based', '--runtime=5']) / 0.004096 },
    { name: `rm -r of ${tarFileCount.toLocaleString('en-US')} files`, ...seconds, isForOthers: false, run: (folder) => removeTree(tar, folder) },
  ]
}

function prepare(bed: Bed): Materials {
  const tree = bed.path('tar-tree')
  mkdirSync(tree)
  makeSmallFiles(tree, tarFileCount, 2000)
  const tar = bed.path('tree.tar')
  execFileSync('tar', ['cf', tar, '-C', tree, '.'])
  const clone = bed.path('repository.git')
  execFileSync('git', ['clone', '-q', '--bare', repository, clone])
  const npm = bed.path('npm')
  mkdirSync(npm)
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(repository, file), join(npm, file))
  if (existsSync(join(homedir(), '.npmrc'))) cpSync(join(homedir(), '.npmrc'), join(npm, '.npmrc'))
  execFileSync('npm', ['ci', '--ignore-scripts', '--cache', bed.path('npm-cache')], { cwd: npm, stdio: 'ignore' })
  return { tar, clone, npm }
}

function makeSmallFiles(folder: string, count: number, bytes = 4096): number {
  return Number(execFileSync(process.execPath, [smallFilesProgram, folder, String(count), String(bytes)], { encoding: 'utf8' }))
}

function timed(program: string, args: readonly string[], cwd?: string): number {
  const start = performance.now()
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], ...(cwd === undefined ? {} : { cwd }) })
  return (performance.now() - start) / 1000
}

function timedNpm(npm: string, folder: string): number {
  for (const file of readdirSync(npm).filter((name) => name !== 'node_modules')) cpSync(join(npm, file), join(folder, file))
  return timed('npm', ['ci', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', '--cache', join(npm, '../npm-cache')], folder)
}

function removeTree(tar: string, folder: string): number {
  execFileSync('tar', ['xf', tar, '-C', folder])
  return timed('rm', ['-r', join(folder, '0'), ...readdirSync(folder).filter((name) => name !== '0').map((name) => join(folder, name))])
}

/** MB/s of one fio job that writes a fresh file of 1 GiB. */
function fioWrite(folder: string, mode: 'write' | 'randwrite', more: readonly string[]): number {
  const file = join(folder, 'big')
  const base = [`--name=job`, `--filename=${file}`, `--size=${gibibyte}`, '--ioengine=psync', '--output-format=json', '--fallocate=none', '--randrepeat=1']
  if (mode === 'randwrite') execFileSync('fio', [...base, '--rw=write', '--bs=1M'], { stdio: 'ignore' })
  const report: unknown = JSON.parse(execFileSync('fio', [...base, `--rw=${mode}`, '--overwrite=0', ...more], { encoding: 'utf8', maxBuffer: 1 << 26 }))
  return (report as { jobs: { write: { bw_bytes: number } }[] }).jobs[0]!.write.bw_bytes / 1e6
}

/** Undefined where rclone is not installed. */
async function mountRclone(bed: Bed): Promise<{ readonly directory: string; end(): void } | undefined> {
  const directory = bed.path('rclone')
  for (const folder of [directory, bed.path('rclone-remote')]) mkdirSync(folder)
  try {
    execFileSync('rclone', ['version'], { stdio: 'ignore' })
  } catch {
    console.error('(rclone is not installed: its rows are left out)')
    return undefined
  }
  const child = spawn('rclone', ['mount', bed.path('rclone-remote'), directory, '--vfs-cache-mode', 'full', '--cache-dir', bed.path('rclone-cache'), '--config', '/dev/null'], { stdio: 'ignore' })
  const end = (): void => {
    execFileSync('umount', ['-l', directory])
    child.kill('SIGTERM')
  }
  await waitUntilMounted(directory, child)
  return { directory, end }
}
