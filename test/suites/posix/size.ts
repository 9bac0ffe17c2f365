/** truncate, ftruncate, fallocate and posix_fallocate: sizes, holes, limits, times. */
import { FALLOC, O, SEEK } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, plainKinds } from './cases.ts'

/** What ext4 allows with blocks of 4096 bytes; sizes stay below it. */
const sizeMax = 2 ** 44 - 4096

function marks(script: Script, change: () => unknown): void {
  const before = script.stat('f')
  script.tick()
  change()
  const after = script.stat('f')
  script.check('ctime is now', () => after.stat.ctime > before.stat.ctime)
  script.check('mtime is now', () => after.stat.mtime > before.stat.mtime)
}

export const sizeCases: Cases = {
  'a file grows with zeros and shrinks, by name and by descriptor': (script) => {
    const ways = [(size: number) => script.ok('truncate', 'f', size), (size: number) => script.ok('ftruncate', 'f', size)]
    for (const resize of ways) {
      script.ok('open', 'f', O.CREAT | O.TRUNC | O.RDWR, 0o644, 'f')
      script.ok('write', 'f', { fill: 'a', length: 12_345 })
      for (const size of [1_234_567, 567, 23_456, 1, 4096, 4095, 4097, 0, 100_000]) {
        resize(size)
        script.stat('f', { size })
        script.fstat('f', { size })
        script.gives('', 'pread', 'f', 10, size)
      }
      script.gives('\0'.repeat(50), 'pread', 'f', 50, 0)
    }
  },

  'what was cut off comes back as zeros': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', { fill: 'a', length: 10_000 })
    script.ok('ftruncate', 'f', 5000)
    script.ok('ftruncate', 'f', 10_000)
    script.gives('aa\0\0', 'pread', 'f', 4, 4998)
    script.gives('\0'.repeat(5000), 'pread', 'f', 6000, 5000)
    script.ok('ftruncate', 'f', 3)
    script.ok('pwrite', 'f', 'end', 6000)
    script.gives('aaa\0', 'pread', 'f', 4, 0)
    script.gives('\0end', 'pread', 'f', 10, 5999)
  },

  'marks mtime and ctime': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    for (const size of [123, 45, 45]) marks(script, () => script.ok('ftruncate', 'f', size))
    for (const size of [678, 90]) marks(script, () => script.ok('truncate', 'f', size))
  },

  'truncate to the size that it has marks mtime and ctime': (script) => {
    script.ok('create', 'f', 0o644)
    for (const size of [0, 45, 45]) marks(script, () => script.ok('truncate', 'f', size))
  },

  'what is refused marks nothing': (script) => {
    script.ok('create', 'f', 0o644)
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    const before = script.stat('f')
    script.tick()
    script.as(alice).fails('EACCES', 'truncate', 'f', 123)
    script.fails('EINVAL', 'ftruncate', 'r', 123)
    script.fails('EINVAL', 'truncate', 'f', -1)
    const after = script.stat('f', { size: 0 })
    script.check('ctime stays', () => after.stat.ctime === before.stat.ctime)
  },

  'EINVAL: less than nothing': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('open', 'f', O.WRONLY, 0, 'w')
    for (const size of [-1, -999_999, '-9223372036854775808']) {
      script.fails('EINVAL', 'truncate', 'f', size)
      script.fails('EINVAL', 'ftruncate', 'f', size)
      script.fails('EINVAL', 'ftruncate', 'w', size)
    }
    script.fails('EINVAL', 'pread', 'f', 1, -1)
    script.fails('EINVAL', 'pwrite', 'f', 'x', -1)
    script.fails('EINVAL', 'lseek', 'f', -1, SEEK.SET)
    script.stat('f', { size: 0 })
  },

  'EFBIG: more than a file can be; 16 TiB less a page can be': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.fails('EFBIG', 'truncate', 'f', 999_999_999_999_999)
    script.fails(['EFBIG', 'EINVAL'], 'ftruncate', 'f', '9223372036854775807')
    script.stat('f', { size: 0 })
    script.ok('truncate', 'f', sizeMax)
    const empty = script.stat('f', { size: sizeMax })
    script.check('it takes no room', () => empty.stat.blocks <= 8)
    script.gives('\0', 'pread', 'f', 10, sizeMax - 1)
    script.ok('pwrite', 'f', 'end', sizeMax - 3)
    script.gives('\0end', 'pread', 'f', 10, sizeMax - 4)
    script.fails('EFBIG', 'fallocate', 'f', 0, sizeMax, 4096)
    script.ok('fsync', 'f')
    script.stat('f', { size: sizeMax })
  },

  'EFBIG: a write past the largest size; what fits before it is written': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.fails('EFBIG', 'pwrite', 'f', 'x', sizeMax)
    script.fails('EFBIG', 'pwrite', 'f', 'x', '9223372036854775806')
    script.stat('f', { size: 0 })
    script.returns(2, 'pwrite', 'f', 'xyz', sizeMax - 2)
    script.stat('f', { size: sizeMax })
  },

  'EISDIR, EINVAL, ENXIO: what has no size keeps none': (script) => {
    for (const kind of plainKinds) {
      if (kind === 'regular') continue
      script.make(kind, kind)
      script.fails('EINVAL', 'truncate', kind, 10)
    }
    script.ok('mkdir', 'd', 0o755)
    script.fails('EISDIR', 'truncate', 'd', 10)
    script.ok('open', 'd', O.RDONLY, 0, 'd')
    script.fails('EINVAL', 'ftruncate', 'd', 0)
  },

  'posix_fallocate grows a file and marks it': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    const before = script.stat('f')
    script.tick()
    script.ok('posixFallocate', 'f', 0, 567)
    const after = script.stat('f', { size: 567 })
    script.check('ctime is now', () => after.stat.ctime > before.stat.ctime)
    script.ok('pwrite', 'f', { fill: 'a', length: 12_345 }, 0)
    script.ok('posixFallocate', 'f', 20_000, 3456)
    script.stat('f', { size: 23_456 })
    script.ok('posixFallocate', 'f', 5, 10)
    script.stat('f', { size: 23_456 })
    script.gives('aa\0\0', 'pread', 'f', 4, 12_343)
    const quiet = script.stat('f')
    script.fails('EINVAL', 'posixFallocate', 'f', 0, 0)
    script.fails('EINVAL', 'posixFallocate', 'f', -1, 10)
    const still = script.stat('f')
    script.check('ctime stays when it is refused', () => still.stat.ctime === quiet.stat.ctime)
  },

  'fallocate makes room, with and without growing': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('fallocate', 'f', FALLOC.KEEP_SIZE, 0, 1_000_000)
    const kept = script.stat('f', { size: 0 })
    script.check('room was made', () => kept.stat.blocks * 512 >= 1_000_000)
    script.ok('fallocate', 'f', 0, 0, 500_000)
    script.stat('f', { size: 500_000 })
    script.gives('\0'.repeat(10), 'pread', 'f', 10, 499_990)
    script.ok('ftruncate', 'f', 0)
    script.ok('close', 'f')
    script.stat('f', { size: 0, blocks: 0 })
  },

  'fallocate refuses what it cannot do': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.fails('EBADF', 'fallocate', 'r', 0, 0, 10)
    script.fails('EINVAL', 'fallocate', 'f', 0, -1, 10)
    script.fails('EINVAL', 'fallocate', 'f', 0, 0, 0)
    script.fails('EINVAL', 'fallocate', 'f', 0, 0, -5)
    script.fails('EOPNOTSUPP', 'fallocate', 'f', FALLOC.PUNCH_HOLE, 0, 10)
    script.fails('EOPNOTSUPP', 'fallocate', 'f', 0x1000, 0, 10)
    script.ok('open', '.', O.RDONLY, 0, 'd')
    script.fails('EBADF', 'fallocate', 'd', 0, 0, 10)
    script.stat('f', { size: 0 })
  },
}
