/** O_TMPFILE: files without a name, which may get one. */
import { AT, O } from '../../support/posix-calls.ts'
import { type Cases, alice, bob } from './cases.ts'

export const tmpfileCases: Cases = {
  'has no name, and is a file in all else': (script) => {
    const before = script.stat('.')
    script.tick()
    script.as({ uid: 0, gid: 0, umask: 0o27 }).ok('open', '.', O.TMPFILE | O.RDWR, 0o666, 't')
    script.fstat('t', { kind: 'regular', mode: 0o640, nlink: 0, size: 0 })
    script.lists([], 'list', '.')
    script.returns(5, 'write', 't', 'hello')
    script.gives('hello', 'pread', 't', 10, 0)
    script.ok('ftruncate', 't', 100_000)
    script.fstat('t', { size: 100_000 })
    script.ok('fsync', 't')
    const after = script.stat('.')
    script.check('the directory was not marked', () => after.stat.mtime === before.stat.mtime)
    script.ok('close', 't')
    script.lists([], 'list', '.')
  },

  'gets a name by its descriptor, and then more': (script) => {
    script.ok('open', '.', O.TMPFILE | O.RDWR, 0o644, 't')
    script.ok('write', 't', 'hello')
    const before = script.stat('.')
    script.tick()
    script.ok('link', { at: 't', path: '' }, 'a', AT.EMPTY_PATH)
    const after = script.stat('.')
    script.check('the directory was marked', () => after.stat.mtime > before.stat.mtime)
    script.lstat('a', { nlink: 1, size: 5 })
    script.ok('link', { at: 't', path: '' }, 'b', AT.EMPTY_PATH)
    script.lstat('b', { nlink: 2 })
    script.fails('EEXIST', 'link', { at: 't', path: '' }, 'a', AT.EMPTY_PATH)
    script.ok('pwrite', 't', 'J', 0)
    script.ok('close', 't')
    script.ok('open', 'b', O.RDONLY, 0, 'b')
    script.gives('Jello', 'read', 'b', 10)
    script.ok('unlink', 'a')
    script.lstat('b', { nlink: 1 })
  },

  'with O_EXCL gets none': (script) => {
    script.ok('open', '.', O.TMPFILE | O.RDWR | O.EXCL, 0o644, 't')
    script.fails('ENOENT', 'link', { at: 't', path: '' }, 'a', AT.EMPTY_PATH)
    script.gone('a')
  },

  'belongs to who made it, in a directory that he may write in': (script) => {
    script.as(alice).fails('EACCES', 'open', '.', O.TMPFILE | O.RDWR, 0o644)
    script.ok('mkdir', 'd', 0o755)
    script.ok('chown', 'd', alice.uid, bob.gid)
    script.ok('chmod', 'd', 0o2755)
    script.as(alice).ok('open', 'd', O.TMPFILE | O.WRONLY, 0o600, 't')
    script.fstat('t', { uid: alice.uid, gid: bob.gid, mode: 0o600 })
    script.ok('rmdir', 'd')
    script.as(alice).ok('write', 't', 'x')
    script.fstat('t', { nlink: 0, size: 1 })
  },

  'is for writing, in a directory': (script) => {
    script.fails('EINVAL', 'open', '.', O.TMPFILE | O.RDONLY, 0o644)
    script.make('regular', 'f')
    script.fails('ENOTDIR', 'open', 'f', O.TMPFILE | O.RDWR, 0o644)
    script.fails('ENOENT', 'open', 'missing', O.TMPFILE | O.RDWR, 0o644)
  },
}
