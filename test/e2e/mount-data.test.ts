/**
 * The bytes of files that are written through a mount: which of them are fetched, which stay in their backing file, and that none is lost by mappings, readers
 * and full disks.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { MountBed } from '../support/mount-bed.ts'
import { type Output, run, until } from '../support/run-program.ts'
import { bytesOf, randomBytes } from '../support/test-volume.ts'

let bed: MountBed

beforeEach(async () => {
  bed = await MountBed.make()
})

afterEach(async () => {
  await bed.remove()
})

const quick = { writeBackDelayMs: 200 } as const
const MiB = 2 ** 20

function scratch(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'edgemount-scratch-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function ok({ code, complaint, out }: Output): string {
  expect([code, complaint.slice(0, 2000)]).toEqual([0, ''])
  return out
}

/** A program in Python, in the mount, with the modules that it needs. */
async function python(script: string): Promise<string> {
  return ok(await run('python3', '-c', `import os, mmap, time\nos.chdir('${bed.mountPoint}')\n${script}`))
}

/** Commits a file, and gives its bytes. */
async function publishFile(name: string, size: number, seed: number): Promise<Uint8Array> {
  const bytes = randomBytes(seed, size)
  await bed.commit({ op: 'create', path: `/${name}`, ...(await bed.content(bytes)) })
  return bytes
}

test.runIf(existsSync('/dev/shm'))('what is stored into a mapping is published, also from a cache that is in memory and notices no stores', async () => {
  const bytes = await publishFile('f', 300_000, 9)
  const cacheDirectory = mkdtempSync('/dev/shm/edgemount-cache-')
  onTestFinished(() => rmSync(cacheDirectory, { recursive: true, force: true }))
  const daemon = await bed.mount({ ...quick, cacheDirectory })
  await python(`open('f', 'rb').read()
fd = os.open('f', os.O_RDWR)
mapping = mmap.mmap(fd, 0)
assert mapping[0] == ${bytes[0]}
mapping[0] = ${bytes[0]! ^ 1}
mapping.close()
os.close(fd)`)
  await daemon.flush()
  await bed.remount(daemon, { cacheDirectory: scratch() })
  expect(await python(`print(open('f', 'rb').read(1)[0])`)).toBe(`${bytes[0]! ^ 1}\n`)
})

test('a few bytes of a large file are written without fetching it, and publishing them uploads little', async () => {
  const bytes = await publishFile('large', 48 * MiB, 1)
  const daemon = await bed.mount(quick)
  await python(`fd = os.open('large', os.O_RDWR)
assert os.pwrite(fd, b'x' * 4096, 20 * 2**20 + 123) == 4096
assert os.fstat(fd).st_size == 48 * 2**20
os.close(fd)`)
  expect(bed.gets.filter((key) => key.startsWith('data/'))).toEqual([])
  expect(await python(`fd = os.open('large', os.O_RDONLY)
around = os.pread(fd, 8192, 20 * 2**20)
print(around[123:4219] == b'x' * 4096, around[:4].hex())`)).toBe(`True ${Buffer.from(bytes.subarray(20 * MiB, 20 * MiB + 4)).toString('hex')}\n`)
  await daemon.flush()
  const wanted = bytes.slice()
  wanted.fill(0x78, 20 * MiB + 123, 20 * MiB + 4219)
  expect(Buffer.compare(await bytesOf(await bed.volume.head(), '/large'), wanted)).toBe(0)
  const { publishing } = await daemon.status()
  expect(publishing?.uploadedBytes).toBeLessThan(16 * MiB)
})

test('a large new file is in the cache once it is published, and is not fetched again', async () => {
  const file = path.join(scratch(), 'large')
  writeFileSync(file, randomBytes(2, 20 * MiB))
  const daemon = await bed.mount(quick)
  ok(await bed.sh(`cp ${file} {}/large`))
  await daemon.flush()
  await until(async () => (await daemon.status()).fileSystem?.cache?.fileCount === 1)
  expect(await daemon.status()).toMatchObject({ fileSystem: { localBytes: 0 } })
  bed.gets.length = 0
  ok(await bed.sh(`cmp ${file} {}/large`))
  const again = await bed.remount(daemon, quick)
  ok(await bed.sh(`cmp ${file} {}/large`))
  expect(bed.gets.filter((key) => key.startsWith('data/'))).toEqual([])
  // Opened for writing and left alone, it is as it was.
  await python(`os.close(os.open('large', os.O_RDWR))`)
  await until(async () => (await again.status()).fileSystem?.cache?.fileCount === 1)
  expect((await again.status()).publishing).toMatchObject({ changeCount: 0 })
})

