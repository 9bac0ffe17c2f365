/** Bytes of files: holes, ranges, copies, appending by many, reading and writing around the kernel's cache. */
import { FALLOC, MAP, O, PROT, SEEK } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice } from './cases.ts'

const mebi = 2 ** 20

/** 64 KiB of data at 0 and at 8 MiB, nothing between. */
function sparse(script: Script, name = 'f'): void {
  script.ok('open', name, O.CREAT | O.RDWR, 0o644, name)
  script.ok('pwrite', name, { fill: 'a', length: 65_536 }, 0)
  script.ok('pwrite', name, { fill: 'b', length: 65_536 }, 8 * mebi)
}

const punch = FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE

export const dataCases: Cases = {
  'what was written is read, by all descriptors, at once': (script) => {
    script.ok('open', 'f', O.CREAT | O.WRONLY, 0o644, 'w')
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.on('second').ok('open', 'f', O.RDONLY, 0, 'r')
    let offset = 0
    for (const length of [1, 10, 4095, 4096, 4097, 65_536, 131_073, 1]) {
      const fill = String.fromCharCode(97 + (length % 26))
      script.returns(length, 'write', 'w', { fill, length })
      offset += length
      script.stat('f', { size: offset })
      script.gives(fill, 'pread', 'r', 10, offset - 1)
      script.on('second').gives(fill, 'pread', 'r', 10, offset - 1)
      script.on('second').fstat('r', { size: offset })
    }
  },

  'descriptors have a place each, copies of one share it': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'a')
    script.ok('write', 'a', '0123456789')
    script.ok('open', 'f', O.RDONLY, 0, 'b')
    script.ok('dup', 'b', 'c')
    script.gives('012', 'read', 'b', 3)
    script.gives('345', 'read', 'c', 3)
    script.returns(6, 'lseek', 'b', 0, SEEK.CUR)
    script.returns(10, 'lseek', 'a', 0, SEEK.CUR)
    script.returns(8, 'lseek', 'a', -2, SEEK.END)
    script.gives('89', 'read', 'a', 10)
    script.gives('', 'read', 'a', 10)
    script.returns(100, 'lseek', 'a', 100, SEEK.SET)
    script.gives('', 'read', 'a', 10)
    script.ok('write', 'a', 'x')
    script.stat('f', { size: 101 })
    script.fails('EINVAL', 'lseek', 'a', 0, 9)
  },

  'a hole is zeros, and takes no room': (script) => {
    sparse(script)
    script.ok('fsync', 'f')
    const stat = script.stat('f', { size: 8 * mebi + 65_536 })
    script.check('the hole takes no room', () => stat.stat.blocks * 512 >= 131_072 && stat.stat.blocks * 512 < mebi)
    script.gives('aa\0\0', 'pread', 'f', 4, 65_534)
    script.gives('\0\0bb', 'pread', 'f', 4, 8 * mebi - 2)
    script.gives('\0'.repeat(5000), 'pread', 'f', 5000, 4 * mebi)
  },

  'SEEK_DATA and SEEK_HOLE': (script) => {
    sparse(script)
    script.returns(0, 'lseek', 'f', 0, SEEK.DATA)
    script.returns(1000, 'lseek', 'f', 1000, SEEK.DATA)
    script.returns(65_536, 'lseek', 'f', 0, SEEK.HOLE)
    script.returns(8 * mebi, 'lseek', 'f', 65_536, SEEK.DATA)
    script.returns(4 * mebi, 'lseek', 'f', 4 * mebi, SEEK.HOLE)
    script.returns(8 * mebi + 65_536, 'lseek', 'f', 8 * mebi, SEEK.HOLE)
    script.fails('ENXIO', 'lseek', 'f', 8 * mebi + 65_536, SEEK.DATA)
    script.fails('ENXIO', 'lseek', 'f', 8 * mebi + 65_536, SEEK.HOLE)
    script.fails('ENXIO', 'lseek', 'f', 100 * mebi, SEEK.DATA)
    script.fails('ENXIO', 'lseek', 'f', -1, SEEK.DATA)
    script.ok('ftruncate', 'f', 16 * mebi)
    script.fails('ENXIO', 'lseek', 'f', 9 * mebi, SEEK.DATA)
    script.returns(9 * mebi, 'lseek', 'f', 9 * mebi, SEEK.HOLE)
    script.ok('fallocate', 'f', punch, 0, 16 * mebi)
    script.fails('ENXIO', 'lseek', 'f', 0, SEEK.DATA)
    script.returns(0, 'lseek', 'f', 0, SEEK.HOLE)
    script.ok('open', 'empty', O.CREAT | O.RDWR, 0o644, 'empty')
    script.fails('ENXIO', 'lseek', 'empty', 0, SEEK.DATA)
    script.fails('ENXIO', 'lseek', 'empty', 0, SEEK.HOLE)
  },

  'a file with bytes in it takes room, written down or not': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    for (const length of [1, 100_000]) {
      script.ok('write', 'f', { fill: 'x', length })
      for (const name of ['first', 'second']) {
        const stat = script.on(name).stat('f')
        // A small file may stand in its inode; tar takes a file without any block for a hole.
        script.check('it takes room', () => stat.stat.blocks > 0)
      }
    }
  },

  'SEEK_DATA and SEEK_HOLE take no data for a hole': (script) => {
    sparse(script)
    for (const offset of [0, 1000, 65_535, 8 * mebi, 8 * mebi + 65_535]) script.returns(offset, 'lseek', 'f', offset, SEEK.DATA)
    const hole = script.ok('lseek', 'f', 0, SEEK.HOLE)
    script.check('the first hole is after the data', () => hole.value >= 65_536)
    script.returns(8 * mebi + 65_536, 'lseek', 'f', 8 * mebi, SEEK.HOLE)
    script.fails('ENXIO', 'lseek', 'f', 8 * mebi + 65_536, SEEK.DATA)
    script.on('second').ok('open', 'f', O.RDONLY, 0, 'r')
    script.on('second').returns(1000, 'lseek', 'r', 1000, SEEK.DATA)
  },

  'a hole is punched: zeros, room given back, size and neighbours as they were': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', { fill: 'x', length: mebi })
    script.ok('fsync', 'f')
    const before = script.stat('f')
    script.tick()
    script.ok('fallocate', 'f', punch, 100_000, 600_001)
    const after = script.stat('f', { size: mebi })
    script.check('room was given back, and the file marked', () => after.stat.blocks < before.stat.blocks && after.stat.mtime > before.stat.mtime && after.stat.ctime > before.stat.ctime)
    script.gives('xx\0\0', 'pread', 'f', 4, 99_998)
    script.gives('\0\0xx', 'pread', 'f', 4, 699_999)
    script.gives('\0'.repeat(600_001), 'pread', 'f', 600_001, 100_000)
    script.ok('fallocate', 'f', punch, mebi - 10, 5 * mebi)
    script.stat('f', { size: mebi })
    script.gives('xx\0\0\0\0\0\0\0\0\0\0', 'pread', 'f', 100, mebi - 12)
    script.ok('fallocate', 'f', punch, 0, mebi)
    script.ok('close', 'f')
    script.stat('f', { size: mebi, blocks: 0 })
  },

  'a range is zeroed, and the file grows unless it is to keep its size': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', { fill: 'x', length: 100_000 })
    script.ok('fallocate', 'f', FALLOC.ZERO_RANGE, 10_000, 5_001)
    script.gives('xx\0\0', 'pread', 'f', 4, 9998)
    script.gives('\0\0xx', 'pread', 'f', 4, 14_999)
    script.ok('fallocate', 'f', FALLOC.ZERO_RANGE | FALLOC.KEEP_SIZE, 99_998, 50_000)
    script.stat('f', { size: 100_000 })
    script.ok('fallocate', 'f', FALLOC.ZERO_RANGE, 99_999, 50_001)
    script.stat('f', { size: 150_000 })
    script.gives('x\0\0\0', 'pread', 'f', 4, 99_997)
  },

  'a range is copied in the kernel, between files and within one': (script) => {
    script.ok('open', 'a', O.CREAT | O.RDWR, 0o644, 'a')
    script.ok('open', 'b', O.CREAT | O.RDWR, 0o644, 'b')
    script.ok('write', 'a', '0123456789')
    script.ok('write', 'b', 'abcdefghij')
    script.returns(5, 'copyFileRange', 'a', 2, 'b', 4, 5)
    script.gives('abcd23456j', 'pread', 'b', 100, 0)
    script.returns(3, 'copyFileRange', 'a', 7, 'b', 100, 50)
    script.stat('b', { size: 103 })
    script.gives('\x00789', 'pread', 'b', 100, 99)
    script.returns(0, 'copyFileRange', 'a', 10, 'b', 0, 5)
    script.returns(0, 'copyFileRange', 'a', 1000, 'b', 0, 5)
    script.returns(2, 'copyFileRange', 'a', 0, 'a', 8, 2)
    script.gives('0123456701', 'pread', 'a', 100, 0)
    script.fails('EINVAL', 'copyFileRange', 'a', 0, 'a', 1, 5)
    script.ok('lseek', 'a', 1, SEEK.SET)
    script.ok('lseek', 'b', 0, SEEK.SET)
    script.returns(3, 'copyFileRange', 'a', null, 'b', null, 3)
    script.returns(4, 'lseek', 'a', 0, SEEK.CUR)
    script.returns(3, 'lseek', 'b', 0, SEEK.CUR)
    script.gives('123d', 'pread', 'b', 4, 0)
  },

  'a large copy is the same bytes, and the copy is marked': (script) => {
    sparse(script, 'a')
    script.ok('open', 'b', O.CREAT | O.RDWR, 0o644, 'b')
    const before = script.stat('b')
    script.tick()
    script.returns(8 * mebi + 65_536, 'copyFileRange', 'a', 0, 'b', 0, 16 * mebi)
    const after = script.stat('b', { size: 8 * mebi + 65_536 })
    script.check('the copy is marked', () => after.stat.mtime > before.stat.mtime)
    script.gives('aa\0\0', 'pread', 'b', 4, 65_534)
    script.gives('\0\0bb', 'pread', 'b', 4, 8 * mebi - 2)
    script.ok('pwrite', 'b', 'changed', 0)
    script.gives('aaaaaaa', 'pread', 'a', 7, 0)
  },

  'a copy is refused by descriptors that cannot': (script) => {
    script.ok('open', 'a', O.CREAT | O.RDWR, 0o644, 'a')
    script.ok('write', 'a', '0123456789')
    script.ok('open', 'b', O.CREAT | O.RDWR | O.APPEND, 0o644, 'append')
    script.ok('open', 'b', O.RDONLY, 0, 'r')
    script.ok('open', 'b', O.WRONLY, 0, 'w')
    script.fails('EBADF', 'copyFileRange', 'a', 0, 'append', 0, 5)
    script.fails('EBADF', 'copyFileRange', 'a', 0, 'r', 0, 5)
    script.fails('EBADF', 'copyFileRange', 'w', 0, 'a', 0, 5)
    script.ok('open', '.', O.RDONLY, 0, 'd')
    script.fails(['EISDIR', 'EBADF'], 'copyFileRange', 'd', 0, 'a', 0, 5)
    script.fails('EINVAL', 'copyFileRange', 'a', 0, 'w', 0, 5, 1)
    script.ok('mkfifo', 'p', 0o600)
    script.ok('open', 'p', O.RDWR, 0, 'p')
    script.fails('EINVAL', 'copyFileRange', 'p', null, 'a', 0, 5)
    script.stat('b', { size: 0 })
  },

  'sendfile sends a file into another': (script) => {
    script.ok('open', 'a', O.CREAT | O.RDWR, 0o644, 'a')
    script.ok('write', 'a', { fill: 'x', length: 100_000 })
    script.ok('open', 'b', O.CREAT | O.RDWR, 0o644, 'b')
    script.returns(99_000, 'sendfile', 'b', 'a', 1000, 200_000)
    script.stat('b', { size: 99_000 })
    script.gives('x', 'pread', 'b', 10, 98_999)
  },

  'several processes append, and no line is lost or torn': async (script) => {
    const names = ['first', 'second', 'third', 'fourth']
    script.ok('create', 'f', 0o666)
    for (const name of names) script.on(name).ok('open', 'f', O.WRONLY | O.APPEND, 0, 'a')
    await script.run()
    const lineOf = (name: string, index: number): string => `${name.padEnd(10)}${String(index).padStart(5)}${'-'.repeat(84)}\n`
    const agents = await Promise.all(names.map((name) => script.agent(name)))
    const count = 250
    await Promise.all(agents.map((agent, which) => agent.run(Array.from({ length: count }, (_, index) => ({ call: ['write', 'a', lineOf(names[which]!, index)] as const })))))
    script.stat('f', { size: names.length * count * 100 })
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    const all = script.ok('read', 'r', names.length * count * 100 + 1)
    script.check('every line is there, whole, in the order in which its process wrote it', () => {
      const lines = all.data.split('\n')
      return names.every((name) => {
        const mine = lines.filter((line) => line.startsWith(name.padEnd(10)))
        return mine.length === count && mine.every((line, index) => `${line}\n` === lineOf(name, index))
      })
    })
  },

  'O_DIRECT reads and writes what others read and write': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('open', 'f', O.RDWR | O.DIRECT, 0, 'direct')
    script.ok('pwrite', 'f', { fill: 'a', length: 16_384 }, 0)
    script.gives('a'.repeat(8192), 'preadAligned', 'direct', 8192, 4096)
    script.returns(4096, 'pwriteAligned', 'direct', { fill: 'b', length: 4096 }, 4096)
    script.gives('aabb', 'pread', 'f', 4, 4094)
    script.ok('pwrite', 'f', 'c', 4096)
    script.gives(`c${'b'.repeat(4095)}`, 'preadAligned', 'direct', 4096, 4096)
    script.returns(8192, 'pwriteAligned', 'direct', { fill: 'd', length: 8192 }, 16_384)
    script.stat('f', { size: 24_576 })
    script.gives('add', 'pread', 'f', 3, 16_383)
    script.gives('', 'preadAligned', 'direct', 4096, 24_576)
    script.gives('d'.repeat(4096), 'preadAligned', 'direct', 16_384, 20_480)
    script.ok('ftruncate', 'f', 24_000)
    script.gives('d'.repeat(3520), 'preadAligned', 'direct', 4096, 20_480)
  },

  'O_DIRECT and a mapping see each other': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR | O.DIRECT, 0o644, 'f')
    script.returns(8192, 'pwriteAligned', 'f', { fill: 'a', length: 8192 }, 0)
    script.ok('mmap', 'm', 'f', 8192, PROT.READ | PROT.WRITE, MAP.SHARED)
    script.gives('aa', 'mapRead', 'm', 4000, 2)
    script.returns(4096, 'pwriteAligned', 'f', { fill: 'b', length: 4096 }, 0)
    script.gives('bb', 'mapRead', 'm', 4000, 2)
    script.ok('mapWrite', 'm', 4096, 'map')
    script.ok('msync', 'm', 4)
    const read = script.ok('preadAligned', 'f', 4096, 4096)
    script.check('the mapping was read', () => read.data.startsWith('mapa'))
  },

  'O_SYNC, O_DSYNC, fsync, fdatasync and syncfs': (script) => {
    for (const flags of [O.SYNC, O.DSYNC]) {
      script.ok('open', 'f', O.CREAT | O.RDWR | flags, 0o644, 'f')
      script.returns(5, 'write', 'f', 'hello')
      script.gives('hello', 'pread', 'f', 10, 0)
    }
    script.ok('fsync', 'f')
    script.ok('fdatasync', 'f')
    script.ok('syncfs', 'f')
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.ok('fsync', 'r')
    script.ok('open', '.', O.RDONLY, 0, 'd')
    script.ok('fsync', 'd')
    script.ok('fdatasync', 'd')
    script.ok('unlink', 'f')
    script.ok('fsync', 'f')
    script.ok('mkfifo', 'p', 0o600)
    script.ok('open', 'p', O.RDWR, 0, 'p')
    script.fails('EINVAL', 'fsync', 'p')
  },

  'O_NOATIME is for the owner': (script) => {
    script.make('regular', 'f', { mode: 0o666 })
    script.ok('open', 'f', O.RDONLY | O.NOATIME)
    script.as(alice).fails('EPERM', 'open', 'f', O.RDONLY | O.NOATIME)
    script.ok('chown', 'f', alice.uid, alice.gid)
    script.as(alice).ok('open', 'f', O.RDONLY | O.NOATIME)
  },

  'a program that runs is not written, and one that is written does not run': async (script) => {
    script.returns(0, 'run', '/bin/cp', ['/bin/sleep', 'program'])
    const started = script.ok('spawn', './program', ['60'])
    await script.run()
    for (const flags of [O.WRONLY, O.RDWR, O.WRONLY | O.TRUNC]) script.fails('ETXTBSY', 'open', 'program', flags)
    script.fails('ETXTBSY', 'truncate', 'program', 10)
    script.ok('open', 'program', O.RDONLY)
    script.ok('rename', 'program', 'other')
    script.ok('unlink', 'other')
    script.ok('kill', started.value)
    script.returns(0, 'run', '/bin/cp', ['/bin/true', 'program'])
    script.returns(0, 'run', './program', [])
    script.ok('open', 'program', O.WRONLY, 0, 'w')
    script.fails('ETXTBSY', 'spawn', './program', [])
    script.ok('close', 'w')
    script.returns(0, 'run', './program', [])
    script.ok('chmod', 'program', 0o644)
    script.fails('EACCES', 'spawn', './program', [])
  },
}
