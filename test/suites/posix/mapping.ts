/** Mappings: one content, through memory, reads and writes of all processes. */
import { MAP, MS, O, PROT } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import type { Cases } from './cases.ts'

const both = PROT.READ | PROT.WRITE
const size = 3 * 4096

function mapped(script: Script, flags: number, name = 'm'): void {
  script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
  script.ok('ftruncate', 'f', size)
  script.ok('mmap', name, 'f', size, both, flags)
}

export const mappingCases: Cases = {
  'shared: what one process writes, the other reads, in memory and in the file': (script) => {
    const [a, b] = [script.on('first'), script.on('second')]
    mapped(a, MAP.SHARED)
    b.ok('open', 'f', O.RDWR, 0, 'f')
    b.ok('mmap', 'm', 'f', size, both, MAP.SHARED)
    a.ok('mapWrite', 'm', 5000, 'from a')
    b.gives('from a', 'mapRead', 'm', 5000, 6)
    b.gives('from a', 'pread', 'f', 6, 5000)
    b.ok('mapWrite', 'm', 5000, 'FROM B')
    a.gives('FROM B', 'mapRead', 'm', 5000, 6)
    a.gives('FROM B', 'pread', 'f', 6, 5000)
  },

  'shared: writes of the file are in memory, and the other way, before and after it was synced': (script) => {
    mapped(script, MAP.SHARED)
    script.ok('pwrite', 'f', 'written', 100)
    script.gives('written', 'mapRead', 'm', 100, 7)
    script.ok('mapWrite', 'm', 100, 'W')
    script.ok('pwrite', 'f', '!', 107)
    script.gives('Written!', 'pread', 'f', 8, 100)
    script.ok('msync', 'm', MS.SYNC)
    script.ok('pwrite', 'f', 'again', 100)
    script.gives('again', 'mapRead', 'm', 100, 5)
    script.ok('mapWrite', 'm', 8192, { fill: 'z', length: 4096 })
    script.ok('fsync', 'f')
    script.gives('zzz', 'pread', 'f', 3, 8192)
  },

  'shared: what was written is there after the mapping and the descriptor are gone': (script) => {
    mapped(script, MAP.SHARED)
    script.ok('close', 'f')
    script.ok('mapWrite', 'm', 0, 'start')
    script.ok('mapWrite', 'm', size - 3, 'end')
    script.ok('munmap', 'm')
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.gives('start', 'pread', 'r', 5, 0)
    script.gives('end', 'pread', 'r', 10, size - 3)
    script.stat('f', { size })
  },

  'shared: of a file that has no name any more, and of one that was renamed': (script) => {
    mapped(script, MAP.SHARED)
    script.ok('rename', 'f', 'g')
    script.ok('mapWrite', 'm', 0, 'renamed')
    script.ok('open', 'g', O.RDONLY, 0, 'g')
    script.gives('renamed', 'pread', 'g', 7, 0)
    script.ok('unlink', 'g')
    script.ok('close', 'f')
    script.ok('mapWrite', 'm', 0, 'unnamed')
    script.gives('unnamed', 'pread', 'g', 7, 0)
  },

  'private: what is written stays with who writes it': (script) => {
    mapped(script, MAP.PRIVATE)
    script.ok('pwrite', 'f', 'file', 0)
    script.ok('mapWrite', 'm', 0, 'mine')
    script.gives('mine', 'mapRead', 'm', 0, 4)
    script.gives('file', 'pread', 'f', 4, 0)
    script.ok('munmap', 'm')
    script.gives('file', 'pread', 'f', 4, 0)
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.ok('mmap', 'm', 'r', size, both, MAP.PRIVATE)
    script.ok('mapWrite', 'm', 0, 'x')
    script.gives('xile', 'mapRead', 'm', 0, 4)
    script.gives('file', 'pread', 'r', 4, 0)
  },

  'EACCES: a shared mapping is for writing only when the descriptor is for both': (script) => {
    script.ok('create', 'f', 0o644)
    script.ok('truncate', 'f', size)
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.ok('open', 'f', O.WRONLY, 0, 'w')
    script.fails('EACCES', 'mmap', 'm', 'r', size, both, MAP.SHARED)
    script.fails('EACCES', 'mmap', 'm', 'w', size, PROT.WRITE, MAP.SHARED)
    script.fails('EACCES', 'mmap', 'm', 'w', size, PROT.READ, MAP.SHARED)
    script.ok('mmap', 'm', 'r', size, PROT.READ, MAP.SHARED)
    script.gives('\0\0', 'mapRead', 'm', 10, 2)
  },

  'a file grows under its mapping, and is cut: what is past its end is zeros again': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('ftruncate', 'f', 100)
    script.ok('mmap', 'm', 'f', size, both, MAP.SHARED)
    script.ok('mapWrite', 'm', 0, { fill: 'a', length: 100 })
    script.ok('ftruncate', 'f', size)
    script.gives('aa\0\0', 'pread', 'f', 4, 98)
    script.ok('mapWrite', 'm', 8192, 'grown')
    script.gives('grown', 'pread', 'f', 5, 8192)
    script.ok('ftruncate', 'f', 50)
    script.gives('\0\0', 'mapRead', 'm', 60, 2)
    script.ok('ftruncate', 'f', size)
    script.gives('aa\0\0\0', 'pread', 'f', 5, 48)
    script.gives('\0\0\0\0\0', 'mapRead', 'm', 8192, 5)
  },

  'the last page of a file may be written past the end, and that is not in the file': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'abc')
    script.ok('mmap', 'm', 'f', 4096, both, MAP.SHARED)
    script.ok('mapWrite', 'm', 0, 'xyzpast')
    script.ok('msync', 'm', MS.SYNC)
    script.stat('f', { size: 3 })
    script.gives('xyz', 'pread', 'f', 100, 0)
    script.ok('munmap', 'm')
    script.ok('ftruncate', 'f', 10)
    script.gives('xyz\0\0\0\0\0\0\0', 'pread', 'f', 100, 0)
  },

  'what was written past the end in the last page is zeros when the file grows': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('ftruncate', 'f', 100)
    script.ok('mmap', 'm', 'f', 4096, both, MAP.SHARED)
    script.ok('mapWrite', 'm', 0, { fill: 'a', length: 4096 })
    script.ok('ftruncate', 'f', size)
    script.gives('aa\0\0', 'pread', 'f', 4, 98)
    script.gives('a\0', 'mapRead', 'm', 99, 2)
  },

  'marks mtime and ctime of the file, at the latest when it is synced': (script) => {
    mapped(script, MAP.SHARED)
    const before = script.stat('f')
    script.tick()
    script.ok('mapWrite', 'm', 0, 'x')
    script.ok('msync', 'm', MS.SYNC)
    const after = script.stat('f')
    script.check('mtime and ctime are now', () => after.stat.mtime > before.stat.mtime && after.stat.ctime > before.stat.ctime)
  },

  'several mappings of one file are one memory': (script) => {
    mapped(script, MAP.SHARED)
    script.ok('open', 'f', O.RDWR, 0, 'other')
    script.ok('mmap', 'n', 'other', 4096, both, MAP.SHARED, 4096)
    script.ok('mapWrite', 'm', 4096, 'hello')
    script.gives('hello', 'mapRead', 'n', 0, 5)
    script.ok('mapWrite', 'n', 0, 'J')
    script.gives('Jello', 'mapRead', 'm', 4096, 5)
    script.fails('EINVAL', 'mmap', 'o', 'f', 4096, both, MAP.SHARED, 100)
  },
}
