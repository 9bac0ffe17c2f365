/**
 * Files that were there before: published, and nowhere on this machine but in the volume, when a case begins. What is done to them needs bytes, names and
 * attributes that have to be fetched, or must not be. Each case has a tree of its own, made by `prepare`.
 */
import { AT, FALLOC, MAP, MS, O, PROT, RENAME } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob } from './cases.ts'

const segment = 65_536
const segmentCount = 24
export const bigSize = segment * segmentCount

/** The letter that a place in `big` is filled with. */
function letterAt(offset: number): string {
  return String.fromCodePoint(97 + Math.floor(offset / segment))
}

const bigText = Array.from({ length: segmentCount }, (_, index) => letterAt(index * segment).repeat(segment)).join('')

function bigBytes(start: number, length: number): string {
  return bigText.slice(start, start + length)
}

/** The whole of it, with other bytes in places; longer when they are past its end. */
function changedBig(length: number, changes: readonly (readonly [offset: number, text: string])[]): string {
  const bytes = Buffer.alloc(length)
  bytes.write(bigText, 'latin1')
  for (const [offset, text] of changes) bytes.write(text, offset, 'latin1')
  return bytes.toString('latin1')
}

const second = 1_000_000_000n

/** What each case finds: `big`, `small`, `empty`, `sparse`, `d` with names, `link`, `hard` and `other`, `pipe`, `tagged`, `old`. */
export function prepare(script: Script): void {
  script.ok('open', 'big', O.CREAT | O.RDWR, 0o644, 'f')
  for (let index = 0; index < segmentCount; index += 1) script.ok('pwrite', 'f', { fill: letterAt(index * segment), length: segment }, index * segment)
  script.ok('open', 'small', O.CREAT | O.RDWR, 0o640, 'f')
  script.ok('write', 'f', { fill: 's', length: 1000 })
  script.ok('create', 'empty', 0o600)
  script.ok('open', 'sparse', O.CREAT | O.RDWR, 0o644, 'f')
  script.ok('pwrite', 'f', { fill: 'x', length: 100_000 }, 0)
  script.ok('pwrite', 'f', { fill: 'y', length: 100_000 }, 16 * 2 ** 20)
  script.ok('mkdir', 'd', 0o755)
  for (let index = 0; index < 30; index += 1) script.ok('create', `d/n${String(index).padStart(2, '0')}`, 0o644)
  script.ok('mkdir', 'd/below', 0o755)
  script.ok('symlink', 'small', 'link')
  script.ok('open', 'hard', O.CREAT | O.RDWR, 0o644, 'f')
  script.ok('write', 'f', { fill: 'h', length: 5000 })
  script.ok('link', 'hard', 'other')
  script.ok('mkfifo', 'pipe', 0o600)
  script.ok('create', 'tagged', 0o644)
  script.ok('setxattr', 'tagged', 'user.tag', 'blue')
  script.ok('setxattr', 'tagged', 'trusted.tag', 'green')
  script.ok('create', 'old', 0o4750)
  script.ok('chown', 'old', alice.uid, bob.gid)
  script.ok('chmod', 'old', 0o4750)
  script.ok('utimensat', 'old', [1_000_000_000, 5], [1_100_000_000, 123_456_789])
}

const names = Array.from({ length: 30 }, (_, index) => `n${String(index).padStart(2, '0')}`)

