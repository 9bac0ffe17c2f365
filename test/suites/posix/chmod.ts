/** Permission bits: who may change them, what that does to times, when set-user-id and set-group-id go. */
import { O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob, kindsButSymlink } from './cases.ts'

export const chmodCases: Cases = {
  'changes the permissions of every kind of file, also through a link, and never the link itself': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind)
      script.ok('chmod', kind, 0o111)
      script.stat(kind, { kind, mode: 0o111 })
      script.ok('symlink', kind, 'link')
      script.lstat('link', { kind: 'symlink', mode: 0o777 })
      script.ok('chmod', 'link', 0o222)
      script.stat('link', { mode: 0o222 })
      script.stat(kind, { mode: 0o222 })
      script.lstat('link', { kind: 'symlink', mode: 0o777 })
      script.fails('EOPNOTSUPP', 'lchmod', 'link', 0o600)
      script.ok('unlink', 'link')
    }
  },

  'keeps each of the twelve bits, and none beside them': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind)
      for (let bit = 1; bit < 0o10000; bit *= 2) {
        script.ok('chmod', kind, bit)
        script.stat(kind, { kind, mode: bit })
      }
      script.ok('chmod', kind, 0o100_777)
      script.stat(kind, { kind, mode: 0o777 })
    }
  },

  'marks the change time, and leaves the others': (script) => {
    const before = kindsButSymlink.map((kind) => {
      script.make(kind, kind)
      return script.stat(kind)
    })
    script.tick()
    for (const [index, kind] of kindsButSymlink.entries()) {
      script.ok('chmod', kind, 0o111)
      const after = script.stat(kind)
      script.check(`chmod marks ctime of a ${kind}`, () => after.stat.ctime > before[index]!.stat.ctime)
      script.check(`chmod leaves mtime and atime of a ${kind}`, () => after.stat.mtime === before[index]!.stat.mtime && after.stat.atime === before[index]!.stat.atime)
    }
  },

  'marks the change time even if the bits stay as they are': (script) => {
    script.make('regular', 'f', { mode: 0o644 })
    const before = script.stat('f')
    script.tick()
    script.ok('chmod', 'f', 0o644)
    const after = script.stat('f')
    script.check('chmod marks ctime', () => after.stat.ctime > before.stat.ctime)
  },

  'EPERM for who is not the owner, and then nothing is changed': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind, { mode: 0o642 })
      script.ok('symlink', kind, `${kind}-link`)
      const before = script.stat(kind)
      script.tick(5)
      script.as(alice).fails('EPERM', 'chmod', kind, 0o111)
      script.as(alice).fails('EPERM', 'chmod', `${kind}-link`, 0o111)
      script.as({ ...alice, groups: [0] }).fails('EPERM', 'chmod', kind, 0o111)
      const after = script.stat(kind, { mode: 0o642 })
      script.check(`ctime of a ${kind} stays`, () => after.stat.ctime === before.stat.ctime)
      script.ok('chown', kind, alice.uid, alice.gid)
      script.as(alice).ok('chmod', kind, 0o600)
      script.as(bob).fails('EPERM', 'chmod', kind, 0o111)
      script.as(alice).ok('chmod', `${kind}-link`, 0o640)
      script.ok('chown', kind, 0, 0)
      script.as(alice).fails('EPERM', 'chmod', kind, 0o111)
      script.stat(kind, { mode: 0o640 })
    }
  },

  'through a descriptor, also of a file that has no name any more': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDONLY, 0o644, 'f')
    script.ok('fchmod', 'f', 0o600)
    script.lstat('f', { mode: 0o600 })
    script.as(alice).fails('EPERM', 'fchmod', 'f', 0o666)
    script.ok('unlink', 'f')
    script.ok('fchmod', 'f', 0o4711)
    script.fstat('f', { mode: 0o4711, nlink: 0 })
    script.ok('open', '.', O.RDONLY | O.DIRECTORY, 0, 'd')
    script.ok('fchmod', 'd', 0o1777)
    script.stat('.', { mode: 0o1777 })
    script.ok('create', 'g', 0o644)
    script.ok('open', 'g', O.PATH, 0, 'path')
    script.fails('EBADF', 'fchmod', 'path', 0o600)
  },

  'set-group-id goes when who asks is not in the group of the file': (script) => {
    script.make('regular', 'f', { mode: 0o755, uid: alice.uid, gid: alice.gid })
    script.as(alice).ok('chmod', 'f', 0o2755)
    script.stat('f', { mode: 0o2755 })
    script.as(alice).ok('chmod', 'f', 0o755)
    script.as({ uid: alice.uid, gid: bob.gid }).ok('chmod', 'f', 0o2755)
    script.stat('f', { mode: 0o755 })
    script.as({ uid: alice.uid, gid: bob.gid }).ok('chmod', 'f', 0o6755)
    script.stat('f', { mode: 0o4755 })
    script.as({ uid: alice.uid, gid: bob.gid, groups: [1, alice.gid] }).ok('chmod', 'f', 0o6755)
    script.stat('f', { mode: 0o6755 })
    script.make('directory', 'd', { uid: alice.uid, gid: alice.gid })
    script.as({ uid: alice.uid, gid: bob.gid }).ok('chmod', 'd', 0o2755)
    script.stat('d', { mode: 0o755 })
  },

  'the sticky bit may be set by any owner, on any kind of file': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind, { uid: alice.uid, gid: alice.gid })
      script.ok('symlink', kind, 'link')
      script.ok('chmod', kind, 0o1621)
      script.stat(kind, { mode: 0o1621 })
      script.ok('chmod', 'link', 0o1700)
      script.stat(kind, { mode: 0o1700 })
      script.as(alice).ok('chmod', kind, 0o1644)
      script.stat(kind, { mode: 0o1644 })
      script.as(alice).ok('chmod', 'link', 0o1640)
      script.stat(kind, { mode: 0o1640 })
      script.ok('unlink', 'link')
    }
  },

  'set-user-id and set-group-id go when somebody without rights writes': (script) => {
    const ways: readonly (readonly [what: string, write: (user: Script) => void])[] = [
      ['write', (user) => void user.returns(1, 'write', 'f', 'x')],
      ['pwrite', (user) => void user.returns(1, 'pwrite', 'f', 'x', 5)],
      ['ftruncate', (user) => void user.ok('ftruncate', 'f', 7)],
      ['fallocate', (user) => void user.ok('fallocate', 'f', 0, 0, 4096)],
    ]
    for (const [what, write] of ways) {
      for (const mode of [0o4777, 0o2777, 0o6777]) {
        script.make('regular', what, { mode })
        script.as(alice).ok('open', what, O.RDWR, 0, 'f')
        write(script.as(alice))
        script.fstat('f', { mode: 0o777 })
        script.stat(what, { mode: 0o777 })
        script.ok('unlink', what)
      }
    }
  },

  'set-user-id and set-group-id go when somebody without rights truncates by name or by opening': (script) => {
    const ways = [(user: Script) => user.ok('truncate', 'f', 1), (user: Script) => user.ok('open', 'f', O.WRONLY | O.TRUNC)]
    for (const way of ways) {
      script.make('regular', 'f', { mode: 0o6777 })
      script.ok('truncate', 'f', 100)
      script.stat('f', { mode: 0o6777 })
      way(script.as(alice))
      script.stat('f', { mode: 0o777 })
      script.ok('unlink', 'f')
    }
  },

  'set-group-id without permission to execute for the group does not go with a write': (script) => {
    script.make('regular', 'f', { mode: 0o2766, gid: alice.gid })
    script.as(alice).ok('open', 'f', O.WRONLY, 0, 'f')
    script.as(alice).ok('write', 'f', 'x')
    script.stat('f', { mode: 0o2766 })
  },

  'the super-user writes, and set-user-id and set-group-id stay': (script) => {
    script.make('regular', 'f', { mode: 0o6777 })
    script.ok('open', 'f', O.RDWR, 0, 'f')
    script.ok('write', 'f', 'x')
    script.ok('ftruncate', 'f', 10)
    script.stat('f', { mode: 0o6777 })
  },

  'a write through a shared mapping marks the times': (script) => {
    script.make('regular', 'f', { mode: 0o644 })
    script.ok('open', 'f', O.RDWR, 0, 'f')
    script.ok('write', 'f', { fill: 'a', length: 4096 })
    script.ok('mmap', 'm', 'f', 4096, 3, 1)
    const before = script.stat('f')
    script.tick()
    script.ok('mapWrite', 'm', 0, 'b')
    script.ok('msync', 'm', 4)
    const after = script.stat('f')
    script.check('the mapping marks mtime and ctime', () => after.stat.mtime > before.stat.mtime && after.stat.ctime > before.stat.ctime)
  },
}
