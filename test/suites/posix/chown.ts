/** Owners: who may change them, on what, and what goes with it. */
import { type FileKind, O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob, carol, kinds, kindsButSymlink } from './cases.ts'

/** Names by which a file's owner can be changed: itself, through a link, itself without following. */
const ways = [
  { call: 'chown', name: 'file' },
  { call: 'chown', name: 'link' },
  { call: 'lchown', name: 'file' },
] as const

/** Goes through all ways for all kinds that they are for. */
function forEachWay(script: Script, body: (call: 'chown' | 'lchown', name: string, kind: FileKind) => void): void {
  for (const kind of kinds) {
    for (const { call, name } of ways) {
      if (kind === 'symlink' && call === 'chown') continue
      script.make(kind, 'file')
      script.ok('symlink', 'file', 'link')
      body(call, name, kind)
      script.ok('unlink', 'link')
      script.remove(kind, 'file')
    }
  }
}

/** Alice, who is also in the groups of bob and carol. */
const aliceInGroups = { uid: alice.uid, gid: bob.gid, groups: [bob.gid, carol.gid] }

export const chownCases: Cases = {
  'the super-user gives any file to anybody; links stay as they are': (script) => {
    forEachWay(script, (call, name) => {
      script.ok(call, name, 123, 456)
      script.lstat('file', { uid: 123, gid: 456 })
      script.lstat('link', { uid: 0, gid: 0 })
      script.ok(call, name, -1, 7)
      script.lstat('file', { uid: 123, gid: 7 })
      script.ok(call, name, 8, -1)
      script.lstat('file', { uid: 8, gid: 7 })
      script.ok(call, name, 0, 0)
      script.lstat('file', { uid: 0, gid: 0 })
    })
    script.make('symlink', 'l')
    script.ok('lchown', 'l', 123, 456)
    script.lstat('l', { kind: 'symlink', uid: 123, gid: 456 })
  },

  'numbers up to 2^32 - 2 may be owners': (script) => {
    script.make('regular', 'f')
    for (const number of [65_535, 65_536, 2 ** 31, 2 ** 32 - 2]) {
      script.ok('chown', 'f', number, number - 1)
      script.stat('f', { uid: number, gid: number - 1 })
    }
  },

  'an owner gives a file to groups that he is in': (script) => {
    forEachWay(script, (call, name) => {
      script.ok('lchown', 'file', alice.uid, alice.gid)
      script.as(aliceInGroups).ok(call, name, -1, bob.gid)
      script.lstat('file', { uid: alice.uid, gid: bob.gid })
      script.as(aliceInGroups).ok(call, name, alice.uid, carol.gid)
      script.lstat('file', { uid: alice.uid, gid: carol.gid })
      script.as(aliceInGroups).fails('EPERM', call, name, -1, alice.gid)
    })
  },

  'EPERM: an owner gives nothing away, nor to groups of others; who is no owner changes nothing': (script) => {
    forEachWay(script, (call, name, kind) => {
      script.ok('lchown', 'file', alice.uid, alice.gid)
      const before = script.lstat('file')
      script.as(alice).fails('EPERM', call, name, bob.uid, bob.gid)
      script.as(alice).fails('EPERM', call, name, bob.uid, -1)
      script.as(alice).fails('EPERM', call, name, -1, bob.gid)
      script.as(alice).fails('EPERM', call, name, 0, -1)
      script.as(bob).fails('EPERM', call, name, bob.uid, bob.gid)
      script.as(bob).fails('EPERM', call, name, alice.uid, alice.gid)
      script.as(bob).fails('EPERM', call, name, -1, bob.gid)
      const after = script.lstat('file', { uid: alice.uid, gid: alice.gid })
      script.check(`ctime of a ${kind} stays`, () => after.stat.ctime === before.stat.ctime)
    })
  },

  'to change nothing is allowed to everybody': (script) => {
    forEachWay(script, (call, name) => {
      script.as(alice).ok(call, name, -1, -1)
      script.lstat('file', { uid: 0, gid: 0 })
    })
  },

  'marks the change time, and leaves the others': (script) => {
    const makeAll = (): void => {
      for (const kind of kinds) script.make(kind, kind)
    }
    makeAll()
    const before = kinds.map((kind) => script.lstat(kind))
    script.tick()
    for (const [index, kind] of kinds.entries()) {
      script.ok('lchown', kind, alice.uid, bob.gid)
      const after = script.lstat(kind, { uid: alice.uid, gid: bob.gid })
      script.check(`ctime of a ${kind} is now`, () => after.stat.ctime > before[index]!.stat.ctime)
      script.check(`mtime of a ${kind} stays`, () => after.stat.mtime === before[index]!.stat.mtime)
    }
    script.tick()
    for (const kind of kindsButSymlink) {
      const old = script.stat(kind)
      script.as({ uid: alice.uid, gid: carol.gid }).ok('chown', kind, alice.uid, carol.gid)
      const now = script.stat(kind, { uid: alice.uid, gid: carol.gid })
      script.check(`ctime of a ${kind} is now for its owner too`, () => now.stat.ctime > old.stat.ctime)
    }
  },

  'set-user-id and set-group-id of what may be executed go, whoever asks; a directory keeps them': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, 'file', { uid: alice.uid, gid: bob.gid })
      script.ok('symlink', 'file', 'link')
      const kept = kind === 'directory' ? 0o6555 : 0o555
      for (const name of ['file', 'link']) {
        for (const who of [{ uid: 0, gid: 0 }, aliceInGroups]) {
          script.ok('chown', name, alice.uid, bob.gid)
          script.ok('chmod', name, 0o6555)
          script.stat('file', { mode: 0o6555, uid: alice.uid, gid: bob.gid })
          script.as(who).ok('chown', name, alice.uid, carol.gid)
          script.stat(name, { mode: kept, uid: alice.uid, gid: carol.gid })
          script.ok('chmod', name, 0o6555)
          script.as(who).ok('chown', name, -1, bob.gid)
          script.stat(name, { mode: kept, uid: alice.uid, gid: bob.gid })
        }
      }
      script.ok('unlink', 'link')
      script.remove(kind, 'file')
    }
  },

  'set-group-id of what the group may not execute stays with a change of owner': (script) => {
    script.make('regular', 'f', { uid: alice.uid, gid: bob.gid })
    script.ok('chmod', 'f', 0o6644)
    script.ok('chown', 'f', bob.uid, bob.gid)
    script.stat('f', { mode: 0o2644 })
  },

  'through a descriptor, of files and directories': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDONLY, 0o6755, 'f')
    script.ok('fchown', 'f', alice.uid, bob.gid)
    script.fstat('f', { uid: alice.uid, gid: bob.gid, mode: 0o755 })
    script.as(bob).fails('EPERM', 'fchown', 'f', bob.uid, -1)
    script.as(aliceInGroups).ok('fchown', 'f', -1, carol.gid)
    script.ok('unlink', 'f')
    script.ok('fchown', 'f', 5, 6)
    script.fstat('f', { uid: 5, gid: 6, nlink: 0 })
    script.ok('mkdir', 'd', 0o755)
    script.ok('open', 'd', O.RDONLY | O.DIRECTORY, 0, 'd')
    script.ok('fchown', 'd', 7, 8)
    script.stat('d', { uid: 7, gid: 8 })
  },

  'whose file it was may do with it what others may, no more': (script) => {
    script.make('regular', 'f', { mode: 0o640, uid: alice.uid, gid: alice.gid })
    script.as(alice).ok('open', 'f', O.RDWR)
    script.ok('chown', 'f', bob.uid, bob.gid)
    script.as(alice).fails('EACCES', 'open', 'f', O.RDONLY)
    script.as(alice).fails('EPERM', 'chmod', 'f', 0o666)
    script.as(bob).ok('open', 'f', O.RDWR)
  },
}
