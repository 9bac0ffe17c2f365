/** POSIX ACLs: who they let in, what they do to permission bits, how directories hand them on. */
import { type Credential, O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob, carol, kinds } from './cases.ts'

const tags = { user: 1, namedUser: 2, group: 4, namedGroup: 8, mask: 16, other: 32 } as const
type Entry = readonly [tag: keyof typeof tags, permissions: number, id?: number]

/** The value of `system.posix_acl_*`: version 2, then tag, permissions and id of each entry (linux/posix_acl_xattr.h). */
function aclOf(...entries: readonly Entry[]): string {
  const view = new DataView(new ArrayBuffer(4 + 8 * entries.length))
  view.setUint32(0, 2, true)
  entries.forEach(([tag, permissions, id = 0xffffffff], index) => {
    view.setUint16(4 + 8 * index, tags[tag], true)
    view.setUint16(6 + 8 * index, permissions, true)
    view.setUint32(8 + 8 * index, id, true)
  })
  return Buffer.from(view.buffer).toString('latin1')
}

const access = 'system.posix_acl_access'
const inherited = 'system.posix_acl_default'

/** Alice reads and writes, the group of carol reads, under a mask. */
function letIn(mask: number): string {
  return aclOf(['user', 6], ['namedUser', 6, alice.uid], ['group', 0], ['namedGroup', 4, carol.gid], ['mask', mask], ['other', 0])
}

const openFlags = [[4, O.RDONLY], [2, O.WRONLY], [6, O.RDWR]] as const

function expectAccess(script: Script, who: Credential, name: string, permissions: number): void {
  for (const [needed, flags] of openFlags) {
    if ((permissions & needed) === needed) script.as(who).ok('open', name, flags)
    else script.as(who).fails('EACCES', 'open', name, flags)
  }
}