test('what is stored through a mapping after the file was closed and published is published, too', async () => {
  const daemon = await bed.mount(quick)
  const mapper = python(`fd = os.open('mapped', os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 16384)
memory = mmap.mmap(fd, 16384)
os.close(fd)
memory[0:5] = b'first'
while not os.path.exists('go'): time.sleep(0.05)
memory[0:5] = b'later'
memory[8192:8197] = b'there'
while not os.path.exists('end'): time.sleep(0.05)
memory[1] = 65`)
  await until(async () => (await bytesIn('/mapped'))?.subarray(0, 5).toString() === 'first')
  await daemon.flush()
  ok(await bed.sh('touch {}/go'))
  await until(async () => {
    await daemon.flush()
    const bytes = await bytesIn('/mapped')
    return bytes?.subarray(0, 5).toString() === 'later' && bytes.subarray(8192, 8197).toString() === 'there'
  })
  ok(await bed.sh('touch {}/end'))
  await mapper
  await daemon.flush()
  expect((await bytesIn('/mapped'))?.subarray(0, 5).toString()).toBe('lAter')
})

async function bytesIn(name: string): Promise<Buffer | undefined> {
  const head = await bed.volume.head()
  const { items } = await head.list('/')
  return items.some((item) => `/${item.name}` === name) ? Buffer.from(await bytesOf(head, name)) : undefined
}

test('who reads a file sees what others write into it, however either of them has it open', async () => {
  const bytes = await publishFile('large', 3 * MiB, 3)
  await bed.commit({ op: 'create', path: '/small', content: { kind: 'inline', bytes: bytes.slice(0, 3000) }, size: 3000 })
  await bed.mount(quick)
  expect(
    await python(`for name in ['large', 'small']:
  for isWarm in [False, True]:
    if isWarm: open(name, 'rb').read()
    reader = os.open(name, os.O_RDONLY)
    before = os.pread(reader, 10, 0)
    memory = mmap.mmap(reader, 3000, prot=mmap.PROT_READ)
    memory[0]
    writer = os.open(name, os.O_RDWR)
    os.pwrite(writer, name.encode() + (b'!' if isWarm else b'?'), 0)
    print(os.pread(reader, 6, 0), memory[0:6], os.fstat(reader).st_size)
    os.ftruncate(writer, 100)
    print(len(os.pread(reader, 1000, 0)), os.stat(name).st_size)
    emptied = os.open(name, os.O_RDWR | os.O_TRUNC)
    os.pwrite(emptied, b'anew', 2996)
    print(os.pread(reader, 4, 2996), os.pread(reader, 4, 0))
    for fd in [reader, writer, emptied]: os.close(fd)`),
  ).toBe(
    ['large', 'small']
      .flatMap((name) => ['?', '!'].map((mark) => [`b'${name}${mark}' b'${name}${mark}' ${name === 'large' && mark === '?' ? 3 * MiB : 3000}`, '100 100', String.raw`b'anew' b'\x00\x00\x00\x00'`].join('\n')))
      .join('\n')
      .concat('\n'),
  )
})

