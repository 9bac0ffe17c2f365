/** Sticky directories: who may remove or replace a name in one is who owns the file or the directory. */
import type { FileKind } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob, kinds, kindsButDirectory } from './cases.ts'

/** Who owns the directory and the file, when alice asks; and whether she may. */
const owners: readonly (readonly [directory: number, file: number, mayChange: boolean])[] = [
  [alice.uid, alice.uid, true],
  [alice.uid, 0, true],
  [alice.uid, bob.uid, true],
  [0, alice.uid, true],
  [bob.uid, alice.uid, true],
  [0, 0, false],
  [0, bob.uid, false],
  [bob.uid, 0, false],
  [bob.uid, bob.uid, false],
]

/** `s` is sticky, `d` is alice's own directory. */
function workplace(script: Script, directoryOwner: number): void {
  script.try('mkdir', 's', 0o755)
  script.try('mkdir', 'd', 0o755)
  script.ok('chown', 's', directoryOwner, directoryOwner)
  script.ok('chmod', 's', 0o1777)
  script.ok('chown', 'd', alice.uid, alice.gid)
}

const refusal = ['EACCES', 'EPERM']

export const stickyCases: Cases = {
  'unlink and rmdir': (script) => {
    for (const [directory, file, mayChange] of owners) {
      workplace(script, directory)
      for (const kind of kinds) {
        script.make(kind, 's/x', { uid: file, gid: file })
        const name = kind === 'directory' ? 'rmdir' : 'unlink'
        if (mayChange) {
          script.as(alice).ok(name, 's/x')
          script.gone('s/x')
        } else {
          script.as(alice).fails(refusal, name, 's/x')
          script.lstat('s/x', { kind, uid: file, gid: file })
          script.ok(name, 's/x')
        }
      }
    }
  },

  'rename away, to a free name and over a file of any kind': (script) => {
    for (const [directory, file, mayChange] of owners) {
      workplace(script, directory)
      for (const from of kindsButDirectory) {
        script.make(from, 's/x', { uid: file, gid: file })
        const before = script.lstat('s/x')
        for (const to of [undefined, ...kindsButDirectory]) {
          if (to !== undefined) script.make(to, 'd/y', { uid: alice.uid, gid: alice.gid })
          moveOut(script, mayChange, to, () => before.stat.ino, file)
        }
        script.ok('unlink', 's/x')
      }
    }
  },

  'rename within, to another name': (script) => {
    for (const [directory, file, mayChange] of owners) {
      workplace(script, directory)
      for (const kind of kinds) {
        script.make(kind, 's/x', { uid: file, gid: file })
        if (mayChange) script.as(alice).ok('rename', 's/x', 's/y')
        else script.as(alice).fails(refusal, 'rename', 's/x', 's/y')
        script.remove(kind, mayChange ? 's/y' : 's/x')
      }
    }
  },

  'rename over a file of any kind in it': (script) => {
    for (const [directory, file, mayChange] of owners) {
      workplace(script, directory)
      for (const from of kindsButDirectory) {
        script.make(from, 'd/x', { uid: alice.uid, gid: alice.gid })
        const before = script.lstat('d/x')
        for (const to of kindsButDirectory) {
          script.make(to, 's/y', { uid: file, gid: file })
          moveIn(script, mayChange, () => before.stat.ino, file)
        }
        script.ok('unlink', 'd/x')
      }
    }
  },

  'rename of a directory away: it must also be writable by who asks': (script) => {
    for (const [directory, file, mayChange] of owners) {
      workplace(script, directory)
      for (const isTaken of [false, true]) {
        script.make('directory', 's/x', { uid: file, gid: file })
        if (isTaken) script.as(alice).ok('mkdir', 'd/y', 0o755)
        if (mayChange && file === alice.uid) {
          script.as(alice).ok('rename', 's/x', 'd/y')
          script.gone('s/x')
          script.lstat('d/y', { kind: 'directory', uid: file, gid: file })
          script.ok('rmdir', 'd/y')
        } else {
          script.as(alice).fails(refusal, 'rename', 's/x', 'd/y')
          script.lstat('s/x', { uid: file, gid: file })
          script.ok('rmdir', 's/x')
          if (isTaken) script.ok('rmdir', 'd/y')
          else script.gone('d/y')
        }
      }
    }
  },

  'rename of a directory over one in it': (script) => {
    for (const [directory, file, mayChange] of owners) {
      workplace(script, directory)
      script.as(alice).ok('mkdir', 'd/x', 0o755)
      const before = script.lstat('d/x')
      script.make('directory', 's/y', { uid: file, gid: file })
      if (mayChange) {
        script.as(alice).ok('rename', 'd/x', 's/y')
        const after = script.lstat('s/y')
        script.check('it is there', () => after.stat.ino === before.stat.ino)
        script.ok('rmdir', 's/y')
      } else {
        script.as(alice).fails(refusal, 'rename', 'd/x', 's/y')
        script.lstat('s/y', { uid: file, gid: file })
        script.ok('rmdir', 'd/x')
        script.ok('rmdir', 's/y')
      }
    }
  },

  'everybody may make names in it, and change what is his': (script) => {
    workplace(script, 0)
    for (const who of [alice, bob]) {
      script.as(who).ok('create', `s/${who.uid}`, 0o644)
      script.as(who).ok('link', `s/${who.uid}`, `s/${who.uid}-link`)
      script.as(who).ok('chmod', `s/${who.uid}`, 0o600)
    }
    script.as(alice).fails(refusal, 'rename', `s/${alice.uid}`, `s/${bob.uid}`)
    script.as(alice).ok('rename', `s/${alice.uid}`, `s/${alice.uid}-moved`)
    script.ok('rename', `s/${bob.uid}`, `s/${alice.uid}-moved`)
  },
}

/** Alice moves `s/x` to `d/y`, and back when she could. */
function moveOut(script: Script, mayChange: boolean, to: FileKind | undefined, inode: () => bigint, owner: number): void {
  if (mayChange) {
    script.as(alice).ok('rename', 's/x', 'd/y')
    script.gone('s/x')
    const moved = script.lstat('d/y', { uid: owner, gid: owner })
    script.check('it is the same file', () => moved.stat.ino === inode())
    script.ok('rename', 'd/y', 's/x')
    return
  }
  script.as(alice).fails(refusal, 'rename', 's/x', 'd/y')
  const stayed = script.lstat('s/x', { uid: owner, gid: owner })
  script.check('it is where it was', () => stayed.stat.ino === inode())
  if (to === undefined) return
  script.lstat('d/y', { kind: to, uid: alice.uid })
  script.ok('unlink', 'd/y')
}

/** Alice moves `d/x` over `s/y`, and back when she could. */
function moveIn(script: Script, mayChange: boolean, inode: () => bigint, owner: number): void {
  if (mayChange) {
    script.as(alice).ok('rename', 'd/x', 's/y')
    script.gone('d/x')
    const moved = script.lstat('s/y')
    script.check('it is the same file', () => moved.stat.ino === inode())
    script.as(alice).ok('rename', 's/y', 'd/x')
    return
  }
  script.as(alice).fails(refusal, 'rename', 'd/x', 's/y')
  script.lstat('s/y', { uid: owner, gid: owner })
  script.ok('unlink', 's/y')
}