export const aclCases: Cases = {
  'named users and groups are let in, within the mask': (script) => {
    script.make('regular', 'f', { mode: 0o600, uid: bob.uid, gid: bob.gid })
    expectAccess(script, alice, 'f', 0)
    script.ok('setxattr', 'f', access, letIn(6))
    script.gives(letIn(6), 'getxattr', 'f', access)
    script.stat('f', { mode: 0o660 })
    expectAccess(script, bob, 'f', 6)
    expectAccess(script, alice, 'f', 6)
    expectAccess(script, carol, 'f', 4)
    expectAccess(script, { uid: 1, gid: 1, groups: [2, carol.gid] }, 'f', 4)
    expectAccess(script, { uid: 1, gid: bob.gid }, 'f', 0)
    expectAccess(script, { uid: 1, gid: 1 }, 'f', 0)
    script.ok('setxattr', 'f', access, letIn(4))
    script.stat('f', { mode: 0o640 })
    expectAccess(script, alice, 'f', 4)
    expectAccess(script, bob, 'f', 6)
    script.ok('setxattr', 'f', access, letIn(0))
    expectAccess(script, alice, 'f', 0)
    expectAccess(script, carol, 'f', 0)
  },

  'chmod sets the mask, and the bits of the group show it': (script) => {
    script.make('regular', 'f', { mode: 0o600, uid: bob.uid, gid: bob.gid })
    script.ok('setxattr', 'f', access, letIn(6))
    script.ok('chmod', 'f', 0o604)
    script.gives(aclOf(['user', 6], ['namedUser', 6, alice.uid], ['group', 0], ['namedGroup', 4, carol.gid], ['mask', 0], ['other', 4]), 'getxattr', 'f', access)
    // Linux does not look at an ACL whose mask lets nobody in: alice is one of the others then.
    expectAccess(script, alice, 'f', 4)
    expectAccess(script, { uid: 1, gid: 1 }, 'f', 4)
    script.ok('chmod', 'f', 0o460)
    expectAccess(script, alice, 'f', 6)
    expectAccess(script, bob, 'f', 4)
    script.stat('f', { mode: 0o460 })
    script.ok('open', 'f', O.RDONLY, 0, 'f')
    script.ok('fchmod', 'f', 0o640)
    expectAccess(script, alice, 'f', 4)
  },

  'an ACL that says no more than the bits is the bits': (script) => {
    script.make('regular', 'f', { mode: 0o600 })
    script.fails('ENODATA', 'getxattr', 'f', access)
    script.ok('setxattr', 'f', access, aclOf(['user', 7], ['group', 5], ['other', 1]))
    script.stat('f', { mode: 0o751 })
    script.fails('ENODATA', 'getxattr', 'f', access)
    script.lists([], 'listxattr', 'f')
  },

  'removed, it leaves the bits as they were': (script) => {
    script.make('regular', 'f', { mode: 0o600, uid: bob.uid, gid: bob.gid })
    script.ok('setxattr', 'f', access, letIn(6))
    script.lists([access], 'listxattr', 'f')
    script.ok('removexattr', 'f', access)
    script.fails('ENODATA', 'getxattr', 'f', access)
    script.stat('f', { mode: 0o660 })
    expectAccess(script, alice, 'f', 0)
    expectAccess(script, { uid: 1, gid: bob.gid }, 'f', 6)
  },

  'on a directory: who may look, make and go through': (script) => {
    script.ok('mkdir', 'd', 0o700)
    script.make('regular', 'd/f')
    script.as(alice).fails('EACCES', 'stat', 'd/f')
    script.ok('setxattr', 'd', access, aclOf(['user', 7], ['namedUser', 1, alice.uid], ['group', 0], ['mask', 7], ['other', 0]))
    script.as(alice).ok('stat', 'd/f')
    script.as(alice).fails('EACCES', 'list', 'd')
    script.as(alice).fails('EACCES', 'create', 'd/g', 0o644)
    script.ok('setxattr', 'd', access, aclOf(['user', 7], ['namedUser', 7, alice.uid], ['group', 0], ['mask', 7], ['other', 0]))
    script.as(alice).lists(['f'], 'list', 'd')
    script.as(alice).ok('create', 'd/g', 0o644)
    script.as(alice).ok('unlink', 'd/f')
    script.as(bob).fails('EACCES', 'stat', 'd/g')
    script.ok('chmod', 'd', 0o710)
    script.as(alice).ok('stat', 'd/g')
    script.as(alice).fails('EACCES', 'unlink', 'd/g')
  },

  'a default ACL is handed on to what is made in the directory, instead of the mask of the process': (script) => {
    const wanted = aclOf(['user', 7], ['namedUser', 6, alice.uid], ['group', 5], ['mask', 7], ['other', 1])
    script.ok('mkdir', 'd', 0o755)
    script.ok('setxattr', 'd', inherited, wanted)
    script.gives(wanted, 'getxattr', 'd', inherited)
    script.stat('d', { mode: 0o755 })
    script.fails('ENODATA', 'getxattr', 'd', access)
    const masked = script.as({ uid: 0, gid: 0, umask: 0o77 })
    masked.ok('create', 'd/f', 0o666)
    script.stat('d/f', { mode: 0o660 })
    script.gives(aclOf(['user', 6], ['namedUser', 6, alice.uid], ['group', 5], ['mask', 6], ['other', 0]), 'getxattr', 'd/f', access)
    script.fails(['ENODATA', 'EOPNOTSUPP'], 'getxattr', 'd/f', inherited)
    expectAccess(script, alice, 'd/f', 6)
    masked.ok('mkdir', 'd/e', 0o777)
    script.stat('d/e', { mode: 0o771 })
    script.gives(wanted, 'getxattr', 'd/e', access)
    script.gives(wanted, 'getxattr', 'd/e', inherited)
    masked.ok('create', 'd/e/g', 0o600)
    script.stat('d/e/g', { mode: 0o600 })
    expectAccess(script, alice, 'd/e/g', 0)
    masked.ok('mkfifo', 'd/p', 0o666)
    script.stat('d/p', { mode: 0o660 })
    masked.ok('mknod', 'd/s', 'socket', 0o640)
    script.stat('d/s', { mode: 0o640 })
    masked.ok('symlink', 'x', 'd/l')
    script.lstat('d/l', { mode: 0o777 })
    masked.ok('open', 'd', O.TMPFILE | O.RDWR, 0o666, 't')
    script.fstat('t', { mode: 0o660 })
  },

  'a default ACL without names hands on bits': (script) => {
    script.ok('mkdir', 'd', 0o755)
    script.ok('setxattr', 'd', inherited, aclOf(['user', 7], ['group', 7], ['other', 0]))
    script.as({ uid: 0, gid: 0, umask: 0o77 }).ok('create', 'd/f', 0o666)
    script.stat('d/f', { mode: 0o660 })
    script.fails('ENODATA', 'getxattr', 'd/f', access)
    script.as({ uid: 0, gid: 0, umask: 0o77 }).ok('mkdir', 'd/e', 0o755)
    script.stat('d/e', { mode: 0o750 })
    script.ok('removexattr', 'd', inherited)
    script.as({ uid: 0, gid: 0, umask: 0o77 }).ok('create', 'd/g', 0o666)
    script.stat('d/g', { mode: 0o600 })
    script.gives(aclOf(['user', 7], ['group', 7], ['other', 0]), 'getxattr', 'd/e', inherited)
  },

  'EINVAL: what is no ACL': (script) => {
    script.make('regular', 'f', { mode: 0o644 })
    const wrong = [
      aclOf(['user', 6], ['group', 4]),
      aclOf(['user', 6], ['namedUser', 6, 1], ['group', 4], ['other', 0]),
      aclOf(['group', 6], ['user', 4], ['other', 0]),
      aclOf(['user', 6], ['user', 6], ['group', 4], ['other', 0]),
      aclOf(['user', 9], ['group', 4], ['other', 0]),
      letIn(6).slice(0, -3),
    ]
    for (const value of wrong) script.fails('EINVAL', 'setxattr', 'f', access, value)
    script.fails('EOPNOTSUPP', 'setxattr', 'f', access, `\x01\0\0\0${letIn(6).slice(4)}`)
    script.fails('ENODATA', 'getxattr', 'f', access)
    script.stat('f', { mode: 0o644 })
  },

  'EPERM, EACCES, EOPNOTSUPP: who may set which on what': (script) => {
    script.ok('chmod', '.', 0o777)
    script.make('symlink', 'l')
    script.fails('EOPNOTSUPP', 'lsetxattr', 'l', access, letIn(6))
    for (const kind of kinds) {
      if (kind === 'symlink') continue
      script.make(kind, kind, { uid: bob.uid, gid: bob.gid })
      script.as(alice).fails('EPERM', 'setxattr', kind, access, letIn(6))
      script.as(alice).fails('EPERM', 'removexattr', kind, access)
      script.as(bob).ok('setxattr', kind, access, letIn(6))
      script.as(alice).gives(letIn(6), 'getxattr', kind, access)
      if (kind === 'directory') script.as(bob).ok('setxattr', kind, inherited, letIn(6))
      else script.as(bob).fails('EACCES', 'setxattr', kind, inherited, letIn(6))
    }
  },

  'marks the change time': (script) => {
    script.make('regular', 'f')
    const before = script.stat('f')
    script.tick()
    script.ok('setxattr', 'f', access, letIn(6))
    const after = script.stat('f')
    script.check('ctime is now, mtime stays', () => after.stat.ctime > before.stat.ctime && after.stat.mtime === before.stat.mtime)
  },

  'set-group-id goes when who sets it is not in the group': (script) => {
    script.make('regular', 'f', { uid: alice.uid, gid: bob.gid })
    script.ok('chmod', 'f', 0o2750)
    script.as(alice).ok('setxattr', 'f', access, aclOf(['user', 7], ['namedUser', 7, carol.uid], ['group', 5], ['mask', 7], ['other', 0]))
    script.stat('f', { mode: 0o770 })
    script.ok('chmod', 'f', 0o2770)
    script.as({ ...alice, groups: [bob.gid] }).ok('setxattr', 'f', access, aclOf(['user', 7], ['namedUser', 7, carol.uid], ['group', 5], ['mask', 5], ['other', 0]))
    script.stat('f', { mode: 0o2750 })
  },

  'the programs setfacl, getfacl and cp find and keep them': (script) => {
    const shell = (command: string): unknown => script.returns(0, 'run', '/bin/sh', ['-c', command])
    shell('umask 022; mkdir d && : > d/f && setfacl -m u:65534:rwx,g:65532:r d/f && setfacl -d -m u:65533:rx d && : > d/g && cp -a d e && setfacl -b d/f')
    shell('getfacl -cnE e/f e/g > seen')
    script.ok('open', 'seen', O.RDONLY, 0, 'seen')
    const wanted = [
      'user::rw-\nuser:65534:rwx\ngroup::r--\ngroup:65532:r--\nmask::rwx\nother::r--\n\n',
      'user::rw-\nuser:65533:r-x\ngroup::r-x\nmask::r--\nother::r--\n\n',
    ]
    script.gives(wanted.join(''), 'read', 'seen', 10_000)
    script.lists([], 'listxattr', 'd/f')
    script.lists([inherited], 'listxattr', 'e')
  },
}
