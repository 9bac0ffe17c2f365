/** New files of every kind: their bits, owners and times, and what their directory notices. */
import { type FileKind, O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob, carol, kinds } from './cases.ts'

type Make = (script: Script, place: string, mode: number) => unknown

/** Each way to make a file; those of users first. */
const waysOfUsers: readonly (readonly [what: string, kind: FileKind, make: Make])[] = [
  ['open', 'regular', (script, place, mode) => script.ok('open', place, O.CREAT | O.WRONLY, mode)],
  ['open with O_EXCL', 'regular', (script, place, mode) => script.ok('open', place, O.CREAT | O.EXCL | O.RDWR, mode)],
  ['mknod of a file', 'regular', (script, place, mode) => script.ok('mknod', place, 'regular', mode)],
  ['mkdir', 'directory', (script, place, mode) => script.ok('mkdir', place, mode)],
  ['mkfifo', 'fifo', (script, place, mode) => script.ok('mkfifo', place, mode)],
  ['mknod of a socket', 'socket', (script, place, mode) => script.ok('mknod', place, 'socket', mode)],
]
const ways: typeof waysOfUsers = [
  ...waysOfUsers,
  ['mknod of a block device', 'block', (script, place, mode) => script.ok('mknod', place, 'block', mode, 1, 2)],
  ['mknod of a character device', 'char', (script, place, mode) => script.ok('mknod', place, 'char', mode, 1, 2)],
]

