/** Hard links: one file under several names. */
import { AT, O } from '../../support/posix-calls.ts'
import { type Cases, alice, bob, kinds, plainKinds } from './cases.ts'

export const linkCases: Cases = {
  'all names lead to one file of any kind, until the last one goes': (script) => {
    for (const kind of plainKinds) {
      script.make(kind, 'a')
      const first = script.lstat('a', { kind, nlink: 1 })
      script.ok('link', 'a', 'b')
      for (const name of ['a', 'b']) script.lstat(name, { kind, nlink: 2 })
      script.ok('link', 'b', 'c')
      for (const name of ['a', 'b', 'c']) script.lstat(name, { kind, nlink: 3 })
      const third = script.lstat('c')
      script.check(`the inode of a ${kind} is the same`, () => third.stat.ino === first.stat.ino)
      script.ok('chmod', 'b', 0o201)
      script.ok('chown', 'b', alice.uid, bob.gid)
      for (const name of ['a', 'b', 'c']) script.lstat(name, { kind, mode: 0o201, nlink: 3, uid: alice.uid, gid: bob.gid })
      script.ok('unlink', 'a')
      script.gone('a')
      for (const name of ['b', 'c']) script.lstat(name, { kind, mode: 0o201, nlink: 2, uid: alice.uid, gid: bob.gid })
      script.ok('unlink', 'c')
      script.gone('c')
      script.lstat('b', { kind, mode: 0o201, nlink: 1, uid: alice.uid, gid: bob.gid })
      script.ok('unlink', 'b')
      for (const name of ['a', 'b', 'c']) script.gone(name)
    }
  },

  'content is the same under all names': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.ok('open', 'a', O.CREAT | O.RDWR, 0o644, 'a')
    script.ok('write', 'a', 'hello')
    script.ok('link', 'a', 'd/b')
    script.ok('open', 'd/b', O.RDWR, 0, 'b')
    script.gives('hello', 'pread', 'b', 10, 0)
    script.ok('pwrite', 'b', 'J', 0)
    script.gives('Jello', 'pread', 'a', 10, 0)
    script.ok('truncate', 'a', 2)
    script.stat('d/b', { size: 2, nlink: 2 })
    script.ok('unlink', 'a')
    script.gives('Je', 'pread', 'b', 10, 0)
    script.gives('Je', 'pread', 'a', 10, 0)
  },

  'marks the change time of the file, and the directory': (script) => {
    for (const kind of plainKinds) script.make(kind, kind)
    const before = plainKinds.map((kind) => script.lstat(kind))
    for (const [index, kind] of plainKinds.entries()) {
      const directory = script.stat('.')
      script.tick()
      script.ok('link', kind, `${kind}-2`)
      const after = script.lstat(kind)
      const directoryAfter = script.stat('.')
      script.check(`ctime of a ${kind} is now, mtime stays`, () => after.stat.ctime > before[index]!.stat.ctime && after.stat.mtime === before[index]!.stat.mtime)
      script.check('the directory is marked', () => directoryAfter.stat.ctime > directory.stat.ctime && directoryAfter.stat.mtime > directory.stat.mtime)
    }
  },

  'a link that is refused marks nothing': (script) => {
    for (const kind of plainKinds) {
      script.make(kind, kind, { uid: alice.uid })
      const before = script.lstat(kind)
      const directory = script.stat('.')
      script.tick(5)
      script.as(alice).fails('EACCES', 'link', kind, 'new')
      script.fails('EEXIST', 'link', kind, kind)
      const after = script.lstat(kind, { nlink: 1 })
      const directoryAfter = script.stat('.')
      script.check('nothing is marked', () => after.stat.ctime === before.stat.ctime && directoryAfter.stat.ctime === directory.stat.ctime && directoryAfter.stat.mtime === directory.stat.mtime)
    }
  },

  'EEXIST: the new name is taken by any kind of file': (script) => {
    script.make('regular', 'f')
    for (const kind of kinds) {
      script.make(kind, 'taken')
      script.fails('EEXIST', 'link', 'f', 'taken')
      script.remove(kind, 'taken')
    }
    script.stat('f', { nlink: 1 })
  },

  'EPERM: a directory has one name, whoever asks': (script) => {
    script.ok('chmod', '.', 0o777)
    script.ok('mkdir', 'd', 0o755)
    script.fails('EPERM', 'link', 'd', 'e')
    script.as(alice).ok('mkdir', 'mine', 0o755)
    script.as(alice).fails('EPERM', 'link', 'mine', 'e')
    script.fails('EPERM', 'link', '.', 'e')
    script.lists(['d', 'mine'], 'list', '.')
  },

  'ENOENT: there is nothing to link, or no more': (script) => {
    script.fails('ENOENT', 'link', 'f', 'g')
    script.make('regular', 'f')
    script.ok('link', 'f', 'g')
    script.ok('unlink', 'f')
    script.fails('ENOENT', 'link', 'f', 'h')
    script.ok('link', 'g', 'f')
  },

  'a symbolic link is linked itself, unless it is to be followed': (script) => {
    script.make('regular', 'target')
    script.make('symlink', 'l')
    script.ok('link', 'l', 'same')
    script.lstat('same', { kind: 'symlink', nlink: 2 })
    script.ok('link', 'l', 'followed', AT.SYMLINK_FOLLOW)
    script.lstat('followed', { kind: 'regular', nlink: 2 })
    script.ok('unlink', 'l')
    script.lstat('same', { kind: 'symlink', nlink: 1 })
    script.gives('target', 'readlink', 'same')
  },

  'an open file gets a name by its descriptor': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'x')
    script.ok('link', { at: 'f', path: '' }, 'g', AT.EMPTY_PATH)
    script.lstat('g', { nlink: 2, size: 1 })
    script.ok('unlink', 'f')
    script.ok('unlink', 'g')
    script.fstat('f', { nlink: 0 })
    script.fails('ENOENT', 'link', { at: 'f', path: '' }, 'h', AT.EMPTY_PATH)
    script.gone('h')
  },

  'many names are counted': (script) => {
    script.make('regular', 'f')
    for (let index = 0; index < 1000; index += 1) script.ok('link', 'f', `l${index}`)
    script.stat('f', { nlink: 1001 })
    for (let index = 0; index < 1000; index += 1) script.ok('unlink', `l${index}`)
    script.stat('f', { nlink: 1 })
  },

  'between directories, by who may write in both': (script) => {
    for (const name of ['a', 'b']) {
      script.ok('mkdir', name, 0o755)
      script.ok('chown', name, alice.uid, alice.gid)
    }
    script.as(alice).ok('create', 'a/f', 0o644)
    script.as(alice).ok('link', 'a/f', 'b/g')
    script.as(alice).ok('unlink', 'b/g')
    script.ok('chmod', 'b', 0o555)
    script.as(alice).fails('EACCES', 'link', 'a/f', 'b/g')
    script.ok('chmod', 'a', 0o555)
    script.as(alice).fails('EACCES', 'link', 'a/f', 'a/g')
    script.ok('chmod', 'b', 0o755)
    script.as(alice).ok('link', 'a/f', 'b/g')
    script.ok('chmod', 'a', 0o644)
    script.as(alice).fails('EACCES', 'link', 'a/f', 'b/h')
  },
}
