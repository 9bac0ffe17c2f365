/** Symbolic links: what they lead to is text that nobody looks at before they are followed. */
import { O } from '../../support/posix-calls.ts'
import { type Cases, alice, bob, kinds, longName, longPath, pathBytesMax, tooLongName } from './cases.ts'

export const symlinkCases: Cases = {
  'leads to a file, and to nothing when that is gone': (script) => {
    script.ok('create', 'f', 0o644)
    script.lstat('f', { kind: 'regular', mode: 0o644 })
    script.ok('symlink', 'f', 'l')
    script.lstat('l', { kind: 'symlink', mode: 0o777, size: 1, nlink: 1 })
    script.stat('l', { kind: 'regular', mode: 0o644 })
    script.ok('unlink', 'f')
    script.fails('ENOENT', 'stat', 'l')
    script.gives('f', 'readlink', 'l')
    script.ok('unlink', 'l')
  },

  'leads through directories, relative to where it is': (script) => {
    script.ok('mkdir', 'a', 0o755)
    script.ok('mkdir', 'a/b', 0o755)
    script.ok('create', 'a/f', 0o644)
    script.ok('symlink', '../f', 'a/b/up')
    script.ok('symlink', 'a/b', 'there')
    script.stat('there/up', { kind: 'regular' })
    script.stat('there/../f', { kind: 'regular' })
    script.ok('rename', 'a/b/up', 'up')
    script.fails('ENOENT', 'stat', 'up')
    script.lists([], 'list', 'there')
  },

  'marks the directory, and its own times are now': (script) => {
    const before = script.stat('.')
    script.tick()
    script.ok('symlink', 'test', 'l')
    const after = script.stat('.')
    const link = script.lstat('l')
    script.check('the directory is marked', () => after.stat.mtime > before.stat.mtime && after.stat.ctime > before.stat.ctime)
    script.check('the link is new', () => link.stat.mtime > before.stat.mtime && link.stat.ctime > before.stat.ctime)
  },

  'EEXIST: the name is taken by any kind of file': (script) => {
    for (const kind of kinds) {
      script.make(kind, 'taken')
      script.fails('EEXIST', 'symlink', 'test', 'taken')
      script.remove(kind, 'taken')
    }
  },

  'leads anywhere: long names, all bytes, 4095 of them': (script) => {
    const long = longPath(pathBytesMax).path
    for (const target of [longName, tooLongName, 'a\nb', 'bad\udcff\udc80', '/', '//x//', '.', ' ', long, 'ä'.repeat(2000)]) {
      script.ok('symlink', target, 'l')
      const noted = script.ok('readlink', 'l')
      const size = script.lstat('l')
      script.check(`the link leads to ${target.slice(0, 20)}`, () => noted.data === bytesAsText(target) && size.stat.size === noted.value)
      script.ok('unlink', 'l')
    }
    script.fails('ENAMETOOLONG', 'symlink', `${long}x`, 'l')
    script.fails('ENOENT', 'symlink', '', 'l')
    script.gone('l')
  },

  'readlink gives what fits, and only of links': (script) => {
    script.ok('symlink', 'abcdef', 'l')
    script.gives('abc', 'readlink', 'l', 3)
    script.gives('abcdef', 'readlink', 'l', 6)
    for (const kind of kinds) {
      if (kind === 'symlink') continue
      script.make(kind, kind)
      script.fails('EINVAL', 'readlink', kind)
    }
  },

  'belongs to who made it, and asks nobody for permission': (script) => {
    script.ok('chmod', '.', 0o777)
    script.as(alice).ok('symlink', 'f', 'l')
    script.lstat('l', { uid: alice.uid, gid: alice.gid })
    script.make('regular', 'f', { mode: 0o600, uid: bob.uid, gid: bob.gid })
    script.as(bob).ok('open', 'l', O.RDWR)
    script.as(alice).fails('EACCES', 'open', 'l', O.RDONLY)
    script.as(bob).gives('f', 'readlink', 'l')
  },

  'what is done to a file through a link is done to the file': (script) => {
    script.ok('create', 'f', 0o644)
    script.ok('symlink', 'f', 'l')
    script.ok('chmod', 'l', 0o600)
    script.ok('chown', 'l', 1, 2)
    script.ok('truncate', 'l', 7)
    script.ok('utimensat', 'l', [5, 0], [6, 0])
    script.lstat('f', { mode: 0o600, uid: 1, gid: 2, size: 7, mtime: 6_000_000_000n })
    script.lstat('l', { kind: 'symlink', uid: 0, gid: 0, size: 1 })
  },
}

function bytesAsText(name: string): string {
  return name.replaceAll(/[\udc80-\udcff]/g, (unit) => String.fromCharCode(unit.charCodeAt(0) - 0xdc00)).replaceAll(/[ä]/g, 'Ã¤')
}