const contentCases: Cases = {
  'are as they were left': (script) => {
    script.lstat('big', { kind: 'regular', size: bigSize, mode: 0o644, nlink: 1 })
    script.lstat('old', { mode: 0o4750, uid: alice.uid, gid: bob.gid, atime: 1_000_000_000n * second + 5n, mtime: 1_100_000_000n * second + 123_456_789n })
    script.lstat('link', { kind: 'symlink' })
    script.gives('small', 'readlink', 'link')
    script.lstat('pipe', { kind: 'fifo', mode: 0o600 })
    script.lists(['trusted.tag', 'user.tag'], 'listxattr', 'tagged')
    script.gives('blue', 'getxattr', 'tagged', 'user.tag')
    script.lists(['below', ...names], 'list', 'd')
    script.stat('d', { nlink: 3 })
    script.stat('hard', { nlink: 2 })
    script.ok('open', 'big', O.RDONLY, 0, 'f')
    script.gives(bigBytes(segment - 5, 10), 'pread', 'f', 10, segment - 5)
    script.gives(bigBytes(0, bigSize), 'read', 'f', bigSize + 1)
  },

  'a few bytes are written in the middle': (script) => {
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.ok('pwrite', 'f', 'HELLO', 10 * segment + 100)
    script.fstat('f', { size: bigSize })
    script.gives(`${bigBytes(10 * segment + 95, 5)}HELLO${bigBytes(10 * segment + 105, 5)}`, 'pread', 'f', 15, 10 * segment + 95)
    script.on('second').ok('open', 'big', O.RDONLY, 0, 'f')
    script.on('second').gives(`HELLO${bigBytes(10 * segment + 105, 3 * segment)}`, 'pread', 'f', 3 * segment + 5, 10 * segment + 100)
    script.ok('close', 'f')
    script.ok('open', 'big', O.RDONLY, 0, 'f')
    script.gives(`${bigBytes(0, 10 * segment + 100)}HELLO`, 'pread', 'f', 10 * segment + 105, 0)
  },

  'pieces are written everywhere, across segments': (script) => {
    script.ok('open', 'big', O.RDWR, 0, 'f')
    const offsets = [0, 5, 4095, 4096, segment - 1, 3 * segment - 10, 7 * segment + 1234, 20 * segment, bigSize - 1]
    for (const offset of offsets) script.ok('pwrite', 'f', { fill: '!', length: 20 }, offset)
    script.fstat('f', { size: bigSize + 19 })
    const whole = script.ok('pread', 'f', 2 * bigSize, 0)
    script.check('all else is as it was', () => whole.data === changedBig(bigSize + 19, offsets.map((offset) => [offset, '!'.repeat(20)])))
  },

  'cut, and grown again: zeros': (script) => {
    script.ok('truncate', 'big', 5 * segment + 7)
    script.stat('big', { size: 5 * segment + 7 })
    script.ok('truncate', 'big', bigSize)
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.gives(`${bigBytes(5 * segment, 7)}\0\0\0`, 'pread', 'f', 10, 5 * segment)
    script.gives('\0'.repeat(100), 'pread', 'f', 200, bigSize - 100)
    script.ok('ftruncate', 'f', 3)
    script.ok('pwrite', 'f', 'end', 100)
    script.gives(`aaa${'\0'.repeat(97)}end`, 'pread', 'f', 1000, 0)
  },

  'appended to, and written past the end': (script) => {
    script.ok('open', 'big', O.WRONLY | O.APPEND, 0, 'f')
    script.ok('write', 'f', 'appended')
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.gives(`${bigBytes(bigSize - 3, 3)}appended`, 'pread', 'f', 100, bigSize - 3)
    script.ok('pwrite', 'f', 'far', 2 * bigSize)
    script.gives('\0far', 'pread', 'f', 100, 2 * bigSize - 1)
    script.gives('d\0', 'pread', 'f', 2, bigSize + 7)
  },

  'emptied by opening: who has it open sees that': (script) => {
    script.on('second').ok('open', 'big', O.RDONLY, 0, 'r')
    script.on('second').gives('aaa', 'pread', 'r', 3, 0)
    script.ok('open', 'big', O.WRONLY | O.TRUNC, 0, 'f')
    script.stat('big', { size: 0 })
    script.on('second').fstat('r', { size: 0 })
    script.on('second').gives('', 'pread', 'r', 3, 0)
    script.ok('write', 'f', 'new')
    script.on('second').gives('new', 'pread', 'r', 10, 0)
  },

  'mapped and written, before and after it is written otherwise': (script) => {
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.ok('mmap', 'm', 'f', bigSize, PROT.READ | PROT.WRITE, MAP.SHARED)
    script.gives(bigBytes(12 * segment - 2, 4), 'mapRead', 'm', 12 * segment - 2, 4)
    script.ok('mapWrite', 'm', 12 * segment - 2, 'MAP!')
    script.gives(`${bigBytes(12 * segment - 4, 2)}MAP!${bigBytes(12 * segment + 2, 2)}`, 'pread', 'f', 8, 12 * segment - 4)
    script.ok('pwrite', 'f', 'write', 2 * segment)
    script.gives('write', 'mapRead', 'm', 2 * segment, 5)
    script.ok('msync', 'm', MS.SYNC)
    script.ok('munmap', 'm')
    script.ok('close', 'f')
    script.ok('open', 'big', O.RDONLY, 0, 'f')
    script.gives('MAP!', 'pread', 'f', 4, 12 * segment - 2)
    script.gives('write', 'pread', 'f', 5, 2 * segment)
  },

  'mapped before somebody else opens it for writing': (script) => {
    script.on('second').ok('open', 'big', O.RDONLY, 0, 'r')
    script.on('second').ok('mmap', 'm', 'r', bigSize, PROT.READ, MAP.SHARED)
    script.on('second').gives('aaa', 'mapRead', 'm', 100, 3)
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.ok('pwrite', 'f', 'new', 100)
    script.on('second').gives('new', 'mapRead', 'm', 100, 3)
    script.on('second').gives('new', 'pread', 'r', 3, 100)
    script.on('second').gives(bigBytes(9 * segment, 3), 'mapRead', 'm', 9 * segment, 3)
  },

  'punched, zeroed and allocated': (script) => {
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.ok('fallocate', 'f', FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, 3 * segment + 5, 4 * segment)
    script.ok('fallocate', 'f', FALLOC.ZERO_RANGE, 15 * segment - 5, 10)
    script.ok('fallocate', 'f', 0, bigSize, 1000)
    const whole = script.ok('pread', 'f', 2 * bigSize, 0)
    const zeros = [[3 * segment + 5, '\0'.repeat(4 * segment)], [15 * segment - 5, '\0'.repeat(10)]] as const
    script.check('zeros are there, and all else is as it was', () => whole.data === changedBig(bigSize + 1000, zeros))
  },

  'copied in the kernel, out of and into it': (script) => {
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.ok('open', 'new', O.CREAT | O.RDWR, 0o644, 'n')
    const whole = script.try('copyFileRange', 'f', 0, 'n', 0, bigSize)
    script.check('it is copied whole, or not at all', () => whole.value === bigSize || ['EOPNOTSUPP', 'EXDEV'].includes(whole.outcome.error ?? ''))
    script.ok('pwrite', 'n', 'changed', 5 * segment)
    script.gives(bigBytes(5 * segment, 7), 'pread', 'f', 7, 5 * segment)
    script.returns(10, 'copyFileRange', 'n', 5 * segment, 'f', 20 * segment, 10)
    script.gives('changed', 'pread', 'f', 7, 20 * segment)
    script.returns(0, 'run', '/bin/cp', ['--sparse=never', 'big', 'copy'])
    script.returns(0, 'run', '/usr/bin/cmp', ['big', 'copy'])
  },

  'read and written around the kernel\'s cache': (script) => {
    script.ok('open', 'big', O.RDWR | O.DIRECT, 0, 'f')
    script.gives(bigBytes(segment - 4096, 8192), 'preadAligned', 'f', 8192, segment - 4096)
    script.ok('pwriteAligned', 'f', { fill: 'Z', length: 4096 }, segment)
    script.gives(`${bigBytes(segment - 4096, 4096)}${'Z'.repeat(4096)}${bigBytes(segment + 4096, 4096)}`, 'preadAligned', 'f', 12_288, segment - 4096)
    script.ok('open', 'big', O.RDONLY, 0, 'r')
    script.gives(`ZZ${bigBytes(segment + 4096, 2)}`, 'pread', 'r', 4, segment + 4094)
  },

  'small: written, grown, emptied, mapped': (script) => {
    script.ok('open', 'small', O.RDWR, 0, 'f')
    script.ok('pwrite', 'f', 'X', 500)
    script.gives('sXs', 'pread', 'f', 3, 499)
    script.ok('ftruncate', 'f', 10_000)
    script.gives('s\0', 'pread', 'f', 2, 999)
    script.ok('mmap', 'm', 'f', 4096, PROT.READ | PROT.WRITE, MAP.SHARED)
    script.gives('sXs', 'mapRead', 'm', 499, 3)
    script.ok('mapWrite', 'm', 499, 'YYY')
    script.gives('YYY', 'pread', 'f', 3, 499)
    script.ok('open', 'empty', O.RDWR, 0, 'e')
    script.gives('', 'pread', 'e', 10, 0)
    script.ok('write', 'e', 'no more')
    script.stat('empty', { size: 7 })
    script.ok('truncate', 'hard', 10)
    script.stat('other', { size: 10, nlink: 2 })
  },

  'holes stay holes, and are written into': (script) => {
    const before = script.stat('sparse', { size: 16 * 2 ** 20 + 100_000 })
    script.check('it has a size', () => before.stat.size > 0)
    script.ok('open', 'sparse', O.RDWR, 0, 'f')
    script.gives('x\0', 'pread', 'f', 2, 99_999)
    script.gives('\0y', 'pread', 'f', 2, 16 * 2 ** 20 - 1)
    script.ok('pwrite', 'f', 'middle', 8 * 2 ** 20)
    script.gives('\0middle\0', 'pread', 'f', 8, 8 * 2 ** 20 - 1)
    script.gives('y'.repeat(10), 'pread', 'f', 20, 16 * 2 ** 20 + 99_990)
  },

  'two processes write pieces of one file': (script) => {
    for (let index = 0; index < 20; index += 1) {
      const own = script.on(index % 2 === 0 ? 'first' : 'second')
      if (index < 2) own.ok('open', 'big', O.RDWR, 0, 'f')
      own.ok('pwrite', 'f', `<${String(index).padStart(2, '0')}>`, index * segment + 77)
    }
    for (let index = 0; index < 20; index += 1) {
      const other = script.on(index % 2 === 0 ? 'second' : 'first')
      other.gives(`<${String(index).padStart(2, '0')}>${letterAt(index * segment)}`, 'pread', 'f', 5, index * segment + 77)
    }
  },

  'removed while it is open': (script) => {
    script.ok('open', 'big', O.RDWR, 0, 'f')
    script.ok('open', 'small', O.RDONLY, 0, 's')
    script.ok('unlink', 'big')
    script.ok('unlink', 'small')
    script.fstat('f', { nlink: 0, size: bigSize })
    script.gives(bigBytes(13 * segment - 1, 2), 'pread', 'f', 2, 13 * segment - 1)
    script.ok('pwrite', 'f', 'still', 13 * segment)
    script.gives('still', 'pread', 'f', 5, 13 * segment)
    script.gives('ss', 'pread', 's', 2, 5)
    script.ok('create', 'big', 0o644)
    script.stat('big', { size: 0 })
    script.fails('ENOENT', 'stat', 'link')
  },
}

