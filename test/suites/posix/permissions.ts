/** Who may go through a directory, change it, or use a file: by owner, group and the rest; and the super-user, who may. */
import { ACCESS, AT, type Credential, O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob, carol } from './cases.ts'
import { pathCalls, prepareOther, succeed } from './path-calls.ts'

const callsOfUsers = pathCalls.filter(({ isForRoot }) => !isForRoot)

/** A directory in which alice works, with all that the calls with two paths need reachable for her. */
function workplace(script: Script): void {
  script.ok('chmod', '.', 0o777)
  script.ok('mkdir', 'd', 0o755)
  script.ok('chown', 'd', alice.uid, alice.gid)
  prepareOther(script)
  script.ok('chown', 'the-present', alice.uid, alice.gid)
}

/** One of each class that a directory's bits are for, and the bits without one permission of that class. */
const classes: readonly (readonly [what: string, who: Credential, owner: readonly [number, number], shift: number])[] = [
  ['the owner', alice, [alice.uid, carol.gid], 6],
  ['the group', alice, [bob.uid, alice.gid], 3],
  ['a further group', { ...alice, groups: [carol.gid, 4242] }, [bob.uid, 4242], 3],
  ['the others', alice, [bob.uid, carol.gid], 0],
]

const userCases: Cases = Object.fromEntries(
  classes.flatMap(([what, who, owner, shift]) => [
    [
      `EACCES: ${what} may not search a directory on the way`,
      (script: Script) => {
        workplace(script)
        script.ok('chown', 'd', ...owner)
        for (const each of callsOfUsers) {
          prepareOther(script)
          script.ok('chmod', 'd', 0o777)
          if (each.needs !== undefined) script.as(who).make(each.needs, 'd/x')
          script.ok('chmod', 'd', 0o777 & ~(1 << shift))
          script.as(who).expect(each.call('d/x'), 'EACCES')
          if (each.needs !== undefined) script.remove(each.needs, 'd/x')
          script.ok('chmod', 'd', 7 << shift)
          succeed(script, each, 'd/x', script.as(who))
        }
      },
    ],
    [
      `EACCES: ${what} may not write in the directory`,
      (script: Script) => {
        workplace(script)
        script.ok('chown', 'd', ...owner)
        for (const each of callsOfUsers.filter(({ changesNames }) => changesNames)) {
          prepareOther(script)
          if (each.needs !== undefined) script.make(each.needs, 'd/x', { uid: alice.uid, gid: alice.gid })
          script.ok('chmod', 'd', 0o777 & ~(2 << shift))
          script.as(who).expect(each.call('d/x'), 'EACCES')
          if (each.needs !== undefined) script.remove(each.needs, 'd/x')
          script.ok('chmod', 'd', 7 << shift)
          succeed(script, each, 'd/x', script.as(who))
        }
      },
    ],
  ]),
)

/** Which of reading, writing and both are allowed to who is asked for by three bits. */
function openWith(script: Script, who: Credential, bits: number, name: string, extraFlags: number): void {
  const user = script.as(who)
  const attempt = (allowed: boolean, flags: number): void => void (allowed ? user.ok('open', name, flags | extraFlags) : user.fails('EACCES', 'open', name, flags | extraFlags))
  attempt((bits & 4) !== 0, O.RDONLY)
  attempt((bits & 6) === 6, O.RDWR)
  // Without a reader a fifo cannot be opened for writing.
  if (extraFlags === 0) attempt((bits & 2) !== 0, O.WRONLY)
  else user.fails((bits & 2) === 0 ? 'EACCES' : 'ENXIO', 'open', name, O.WRONLY | extraFlags)
}