export const createCases: Cases = {
  'the bits are those asked for without those of the mask': (script) => {
    for (const [, kind, make] of ways) {
      for (const [umask, mode, wanted] of [[0, 0o755, 0o755], [0, 0o151, 0o151], [0, 0, 0], [0o77, 0o151, 0o100], [0o70, 0o345, 0o305], [0o501, 0o345, 0o244], [0o777, 0o777, 0], [0o22, 0o1777, 0o1755]] as const) {
        make(script.as({ uid: 0, gid: 0, umask }), 'new', mode)
        script.lstat('new', { kind, mode: wanted })
        script.remove(kind, 'new')
      }
    }
  },

  'set-user-id and set-group-id may be asked for; a directory gets neither': (script) => {
    for (const [, kind, make] of ways) {
      make(script, 'new', 0o6755)
      script.lstat('new', { kind, mode: kind === 'directory' ? 0o755 : 0o6755 })
      script.remove(kind, 'new')
    }
  },

  'it belongs to who made it, and to the group of who made it': (script) => {
    script.ok('chmod', '.', 0o777)
    for (const who of [alice, { uid: alice.uid, gid: bob.gid }, { uid: bob.uid, gid: carol.gid, groups: [carol.gid, 1] }]) {
      for (const [, kind, make] of waysOfUsers) {
        make(script.as(who), 'new', 0o755)
        script.lstat('new', { kind, uid: who.uid, gid: who.gid })
        script.remove(kind, 'new')
      }
      script.as(who).ok('symlink', 'x', 'new')
      script.lstat('new', { uid: who.uid, gid: who.gid })
      script.ok('unlink', 'new')
    }
  },

  'in a directory with set-group-id it gets that group, and a directory gets the bit too': (script) => {
    script.ok('mkdir', 'd', 0o777)
    script.ok('chown', 'd', 0, bob.gid)
    script.ok('chmod', 'd', 0o2777)
    for (const [, kind, make] of waysOfUsers) {
      make(script.as(alice), 'd/new', 0o755)
      script.lstat('d/new', { kind, uid: alice.uid, gid: bob.gid, mode: kind === 'directory' ? 0o2755 : 0o755 })
      script.remove(kind, 'd/new')
    }
    script.as(alice).ok('symlink', 'x', 'd/new')
    script.lstat('d/new', { uid: alice.uid, gid: bob.gid })
  },

  'set-group-id goes from a new file that gets a group which its maker is not in': (script) => {
    script.ok('mkdir', 'd', 0o777)
    script.ok('chown', 'd', 0, bob.gid)
    script.ok('chmod', 'd', 0o2777)
    script.as(alice).ok('create', 'd/f', 0o2775)
    script.lstat('d/f', { mode: 0o775, gid: bob.gid })
    script.as(alice).ok('create', 'd/g', 0o2765)
    script.lstat('d/g', { gid: bob.gid, mode: 0o2765 })
    script.as({ ...alice, groups: [bob.gid] }).ok('create', 'd/h', 0o2775)
    script.lstat('d/h', { gid: bob.gid, mode: 0o2775 })
  },

  'all its times are now, and the directory is marked': (script) => {
    for (const [what, kind, make] of ways) {
      const before = script.stat('.')
      script.tick()
      make(script, 'new', 0o755)
      const after = script.stat('new')
      const directory = script.stat('.')
      script.check(`${what}: the new file's times are now`, () => {
        const { atime, mtime, ctime } = after.stat
        return [atime, mtime, ctime].every((time) => time > before.stat.ctime)
      })
      script.check(`${what}: the directory's mtime and ctime are now`, () => directory.stat.mtime > before.stat.mtime && directory.stat.ctime > before.stat.ctime)
      script.remove(kind, 'new')
    }
  },

  'a device has the numbers it was made with': (script) => {
    for (const kind of ['block', 'char'] as const) {
      for (const [major, minor] of [[1, 2], [255, 255], [259, 300], [4095, 1_048_575], [0, 0]] as const) {
        // 0:0 is the device that overlay file systems mark removed names with.
        script.ok('mknod', 'new', kind, 0o755, major, minor)
        script.lstat('new', { kind, mode: 0o755, major, minor, size: 0 })
        script.fails('EEXIST', 'mknod', 'new', kind, 0o777, 3, 4)
        script.ok('unlink', 'new')
      }
    }
  },

  'EPERM: devices are made by the super-user alone': (script) => {
    script.ok('chmod', '.', 0o777)
    script.as(alice).fails('EPERM', 'mknod', 'b', 'block', 0o600, 1, 2)
    script.as(alice).fails('EPERM', 'mknod', 'c', 'char', 0o600, 1, 2)
    script.as(alice).ok('mknod', 'f', 'fifo', 0o600)
    script.lists(['f'], 'list', '.')
  },

  'new files are empty and have one name, new directories have two': (script) => {
    for (const [, kind, make] of ways) {
      make(script, 'new', 0o644)
      script.lstat('new', kind === 'directory' ? { nlink: 2 } : { nlink: 1, size: 0, blocks: 0 })
      script.remove(kind, 'new')
    }
  },

  'EEXIST leaves what is there, and the directory, as they were': (script) => {
    for (const kind of kinds) script.make(kind, kind)
    const before = script.stat('.')
    script.tick()
    for (const kind of kinds) {
      const old = script.lstat(kind)
      script.fails('EEXIST', 'mkdir', kind, 0o700)
      script.fails('EEXIST', 'open', kind, O.CREAT | O.EXCL | O.TRUNC | O.RDWR, 0o700)
      script.fails('EEXIST', 'symlink', 'x', kind)
      const now = script.lstat(kind)
      script.check(`the ${kind} is as it was`, () => JSON.stringify(now.stat, show) === JSON.stringify(old.stat, show))
    }
    const after = script.stat('.')
    script.check('the directory was not marked', () => after.stat.mtime === before.stat.mtime && after.stat.ctime === before.stat.ctime)
  },

  'a socket is made by bind, once': (script) => {
    script.as({ uid: 0, gid: 0, umask: 0o27 }).ok('bind', 's')
    script.lstat('s', { kind: 'socket', mode: 0o750, nlink: 1 })
    script.fails('EADDRINUSE', 'bind', 's')
    script.ok('bind', 't', 'server')
    script.fails('ECONNREFUSED', 'connect', 't')
    script.ok('listen', 'server')
    script.ok('connect', 't')
    script.ok('rename', 't', 'u')
    script.fails('ENOENT', 'connect', 't')
    script.ok('connect', 'u')
    script.ok('unlink', 'u')
    script.fails('ENOENT', 'connect', 'u')
  },

  'a fifo carries bytes between two opens': (script) => {
    script.ok('mkfifo', 'p', 0o600)
    script.ok('open', 'p', O.RDONLY | O.NONBLOCK, 0, 'reader')
    script.ok('open', 'p', O.WRONLY, 0, 'writer')
    script.returns(5, 'write', 'writer', 'hello')
    script.ok('rename', 'p', 'q')
    script.gives('hello', 'read', 'reader', 100)
    script.fails('EAGAIN', 'read', 'reader', 100)
    script.ok('close', 'writer')
    script.gives('', 'read', 'reader', 100)
    script.lstat('q', { kind: 'fifo', size: 0 })
  },
}

function show(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
