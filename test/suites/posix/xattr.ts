/** Extended attributes: values, names, flags, and who may see and set which. */
import { O, XATTR } from '../../support/posix-calls.ts'
import { type Cases, alice, badAddresses, kinds } from './cases.ts'

/** struct vfs_cap_data, revision 2, with CAP_NET_RAW. */
const capability = '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0'

export const xattrCases: Cases = {
  'a value comes back as it was set: empty, of any bytes, of 3000 of them': (script) => {
    script.make('regular', 'f')
    script.make('directory', 'd')
    for (const name of ['f', 'd']) {
      for (const value of ['', 'x', '\0\xff\n\0', 'a'.repeat(255), 'b'.repeat(256), 'c'.repeat(3000)]) {
        script.ok('setxattr', name, 'user.a', value)
        script.gives(value, 'getxattr', name, 'user.a')
        script.returns(value.length, 'getxattr', name, 'user.a', 0)
      }
      script.lists(['user.a'], 'listxattr', name)
      script.ok('removexattr', name, 'user.a')
      script.lists([], 'listxattr', name)
      script.fails('ENODATA', 'getxattr', name, 'user.a')
      script.fails('ENODATA', 'removexattr', name, 'user.a')
    }
  },

  'XATTR_CREATE and XATTR_REPLACE': (script) => {
    script.make('regular', 'f')
    script.fails('ENODATA', 'setxattr', 'f', 'user.a', '1', XATTR.REPLACE)
    script.ok('setxattr', 'f', 'user.a', '2', XATTR.CREATE)
    script.fails('EEXIST', 'setxattr', 'f', 'user.a', '3', XATTR.CREATE)
    script.gives('2', 'getxattr', 'f', 'user.a')
    script.ok('setxattr', 'f', 'user.a', '4', XATTR.REPLACE)
    script.ok('setxattr', 'f', 'user.a', '5')
    script.gives('5', 'getxattr', 'f', 'user.a')
    script.fails('EINVAL', 'setxattr', 'f', 'user.a', '6', 4)
  },

  'ERANGE: the buffer is too small; E2BIG: the value too large': (script) => {
    script.make('regular', 'f')
    script.ok('setxattr', 'f', 'user.a', '12345')
    script.ok('setxattr', 'f', 'user.bcd', '')
    script.fails('ERANGE', 'getxattr', 'f', 'user.a', 4)
    script.gives('12345', 'getxattr', 'f', 'user.a', 5)
    script.returns(7 + 9, 'listxattr', 'f', 0)
    script.fails('ERANGE', 'listxattr', 'f', 15)
    script.lists(['user.a', 'user.bcd'], 'listxattr', 'f', 16)
    script.fails('E2BIG', 'setxattr', 'f', 'user.a', { fill: 'x', length: 65_537 })
    script.gives('12345', 'getxattr', 'f', 'user.a')
  },

  'ERANGE, EOPNOTSUPP, EINVAL: names that are too long, of no kind, or empty': (script) => {
    script.make('regular', 'f')
    const longest = `user.${'n'.repeat(250)}`
    script.ok('setxattr', 'f', longest, 'x')
    script.gives('x', 'getxattr', 'f', longest)
    script.fails('ERANGE', 'setxattr', 'f', `${longest}n`, 'x')
    script.fails('ERANGE', 'getxattr', 'f', `${longest}n`)
    script.fails('ERANGE', 'setxattr', 'f', '', 'x')
    script.fails('EOPNOTSUPP', 'setxattr', 'f', 'nothing.a', 'x')
    script.fails('EOPNOTSUPP', 'getxattr', 'f', 'nothing.a')
    script.fails('EOPNOTSUPP', 'setxattr', 'f', 'a', 'x')
    script.fails('EOPNOTSUPP', 'removexattr', 'f', 'nothing.a')
    script.fails('EINVAL', 'setxattr', 'f', 'user.', 'x')
    for (const address of badAddresses) {
      script.fails('EFAULT', 'setxattr', 'f', address, 'x')
      script.fails('EFAULT', 'getxattr', 'f', address)
      script.fails('EFAULT', 'removexattr', 'f', address)
    }
    script.lists([longest], 'listxattr', 'f')
  },

  'EPERM: users put attributes on files and directories alone': (script) => {
    script.make('regular', 'target')
    for (const kind of kinds) {
      script.make(kind, kind)
      if (kind === 'regular' || kind === 'directory') script.ok('lsetxattr', kind, 'user.a', 'x')
      else script.fails('EPERM', 'lsetxattr', kind, 'user.a', 'x')
      if (kind !== 'regular' && kind !== 'directory') script.fails(['ENODATA', 'EPERM'], 'lgetxattr', kind, 'user.a')
    }
  },

  'trusted attributes are on every kind of file, for the super-user alone': (script) => {
    script.ok('chmod', '.', 0o777)
    for (const kind of kinds) {
      script.make(kind, kind, { uid: alice.uid, gid: alice.gid })
      script.ok('lsetxattr', kind, 'trusted.a', 'secret')
      script.gives('secret', 'lgetxattr', kind, 'trusted.a')
      script.lists(['trusted.a'], 'llistxattr', kind)
      script.as(alice).fails('ENODATA', 'lgetxattr', kind, 'trusted.a')
      script.as(alice).fails('EPERM', 'lsetxattr', kind, 'trusted.a', 'x')
      script.as(alice).fails('EPERM', 'lremovexattr', kind, 'trusted.a')
      script.ok('lremovexattr', kind, 'trusted.a')
      script.lists([], 'llistxattr', kind)
    }
  },

  'security attributes are seen by all, and set by the super-user': (script) => {
    script.make('regular', 'f', { uid: alice.uid, gid: alice.gid })
    script.ok('setxattr', 'f', 'security.a', 'label')
    script.as(alice).gives('label', 'getxattr', 'f', 'security.a')
    script.as(alice).fails('EPERM', 'setxattr', 'f', 'security.a', 'x')
    script.as(alice).lists(['security.a'], 'listxattr', 'f')
  },

  'a capability goes with a write, a truncation, a change of owner': (script) => {
    const ways = [
      () => script.ok('pwrite', 'f', 'x', 0),
      () => script.ok('ftruncate', 'f', 5),
      () => script.ok('truncate', 'f', 7),
      () => script.ok('chown', 'f', alice.uid, alice.gid),
      () => script.ok('open', 'f', O.WRONLY | O.TRUNC),
      () => script.ok('fallocate', 'f', 0, 0, 100),
    ]
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o755, 'f')
    for (const way of ways) {
      script.ok('setxattr', 'f', 'security.capability', capability)
      script.gives(capability, 'getxattr', 'f', 'security.capability')
      script.ok('chmod', 'f', 0o755)
      script.gives(capability, 'getxattr', 'f', 'security.capability')
      way()
      script.fails('ENODATA', 'getxattr', 'f', 'security.capability')
    }
    script.fails('EINVAL', 'setxattr', 'f', 'security.capability', 'no capability')
  },

  'EACCES: who may write the file sets them, who may read it sees them': (script) => {
    script.make('regular', 'f', { mode: 0o644 })
    script.ok('setxattr', 'f', 'user.a', 'x')
    script.as(alice).gives('x', 'getxattr', 'f', 'user.a')
    script.as(alice).fails('EACCES', 'setxattr', 'f', 'user.a', 'y')
    script.as(alice).fails('EACCES', 'removexattr', 'f', 'user.a')
    script.ok('chmod', 'f', 0o622)
    script.as(alice).fails('EACCES', 'getxattr', 'f', 'user.a')
    script.as(alice).ok('setxattr', 'f', 'user.a', 'y')
    script.as(alice).lists(['user.a'], 'listxattr', 'f')
    script.gives('y', 'getxattr', 'f', 'user.a')
    script.ok('mkdir', 'd', 0o777)
    script.ok('chmod', 'd', 0o1777)
    script.as(alice).fails('EPERM', 'setxattr', 'd', 'user.a', 'x')
    script.ok('chown', 'd', alice.uid, alice.gid)
    script.as(alice).ok('setxattr', 'd', 'user.a', 'x')
  },

  'marks the change time, and only when something changes': (script) => {
    script.make('regular', 'f')
    const before = script.stat('f')
    script.tick()
    script.ok('setxattr', 'f', 'user.a', 'x')
    const set = script.stat('f')
    script.check('ctime is now, mtime stays', () => set.stat.ctime > before.stat.ctime && set.stat.mtime === before.stat.mtime)
    script.tick()
    script.fails('EEXIST', 'setxattr', 'f', 'user.a', 'x', XATTR.CREATE)
    script.fails('ENODATA', 'removexattr', 'f', 'user.b')
    const still = script.stat('f')
    script.check('ctime stays when it is refused', () => still.stat.ctime === set.stat.ctime)
    script.ok('removexattr', 'f', 'user.a')
    const removed = script.stat('f')
    script.check('ctime is now', () => removed.stat.ctime > set.stat.ctime)
  },

  'go with the file: other names, renames, descriptors, no name': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('fsetxattr', 'f', 'user.a', 'x')
    script.ok('link', 'f', 'g')
    script.gives('x', 'getxattr', 'g', 'user.a')
    script.ok('rename', 'g', 'h')
    script.ok('setxattr', 'h', 'user.a', 'y')
    script.gives('y', 'getxattr', 'f', 'user.a')
    script.ok('unlink', 'f')
    script.ok('unlink', 'h')
    script.gives('y', 'fgetxattr', 'f', 'user.a')
    script.ok('fsetxattr', 'f', 'user.b', 'z')
    script.gives('z', 'fgetxattr', 'f', 'user.b')
    script.ok('create', 'f', 0o644)
    script.lists([], 'listxattr', 'f')
  },

  'many of them on one file': (script) => {
    script.make('regular', 'f')
    const names = Array.from({ length: 60 }, (_, index) => `user.name-${100 + index}`)
    for (const name of names) script.ok('setxattr', 'f', name, `value of ${name}`)
    script.lists(names, 'listxattr', 'f')
    for (const name of names) script.gives(`value of ${name}`, 'getxattr', 'f', name)
    for (const name of names.filter((_, index) => index % 2 === 0)) script.ok('removexattr', 'f', name)
    script.lists(names.filter((_, index) => index % 2 === 1), 'listxattr', 'f')
  },

  'a name in other letters is another name; any bytes are a name': (script) => {
    script.make('regular', 'f')
    for (const name of ['user.a', 'user.A', 'user.ä', 'user.a b\n', 'user.\udcff\udc80', 'user.a.b']) script.ok('setxattr', 'f', name, name.length.toString())
    script.gives('6', 'getxattr', 'f', 'user.A')
    script.gives('7', 'getxattr', 'f', 'user.\udcff\udc80')
    script.gives('9', 'getxattr', 'f', 'user.a b\n')
  },
}