test('copies, holes and allocation are what they are on ext4', async () => {
  const bytes = await publishFile('source', 5 * MiB, 4)
  const directory = scratch()
  writeFileSync(path.join(directory, 'source'), bytes)
  const daemon = await bed.mount(quick)
  const script = `cp --reflink=auto source copy && cp --sparse=always source sparse && fallocate -p -o 1M -l 2M copy && fallocate -z -o 4M -l 3M sparse && \
fallocate -l 9M allocated && fallocate -n -l 20M copy && truncate -s 6M source && dd if=copy of=part bs=1M skip=1 seek=3 count=3 conv=notrunc status=none && \
for f in *; do stat -c '%n %s' $f; sha256sum < $f; done; python3 -c "
import os
for name in ['copy', 'part', 'sparse', 'source']:
  fd = os.open(name, os.O_RDONLY)
  at, size = 0, os.fstat(fd).st_size
  while at < size:
    try: data = os.lseek(fd, at, os.SEEK_DATA)
    except OSError: data = size
    if any(os.pread(fd, data - at, at)): print('data in a hole of', name, at, data)
    at = os.lseek(fd, data, os.SEEK_HOLE) if data < size else size"`
  const wanted = ok(await run('sh', '-c', `cd ${directory} && ${script}`))
  expect(ok(await bed.sh(`cd {} && ${script}`))).toBe(wanted)
  await daemon.flush()
  await bed.remount(daemon, { ...quick, cacheDirectory: scratch() })
  expect(ok(await bed.sh('cd {} && for f in *; do stat -c "%n %s" $f; sha256sum < $f; done'))).toBe(wanted.split('\n').slice(0, 10).concat('').join('\n'))
})

/** What the kernel writes by itself, and what comes to us. */
test.each(['ext4', 'tmpfs'])('a disk that fills up takes from the cache first, and then says so to who writes, who loses nothing (%s)', async (kind) => {
  const disk = scratch()
  const image = path.join(scratch(), 'image')
  if (kind === 'tmpfs') ok(await run('mount', '-t', 'tmpfs', '-o', 'size=128m', 'tmpfs', disk))
  else ok(await run('sh', '-c', `truncate -s 140M ${image} && mkfs.ext4 -q -m 0 -J size=4 ${image} && mount -o loop ${image} ${disk}`))
  onTestFinished(async () => void (await run('umount', '-l', disk)))
  for (const seed of [1, 2, 3]) await publishFile(`cached-${seed}`, 20 * MiB, seed)
  const daemon = await bed.mount({ writeBackDelayMs: 600_000, cacheDirectory: path.join(disk, 'cache'), freeBytesMin: 32 * MiB })
  ok(await bed.sh('cat {}/cached-* > /dev/null'))
  expect((await daemon.status()).fileSystem?.cache?.fileCount).toBe(3)
  const written = await python(`fd = os.open('new', os.O_WRONLY | os.O_CREAT)
block, count = bytes(range(256)) * 4096, 0
try:
  while True:
    count += os.write(fd, block[count % len(block):])
    time.sleep(0.02)
except OSError as error: print(error.errno)
print(count // len(block))`)
  const [code, count] = written.split('\n')
  expect(code).toBe('28')
  expect(Number(count)).toBeGreaterThan(100)
  expect((await daemon.status()).fileSystem?.cache?.fileCount).toBe(0)
  expect(await python(`data = open('new', 'rb').read()
print(data[:${Number(count)} * 2**20] == bytes(range(256)) * 4096 * ${Number(count)})
os.truncate('new', 2**20)
print(open('cached-1', 'rb').read(4).hex())`)).toBe(`True\n${Buffer.from(randomBytes(1, 4)).toString('hex')}\n`)
  await daemon.flush()
  expect((await bytesIn('/new'))?.length).toBe(MiB)
}, 20_000)

test('direct reads and writes, and appends of many at once', async () => {
  await publishFile('large', 3 * MiB, 5)
  await bed.mount(quick)
  ok(await bed.sh('dd if=/dev/zero of={}/new bs=4096 count=16 oflag=direct status=none && dd if=/dev/zero of={}/large bs=4096 seek=3 count=16 oflag=direct conv=notrunc status=none'))
  expect(ok(await bed.sh('dd if={}/new bs=4096 iflag=direct status=none | wc -c; dd if={}/large bs=4096 iflag=direct status=none | wc -c'))).toBe(`65536\n${3 * MiB}\n`)
  ok(await bed.sh('for i in 1 2 3 4; do (for j in $(seq 200); do echo "line $i $j" >> {}/log; done) & done; wait'))
  expect(ok(await bed.sh('sort {}/log | uniq | wc -l; wc -l < {}/log'))).toBe('800\n800\n')
})