export const permissionCases: Cases = {
  ...userCases,

  'a file is opened as its bits say, by owner, group and others, for each of the eight permissions of a class': (script) => {
    script.make('regular', 'f', { uid: alice.uid, gid: alice.gid })
    script.make('fifo', 'p', { uid: alice.uid, gid: alice.gid })
    script.make('directory', 'd', { uid: alice.uid, gid: alice.gid })
    const askers = [
      [alice, 6],
      [{ uid: bob.uid, gid: alice.gid }, 3],
      [{ ...bob, groups: [1, alice.gid] }, 3],
      [bob, 0],
    ] as const
    for (const [who, shift] of askers) {
      for (let bits = 0; bits < 8; bits += 1) {
        const mode = (0o777 & ~(7 << shift)) | (bits << shift)
        for (const name of ['f', 'p', 'd']) script.ok('chmod', name, mode)
        openWith(script, who, bits, 'f', 0)
        openWith(script, who, bits, 'p', O.NONBLOCK)
        if ((bits & 4) === 0) script.as(who).fails('EACCES', 'open', 'd', O.RDONLY)
        else script.as(who).ok('open', 'd', O.RDONLY)
        for (const [permission, bit] of [[ACCESS.R, 4], [ACCESS.W, 2], [ACCESS.X, 1]] as const) {
          if ((bits & bit) === 0) script.as(who).fails('EACCES', 'access', 'f', permission, AT.EACCESS)
          else script.as(who).ok('access', 'f', permission, AT.EACCESS)
        }
      }
    }
  },

  'O_TRUNC needs permission to write': (script) => {
    script.make('regular', 'f', { uid: alice.uid, gid: alice.gid })
    script.ok('truncate', 'f', 1)
    const askers = [[alice, 0o477], [{ uid: bob.uid, gid: alice.gid }, 0o747], [bob, 0o774], [alice, 0o177], [bob, 0o771], [alice, 0o077], [bob, 0o770]] as const
    for (const [who, mode] of askers) {
      script.ok('chmod', 'f', mode)
      script.as(who).fails('EACCES', 'open', 'f', O.RDONLY | O.TRUNC)
    }
    script.stat('f', { size: 1 })
  },

  'the super-user reads, writes and goes everywhere, and executes what somebody may execute': (script) => {
    script.make('regular', 'f', { uid: alice.uid, gid: alice.gid })
    script.make('directory', 'd', { uid: alice.uid, gid: alice.gid })
    script.make('regular', 'd/x')
    for (const name of ['f', 'd']) script.ok('chmod', name, 0)
    script.ok('open', 'f', O.RDWR)
    script.ok('open', 'd/x', O.RDWR)
    script.ok('create', 'd/y', 0)
    script.ok('truncate', 'f', 5)
    script.fails('EACCES', 'access', 'f', ACCESS.X)
    script.ok('chmod', 'f', 0o001)
    script.ok('access', 'f', ACCESS.X)
  },

  'who created a file with no permissions at all goes on using it': (script) => {
    script.ok('chmod', '.', 0o777)
    for (const [index, flags] of [O.WRONLY, O.RDWR, O.RDONLY].entries()) {
      script.as(alice).ok('open', `f${index}`, O.CREAT | flags, 0, 'f')
      script.lstat(`f${index}`, { kind: 'regular', mode: 0 })
      if (flags !== O.RDONLY) {
        script.as(alice).ok('ftruncate', 'f', 10)
        script.as(alice).returns(1, 'write', 'f', 'x')
        script.as(alice).ok('posixFallocate', 'f', 0, 1)
      }
      script.as(alice).fails('EACCES', 'open', `f${index}`, O.RDONLY)
    }
  },

  'truncate needs permission to write the file': (script) => {
    script.make('regular', 'f')
    script.as(alice).fails('EACCES', 'truncate', 'f', 5)
    script.ok('chown', 'f', alice.uid, alice.gid)
    script.ok('chmod', 'f', 0o444)
    script.as(alice).fails('EACCES', 'truncate', 'f', 5)
    script.ok('chmod', 'f', 0o200)
    script.as(alice).ok('truncate', 'f', 5)
    script.stat('f', { size: 5 })
  },

  'access asks for the real user, and AT_EACCESS for the one in effect': (script) => {
    script.make('regular', 'f', { mode: 0o640, uid: bob.uid, gid: alice.gid })
    script.as(alice).ok('access', 'f', ACCESS.R)
    script.as(alice).ok('access', 'f', ACCESS.R, AT.EACCESS)
    script.as(alice).fails('EACCES', 'access', 'f', ACCESS.W)
    script.as(carol).fails('EACCES', 'access', 'f', ACCESS.R)
    script.as(bob).ok('access', 'f', ACCESS.R | ACCESS.W)
  },
}
