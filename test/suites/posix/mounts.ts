/** What other mounts make of it: no way across, no writing where it is read-only, no removing of mount points. Each in mounts of a process's own. */
import { MS, O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import { type Cases, kinds } from './cases.ts'
import { pathCalls, prepareOther } from './path-calls.ts'

/** A process that may mount without anybody else noticing. */
function mounter(script: Script): Script {
  const own = script.on('mounter')
  own.ok('privateMounts')
  return own
}

export const mountCases: Cases = {
  'EROFS: everything that changes something, through a read-only mount of the same directory': (script) => {
    const own = mounter(script)
    own.ok('mkdir', 'd', 0o777)
    own.ok('mkdir', 'there', 0o755)
    own.ok('symlink', 'nothing', 'd/dangling')
    own.make('regular', 'd/regular')
    own.make('directory', 'd/directory')
    own.make('symlink', 'd/symlink')
    own.ok('mount', 'd', 'there', 'none', MS.BIND)
    own.ok('mount', 'd', 'there', 'none', MS.BIND | MS.REMOUNT | MS.RDONLY)
    for (const { call, needs, changes, makes, what } of pathCalls) {
      prepareOther(own)
      const name = makes || needs === undefined ? 'new' : needs
      if (!changes) own.expect(call(`there/${name}`))
      else if (what.startsWith('link') || what.startsWith('rename')) own.expect(call(`there/${name}`), ['EROFS', 'EXDEV'])
      else own.expect(call(`there/${name}`), 'EROFS')
    }
    own.fails('EROFS', 'link', 'there/regular', 'there/new')
    own.fails('EROFS', 'rename', 'there/regular', 'there/new')
    own.fails('EROFS', 'access', 'there/regular', 2)
    own.fails('EROFS', 'open', 'there', O.TMPFILE | O.RDWR, 0o644)
    own.ok('open', 'there/regular', O.RDONLY)
    own.ok('open', 'there/regular', O.RDONLY | O.CREAT, 0o644)
    own.fails('EEXIST', 'open', 'there/regular', O.RDONLY | O.CREAT | O.EXCL, 0o644)
    own.fails(['EEXIST', 'EROFS'], 'mkdir', 'there/directory', 0o755)
    own.lists(['dangling', 'directory', 'regular', 'symlink'], 'list', 'there')
    own.ok('umount', 'there')
  },

  'EXDEV: no name moves or is linked across mounts, of any kind': (script) => {
    const own = mounter(script)
    for (const name of ['a', 'b', 'memory', 'same']) own.ok('mkdir', name, 0o755)
    own.ok('mount', 'none', 'memory', 'tmpfs', 0)
    own.ok('mount', 'a', 'same', 'none', MS.BIND)
    for (const kind of kinds) {
      own.make(kind, 'a/x')
      own.make(kind, 'memory/y')
      for (const to of ['memory/x', 'same/z', 'memory/y']) own.fails('EXDEV', 'rename', 'a/x', to)
      own.fails('EXDEV', 'rename', 'memory/y', 'b/y')
      if (kind !== 'directory') {
        own.fails('EXDEV', 'link', 'a/x', 'memory/x')
        own.fails('EXDEV', 'link', 'a/x', 'same/z')
      }
      own.lstat('same/x', { kind })
      own.remove(kind, 'same/x')
      own.remove(kind, 'memory/y')
    }
    own.ok('umount', 'same')
    own.ok('umount', 'memory')
  },

  'EBUSY: a mount point is not removed or moved': (script) => {
    const own = mounter(script)
    for (const name of ['point', 'other']) own.ok('mkdir', name, 0o755)
    own.ok('mount', 'none', 'point', 'tmpfs', 0)
    own.fails('EBUSY', 'rmdir', 'point')
    own.fails('EBUSY', 'rename', 'point', 'new')
    own.fails('EBUSY', 'rename', 'other', 'point')
    own.ok('create', 'point/f', 0o644)
    own.fails('EBUSY', 'rmdir', 'point')
    own.ok('umount', 'point')
    own.lists([], 'list', 'point')
    own.ok('rmdir', 'point')
  },
}
