/** What open does with each kind of file, and its flags. */
import { O } from '../../support/posix-calls.ts'
import { type Cases, alice, bob, kinds } from './cases.ts'

export const openCases: Cases = {
  'O_CREAT of a file that is there opens it, and marks nothing': (script) => {
    script.ok('create', 'f', 0o600)
    const before = script.stat('f')
    const directory = script.stat('.')
    script.tick()
    for (const flags of [O.RDONLY, O.WRONLY, O.RDWR]) script.ok('open', 'f', O.CREAT | flags, 0o777)
    const after = script.stat('f', { mode: 0o600, uid: 0 })
    const directoryAfter = script.stat('.')
    script.check('nothing is marked', () => after.stat.mtime === before.stat.mtime && after.stat.ctime === before.stat.ctime && directoryAfter.stat.mtime === directory.stat.mtime && directoryAfter.stat.ctime === directory.stat.ctime)
  },

  'O_TRUNC empties a file and marks its times, also an empty one': (script) => {
    script.ok('open', 'f', O.CREAT | O.WRONLY, 0o644, 'w')
    script.ok('write', 'w', 'test\n')
    script.stat('f', { size: 5 })
    for (let round = 0; round < 2; round += 1) {
      const before = script.stat('f')
      script.tick()
      script.ok('open', 'f', O.WRONLY | O.TRUNC)
      const after = script.stat('f', { size: 0 })
      script.check('mtime and ctime are now', () => after.stat.mtime > before.stat.mtime && after.stat.ctime > before.stat.ctime)
    }
    script.ok('write', 'w', 'more')
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.gives('\0\0\0\0\0more', 'read', 'r', 100)
  },

  'O_TRUNC with O_RDONLY empties too': (script) => {
    script.ok('create', 'f', 0o644)
    script.ok('truncate', 'f', 9)
    script.ok('open', 'f', O.RDONLY | O.TRUNC)
    script.stat('f', { size: 0 })
  },

  'O_EXCL: a name is made once, a link to nothing is a name': (script) => {
    for (const kind of kinds) {
      script.make(kind, 'taken')
      for (const flags of [O.RDONLY, O.WRONLY, O.RDWR, O.RDWR | O.TRUNC, O.RDONLY | O.NOFOLLOW]) script.fails('EEXIST', 'open', 'taken', O.CREAT | O.EXCL | flags, 0o644)
      script.remove(kind, 'taken')
    }
    script.ok('symlink', 'nothing', 'l')
    script.fails('EEXIST', 'open', 'l', O.CREAT | O.EXCL | O.RDWR, 0o644)
    script.gone('nothing')
    script.ok('open', 'l', O.CREAT | O.RDWR, 0o644)
    script.lstat('nothing', { kind: 'regular' })
  },

  'EISDIR: a directory is not opened for writing': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.ok('open', 'd', O.RDONLY)
    for (const flags of [O.WRONLY, O.RDWR, O.RDONLY | O.TRUNC, O.WRONLY | O.TRUNC, O.RDWR | O.TRUNC, O.RDONLY | O.CREAT, O.RDWR | O.CREAT]) script.fails('EISDIR', 'open', 'd', flags, 0o644)
  },

  'EISDIR: a directory is not read or written as bytes': (script) => {
    script.ok('open', '.', O.RDONLY, 0, 'd')
    script.fails('EISDIR', 'read', 'd', 10)
    script.fails('EISDIR', 'pread', 'd', 10, 0)
    script.fails('EBADF', 'write', 'd', 'x')
    script.fails('EINVAL', 'ftruncate', 'd', 0)
    script.fails('EISDIR', 'truncate', '.', 0)
  },

  'ELOOP: O_NOFOLLOW does not follow the last link, and follows the others': (script) => {
    script.make('regular', 'target')
    script.ok('symlink', 'target', 'l')
    script.ok('symlink', '.', 'here')
    for (const flags of [O.RDONLY, O.WRONLY, O.RDWR, O.RDONLY | O.CREAT]) script.fails('ELOOP', 'open', 'l', flags | O.NOFOLLOW, 0o644)
    script.ok('open', 'target', O.RDONLY | O.NOFOLLOW)
    script.ok('open', 'here/target', O.RDONLY | O.NOFOLLOW)
    script.fails('ENOTDIR', 'open', 'here', O.RDONLY | O.NOFOLLOW | O.DIRECTORY)
    script.ok('open', 'l', O.PATH | O.NOFOLLOW, 0, 'p')
    script.fstat('p', { kind: 'symlink' })
    script.gives('target', 'readlink', { at: 'p', path: '' })
  },

  'ENOTDIR: O_DIRECTORY opens directories alone': (script) => {
    for (const kind of kinds) {
      script.make(kind, kind)
      if (kind === 'directory') script.ok('open', kind, O.DIRECTORY)
      else script.fails(kind === 'symlink' ? 'ENOENT' : 'ENOTDIR', 'open', kind, O.DIRECTORY)
    }
    script.fails('EINVAL', 'open', 'new', O.DIRECTORY | O.CREAT, 0o755)
  },

  'ENXIO: a socket is not opened': (script) => {
    script.ok('bind', 's')
    for (const flags of [O.RDONLY, O.WRONLY, O.RDWR]) script.fails('ENXIO', 'open', 's', flags)
    script.ok('open', 's', O.PATH)
  },

  'ENXIO: a fifo that nobody reads is not opened for writing without waiting': (script) => {
    script.ok('mkfifo', 'p', 0o644)
    script.fails('ENXIO', 'open', 'p', O.WRONLY | O.NONBLOCK)
    script.ok('open', 'p', O.RDONLY | O.NONBLOCK, 0, 'r')
    script.ok('open', 'p', O.WRONLY | O.NONBLOCK)
  },

  'odd combinations of the access mode are refused or taken': (script) => {
    script.ok('create', 'f', 0o644)
    for (const flags of [O.RDONLY | O.RDWR, O.WRONLY | O.RDWR]) script.try('open', 'f', flags)
    // 3 asks for both permissions, and gives a descriptor for neither reading nor writing.
    script.ok('open', 'f', 3, 0, 'f')
    script.fails('EBADF', 'read', 'f', 1)
    script.fails('EBADF', 'write', 'f', 'x')
  },

  'a descriptor reads or writes as it was opened, whatever becomes of the permissions': (script) => {
    script.make('regular', 'f', { mode: 0o600, uid: alice.uid, gid: alice.gid })
    script.as(alice).ok('open', 'f', O.WRONLY, 0, 'w')
    script.as(alice).ok('open', 'f', O.RDONLY, 0, 'r')
    script.ok('chmod', 'f', 0)
    script.ok('chown', 'f', bob.uid, bob.gid)
    script.as(alice).ok('write', 'w', 'x')
    script.as(alice).gives('x', 'read', 'r', 5)
    script.as(alice).fails('EBADF', 'write', 'r', 'x')
    script.as(alice).fails('EBADF', 'read', 'w', 1)
    script.as(alice).fails('EINVAL', 'ftruncate', 'r', 0)
  },

  'O_APPEND writes at the end, wherever the descriptor stands': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR | O.APPEND, 0o644, 'a')
    script.ok('open', 'f', O.RDWR, 0, 'b')
    script.returns(3, 'write', 'a', 'one')
    script.returns(3, 'pwrite', 'b', 'TWO', 3)
    script.returns(0, 'lseek', 'a', 0, 0)
    script.returns(5, 'write', 'a', 'three')
    script.returns(11, 'lseek', 'a', 0, 1)
    // As Linux has it: pwrite appends too.
    script.returns(1, 'pwrite', 'a', '!', 0)
    script.gives('oneTWOthree!', 'pread', 'b', 100, 0)
    script.stat('f', { size: 12 })
  },

  'O_APPEND can be taken and given up on an open descriptor': (script) => {
    const setFlags = 4
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'abc')
    script.ok('fcntl', 'f', setFlags, O.APPEND)
    script.ok('lseek', 'f', 0, 0)
    script.ok('write', 'f', 'def')
    script.ok('fcntl', 'f', setFlags, 0)
    script.ok('lseek', 'f', 0, 0)
    script.ok('write', 'f', 'X')
    script.gives('Xbcdef', 'pread', 'f', 100, 0)
  },

  'beyond 2 GiB and 4 GiB a file is written and read': (script) => {
    for (const offset of [2 ** 31 - 1, 2 ** 31 + 1, 2 ** 32, 2 ** 33 + 5]) {
      script.ok('open', 'f', O.CREAT | O.RDWR | O.TRUNC, 0o755, 'f')
      script.returns(1, 'pwrite', 'f', 'a', offset)
      script.lstat('f', { size: offset + 1 })
      script.gives('a', 'pread', 'f', 1, offset)
      script.gives('\0\0', 'pread', 'f', 2, offset - 2)
      script.gives('', 'pread', 'f', 1, offset + 1)
    }
  },

  'relative to an open directory, wherever that has moved': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    script.ok('rename', 'd', 'e')
    script.ok('create', { at: 'd', path: 'f' }, 0o644)
    script.ok('mkdir', { at: 'd', path: 'g' }, 0o755)
    script.ok('symlink', 'x', { at: 'd', path: 'h' })
    script.ok('rename', { at: 'd', path: 'f' }, { at: 'd', path: 'i' })
    script.ok('link', { at: 'd', path: 'i' }, 'j')
    script.lists(['g', 'h', 'i'], 'list', 'e')
    script.stat('j', { nlink: 2 })
    script.fails('ENOTDIR', 'open', { at: 'd', path: 'i/x' }, O.RDONLY)
    script.ok('open', 'j', O.RDONLY, 0, 'file')
    script.fails('ENOTDIR', 'stat', { at: 'file', path: 'x' })
  },
}
