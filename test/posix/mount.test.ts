/** A mounted volume, as `edgemount mount` makes it: programs find there what POSIX says, as on a local disk, however it is written and published meanwhile. */
import { type PosixTarget, testPosix } from '../suites/posix.ts'
import { WritableMount } from '../support/writable-mount.ts'

function testMount(name: string, flags: readonly string[] = [], without: Readonly<Record<string, string>> = {}): void {
  const open = async (): Promise<PosixTarget> => {
    const mount = await WritableMount.create('posix', ['--allow-other', ...flags])
    return { directory: mount.folder, isNotOn: mount.directory, dispose: () => mount.dispose() }
  }
  testPosix(name, open, without)
}

testMount('a mounted volume')
testMount('a mounted volume that publishes all the time', ['--write-back-delay', '20ms'])
testMount('a mounted volume that the kernel caches writes of', ['--passthrough', 'off'], {
  'truncate to the size that it has marks mtime and ctime': 'The kernel keeps the times of files that it caches writes of, and marks them when the size changes (fuse_do_setattr).',
  'EFBIG: a write past the largest size; what fits before it is written': 'The kernel takes the write into its cache; fsync and close tell of it.',
  'SEEK_DATA and SEEK_HOLE': 'Only the kernel knows what is in its cache: it is told to take all of a file for data.',
  'what was written past the end in the last page is zeros when the file grows': 'The kernel keeps the page as it is; POSIX leaves open what is there.',
})
