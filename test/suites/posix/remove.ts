/** unlink and rmdir: what goes, what stays usable, who notices. */
import { O } from '../../support/posix-calls.ts'
import { type Cases, alice, kinds, kindsButDirectory, plainKinds } from './cases.ts'

export const removeCases: Cases = {
  'a file of any kind is gone, and once': (script) => {
    for (const kind of kinds) {
      const name = kind === 'directory' ? 'rmdir' : 'unlink'
      script.make(kind, 'x')
      script.lstat('x', { kind })
      script.ok(name, 'x')
      script.gone('x')
      script.fails('ENOENT', name, 'x')
    }
    script.lists([], 'list', '.')
  },

  'marks the directory, and the file that has other names': (script) => {
    for (const kind of plainKinds) {
      script.make(kind, 'a')
      script.ok('link', 'a', 'b')
      const before = script.lstat('a')
      const directory = script.stat('.')
      script.tick()
      script.ok('unlink', 'b')
      const after = script.lstat('a', { nlink: 1 })
      const directoryAfter = script.stat('.')
      script.check(`ctime of a ${kind} is now, mtime stays`, () => after.stat.ctime > before.stat.ctime && after.stat.mtime === before.stat.mtime)
      script.check('the directory is marked', () => directoryAfter.stat.mtime > directory.stat.mtime && directoryAfter.stat.ctime > directory.stat.ctime)
      script.ok('unlink', 'a')
    }
  },

  'marks the directory, for files of every kind': (script) => {
    for (const kind of kinds) script.make(kind, kind)
    for (const kind of kinds) {
      const before = script.stat('.')
      script.tick()
      script.remove(kind, kind)
      const after = script.stat('.')
      script.check(`the directory of a ${kind} is marked`, () => after.stat.mtime > before.stat.mtime && after.stat.ctime > before.stat.ctime)
    }
  },

  'what is refused marks nothing': (script) => {
    for (const kind of kinds) {
      script.make(kind, kind)
      const before = script.lstat(kind)
      const directory = script.stat('.')
      script.tick(5)
      script.as(alice).fails('EACCES', kind === 'directory' ? 'rmdir' : 'unlink', kind)
      const after = script.lstat(kind)
      const directoryAfter = script.stat('.')
      script.check(`nothing of a ${kind} is marked`, () => after.stat.ctime === before.stat.ctime && directoryAfter.stat.ctime === directory.stat.ctime && directoryAfter.stat.mtime === directory.stat.mtime)
    }
  },

  'EISDIR and ENOTDIR: unlink is for files, rmdir for directories': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.fails('EISDIR', 'unlink', 'd')
    script.fails('EISDIR', 'unlink', '.')
    for (const kind of kindsButDirectory) {
      script.make(kind, kind)
      script.fails('ENOTDIR', 'rmdir', kind)
      script.lstat(kind, { kind })
    }
    script.ok('symlink', 'd', 'to-directory')
    script.fails('ENOTDIR', 'rmdir', 'to-directory')
    script.ok('unlink', 'to-directory')
    script.stat('d', { kind: 'directory' })
  },

  'ENOTEMPTY: something of any kind is in the directory': (script) => {
    script.ok('mkdir', 'd', 0o755)
    for (const kind of kinds) {
      script.make(kind, 'd/x')
      script.fails('ENOTEMPTY', 'rmdir', 'd')
      script.remove(kind, 'd/x')
    }
    script.ok('rmdir', 'd')
  },

  'EINVAL, ENOTEMPTY: . and .. are not removed': (script) => {
    script.ok('mkdir', 'a', 0o755)
    script.ok('mkdir', 'a/b', 0o755)
    script.fails('EINVAL', 'rmdir', 'a/b/.')
    script.fails('ENOTEMPTY', 'rmdir', 'a/b/..')
    script.fails('EINVAL', 'rmdir', '.')
    script.fails('EISDIR', 'unlink', 'a/b/..')
  },

  'a directory counts those below it': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.stat('d', { nlink: 2 })
    for (let index = 0; index < 5; index += 1) {
      script.ok('mkdir', `d/${index}`, 0o755)
      script.make('regular', `d/f${index}`)
      script.stat('d', { nlink: 3 + index })
    }
    for (let index = 0; index < 5; index += 1) {
      script.ok('rmdir', `d/${index}`)
      script.ok('unlink', `d/f${index}`)
      script.stat('d', { nlink: 6 - index })
    }
  },

  'an open file without a name is read, written, resized, and counts no names': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'Hello, World!')
    script.ok('unlink', 'f')
    script.fstat('f', { nlink: 0, size: 13 })
    script.gives('Hello, World!', 'pread', 'f', 13, 0)
    script.ok('pwrite', 'f', { fill: 'x', length: 100_000 }, 13)
    script.fstat('f', { size: 100_013 })
    script.gives('!x', 'pread', 'f', 2, 12)
    script.ok('ftruncate', 'f', 5)
    script.gives('Hello', 'pread', 'f', 100, 0)
    script.ok('fsync', 'f')
    script.ok('futimens', 'f', [1, 2], [3, 4])
    script.fstat('f', { mtime: 3_000_000_004n, atime: 1_000_000_002n })
    script.lists([], 'list', '.')
    script.ok('create', 'f', 0o600)
    const other = script.stat('f', { size: 0 })
    const old = script.fstat('f')
    script.check('the new file is another one', () => other.stat.ino !== old.stat.ino)
    script.ok('close', 'f')
    script.stat('f', { size: 0, nlink: 1 })
  },

  'a name is free at once, for a file of any kind': (script) => {
    for (const first of kinds) {
      for (const second of kinds) {
        script.make(first, 'x')
        script.remove(first, 'x')
        script.make(second, 'x')
        script.lstat('x', { kind: second })
        script.remove(second, 'x')
      }
    }
  },

  'a removed directory with somebody in it has nothing in it, and nothing can be made in it': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    script.ok('rmdir', 'd')
    script.fstat('d', { nlink: 0 })
    script.fails('ENOENT', 'getdents', 'd')
    for (const kind of kinds) {
      const at = { at: 'd', path: 'x' }
      if (kind === 'directory') script.fails('ENOENT', 'mkdir', at, 0o755)
      else if (kind === 'symlink') script.fails('ENOENT', 'symlink', 'y', at)
      else script.fails('ENOENT', 'mknod', at, kind, 0o644, 1, 2)
    }
    script.fails('ENOENT', 'open', { at: 'd', path: 'x' }, O.CREAT | O.RDWR, 0o644)
    script.ok('create', 'f', 0o644)
    script.fails('ENOENT', 'rename', 'f', { at: 'd', path: 'f' })
    script.fails('ENOENT', 'link', 'f', { at: 'd', path: 'f' })
    script.fails('ENOENT', 'lstat', { at: 'd', path: 'f' })
    script.stat('f', { nlink: 1 })
  },

  'what is below a removed directory is still used by who has it open': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.ok('open', 'd/f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('unlink', 'd/f')
    script.ok('rmdir', 'd')
    script.ok('write', 'f', 'still here')
    script.gives('still here', 'pread', 'f', 100, 0)
  },
}