const nameCases: Cases = {
  'names are added, removed and moved in a directory': (script) => {
    script.ok('create', 'd/new', 0o644)
    script.ok('unlink', 'd/n07')
    script.ok('rename', 'd/n08', 'd/moved')
    script.ok('rename', 'd/n09', 'gone-out')
    script.ok('rename', 'small', 'd/come-in')
    script.ok('mkdir', 'd/below/deep', 0o755)
    script.lists(['below', 'come-in', 'moved', ...names.filter((name) => !['n07', 'n08', 'n09'].includes(name)), 'new'].toSorted(), 'list', 'd')
    script.gone('d/n07')
    script.stat('gone-out', { kind: 'regular' })
    script.stat('d', { nlink: 3 })
    script.stat('d/below', { nlink: 3 })
    script.fails('EEXIST', 'create', 'd/n10', 0o644)
    script.fails('ENOTEMPTY', 'rmdir', 'd')
  },

  'a directory is emptied and removed': (script) => {
    for (const name of names) script.ok('unlink', `d/${name}`)
    script.fails('ENOTEMPTY', 'rmdir', 'd')
    script.ok('rmdir', 'd/below')
    script.stat('d', { nlink: 2 })
    script.lists([], 'list', 'd')
    script.ok('rmdir', 'd')
    script.gone('d')
    script.ok('mkdir', 'd', 0o700)
    script.lists([], 'list', 'd')
  },

  'a directory moves with all that is in it, without looking at it': (script) => {
    script.ok('mkdir', 'e', 0o755)
    script.ok('rename', 'd', 'e/d')
    script.lists(['below', ...names], 'list', 'e/d')
    script.stat('e', { nlink: 3 })
    script.ok('unlink', 'e/d/n00')
    script.ok('rename', 'e/d', 'd')
    script.gone('d/n00')
    script.stat('d/n01', { kind: 'regular' })
    script.fails('EINVAL', 'rename', 'd', 'd/below/x')
  },

  'new over old, old over new, and both at once': (script) => {
    script.ok('open', 'new', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'new')
    script.ok('rename', 'new', 'big')
    script.stat('big', { size: 3, nlink: 1 })
    script.ok('create', 'another', 0o644)
    script.ok('rename', 'small', 'another')
    script.stat('another', { size: 1000 })
    script.ok('rename', 'another', 'big', RENAME.EXCHANGE)
    script.stat('big', { size: 1000 })
    script.stat('another', { size: 3 })
    script.fails('EEXIST', 'rename', 'big', 'old', RENAME.NOREPLACE)
    script.ok('rename', 'd', 'hard', RENAME.EXCHANGE)
    script.stat('d', { kind: 'regular', nlink: 2 })
    script.lists(['below', ...names], 'list', 'hard')
    script.fails('ENOTEMPTY', 'rename', 'hard/below', 'hard')
  },

  'several names of one file: one changes, the other sees it; one goes, the other counts one': (script) => {
    script.ok('open', 'hard', O.RDWR, 0, 'h')
    script.ok('open', 'other', O.RDONLY, 0, 'o')
    script.ok('pwrite', 'h', 'shared', 0)
    script.gives('sharedh', 'pread', 'o', 7, 0)
    script.ok('link', 'other', 'third')
    script.stat('hard', { nlink: 3 })
    script.ok('unlink', 'hard')
    script.fstat('h', { nlink: 2 })
    script.ok('chmod', 'third', 0o600)
    script.stat('other', { mode: 0o600, nlink: 2 })
    script.ok('rename', 'other', 'third')
    for (const name of ['other', 'third']) script.stat(name, { nlink: 2 })
  },

  'attributes change, content does not': (script) => {
    script.ok('chmod', 'big', 0o600)
    script.ok('chown', 'big', alice.uid, alice.gid)
    script.ok('utimensat', 'big', [1, 2], [3, 4])
    script.ok('setxattr', 'big', 'user.new', 'value')
    script.stat('big', { mode: 0o600, uid: alice.uid, size: bigSize, atime: second + 2n, mtime: 3n * second + 4n })
    script.ok('setxattr', 'tagged', 'user.tag', 'red')
    script.ok('removexattr', 'tagged', 'trusted.tag')
    script.gives('red', 'getxattr', 'tagged', 'user.tag')
    script.ok('chown', 'old', 0, -1)
    script.stat('old', { mode: 0o750, uid: 0, gid: bob.gid, mtime: 1_100_000_000n * second + 123_456_789n })
    script.ok('utimensat', 'link', [5, 6], [7, 8], AT.SYMLINK_NOFOLLOW)
    script.lstat('link', { mtime: 7n * second + 8n })
    script.ok('chmod', 'd', 0o1777)
    script.ok('chmod', 'pipe', 0o666)
    script.ok('open', 'big', O.RDONLY, 0, 'f')
    script.gives(bigBytes(8 * segment - 2, 4), 'pread', 'f', 4, 8 * segment - 2)
    script.stat('big', { mtime: 3n * second + 4n })
  },

  'everything goes': (script) => {
    for (const name of ['big', 'small', 'empty', 'sparse', 'd', 'link', 'hard', 'other', 'pipe', 'tagged', 'old']) script.ok('removeTree', name)
    script.lists([], 'list', '.')
  },

  'everything goes and comes again as something else': (script) => {
    for (const name of ['big', 'small', 'd', 'hard']) script.ok('removeTree', name)
    script.ok('mkdir', 'big', 0o700)
    script.ok('create', 'big/x', 0o644)
    script.ok('symlink', 'big', 'small')
    script.ok('create', 'd', 0o644)
    script.ok('mkfifo', 'hard', 0o644)
    script.stat('other', { nlink: 1 })
    script.stat('small/x', { kind: 'regular' })
    script.stat('link', { kind: 'directory' })
  },
}

export const publishedCases: Cases = { ...contentCases, ...nameCases }
