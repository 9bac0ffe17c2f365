/** rename and renameat2: names move, files stay what they are. */
import { O, RENAME } from '../../support/posix-calls.ts'
import { type Cases, alice, kinds, kindsButDirectory, plainKinds } from './cases.ts'

export const renameCases: Cases = {
  'a file of any kind keeps everything but its name': (script) => {
    for (const kind of kinds) {
      script.make(kind, 'a')
      const before = script.lstat('a')
      script.ok('rename', 'a', 'b')
      script.gone('a')
      const after = script.lstat('b', { kind })
      script.check(`the ${kind} is the same`, () => after.stat.ino === before.stat.ino && after.stat.mode === before.stat.mode && after.stat.mtime === before.stat.mtime)
      script.remove(kind, 'b')
    }
  },

  'one of several names moves, the others stay': (script) => {
    for (const kind of plainKinds) {
      script.make(kind, 'a')
      script.ok('link', 'a', 'b')
      script.ok('rename', 'b', 'c')
      script.gone('b')
      for (const name of ['a', 'c']) script.lstat(name, { kind, nlink: 2 })
      script.ok('unlink', 'a')
      script.ok('unlink', 'c')
    }
  },

  'a symbolic link moves, what it leads to does not': (script) => {
    script.make('regular', 'f')
    script.ok('symlink', 'f', 'l')
    const link = script.lstat('l')
    script.ok('rename', 'l', 'm')
    const moved = script.lstat('m', { kind: 'symlink' })
    script.stat('m', { kind: 'regular' })
    script.stat('f', { kind: 'regular' })
    script.check('it is the same link', () => moved.stat.ino === link.stat.ino)
  },

  'over a file of any kind: the old one is gone': (script) => {
    for (const from of kindsButDirectory) {
      for (const to of kindsButDirectory) {
        script.make(from, 'a')
        script.make(to, 'b')
        const before = script.lstat('a')
        script.ok('rename', 'a', 'b')
        script.gone('a')
        const after = script.lstat('b', { kind: from })
        script.check(`the ${from} is there and not the ${to}`, () => after.stat.ino === before.stat.ino)
        script.ok('unlink', 'b')
      }
    }
    script.lists([], 'list', '.')
  },

  'over one of several names: the others lead to the old file, which counts one less and is marked': (script) => {
    for (const kind of plainKinds) {
      script.make(kind, 'a')
      script.make(kind, 'b')
      script.ok('link', 'b', 'other')
      const before = script.lstat('other')
      script.tick()
      script.ok('rename', 'a', 'b')
      const after = script.lstat('other', { kind, nlink: 1 })
      script.check(`ctime of the replaced ${kind} is now`, () => after.stat.ctime > before.stat.ctime)
      script.ok('unlink', 'b')
      script.ok('unlink', 'other')
    }
  },

  'over an open file: who has it open goes on using it': (script) => {
    script.ok('open', 'old', O.CREAT | O.RDWR, 0o644, 'old')
    script.ok('write', 'old', 'old')
    script.ok('open', 'new', O.CREAT | O.RDWR, 0o644, 'new')
    script.ok('write', 'new', 'newer')
    script.ok('rename', 'new', 'old')
    script.fstat('old', { nlink: 0, size: 3 })
    script.gives('old', 'pread', 'old', 10, 0)
    script.ok('pwrite', 'old', 'more', 3)
    script.gives('oldmore', 'pread', 'old', 10, 0)
    script.stat('old', { nlink: 1, size: 5 })
    script.gives('newer', 'pread', 'new', 10, 0)
  },

  'marks the file and both directories': (script) => {
    script.ok('mkdir', 'to', 0o755)
    for (const kind of kinds) {
      script.make(kind, kind)
      const before = script.lstat(kind)
      const from = script.stat('.')
      const to = script.stat('to')
      script.tick()
      script.ok('rename', kind, `to/${kind}`)
      const after = script.lstat(`to/${kind}`)
      const fromAfter = script.stat('.')
      const toAfter = script.stat('to')
      script.check(`ctime of a ${kind} is now`, () => after.stat.ctime > before.stat.ctime)
      script.check(`mtime of a ${kind} stays`, () => kind === 'directory' || after.stat.mtime === before.stat.mtime)
      script.check('both directories are marked', () => [[from, fromAfter], [to, toAfter]].every(([old, now]) => now!.stat.mtime > old!.stat.mtime && now!.stat.ctime > old!.stat.ctime))
    }
  },

  'what is refused marks nothing': (script) => {
    for (const kind of kinds) {
      script.make(kind, kind)
      const before = script.lstat(kind)
      const directory = script.stat('.')
      script.as(alice).fails('EACCES', 'rename', kind, 'new')
      const after = script.lstat(kind)
      const directoryAfter = script.stat('.')
      script.check(`nothing of a ${kind} is marked`, () => after.stat.ctime === before.stat.ctime && directory.stat.ctime === directoryAfter.stat.ctime)
    }
  },

  'a name over itself, or over another name of the same file, changes nothing': (script) => {
    script.make('regular', 'a')
    script.ok('link', 'a', 'b')
    script.make('directory', 'd')
    const before = script.stat('a')
    const directory = script.stat('.')
    script.tick()
    script.ok('rename', 'a', 'a')
    script.ok('rename', 'a', 'b')
    script.ok('rename', 'd', 'd')
    script.lists(['a', 'b', 'd'], 'list', '.')
    const after = script.stat('a', { nlink: 2 })
    const directoryAfter = script.stat('.')
    script.check('nothing is marked', () => after.stat.ctime === before.stat.ctime && directoryAfter.stat.mtime === directory.stat.mtime)
  },

  'a directory moves with all that is below it, and its .. and the counts with it': (script) => {
    for (const name of ['a', 'b', 'a/d', 'a/d/e']) script.ok('mkdir', name, 0o755)
    script.make('regular', 'a/d/e/f')
    script.stat('a', { nlink: 3 })
    script.stat('b', { nlink: 2 })
    script.ok('rename', 'a/d', 'b/x')
    script.stat('a', { nlink: 2 })
    const parent = script.stat('b', { nlink: 3 })
    const dots = script.stat('b/x/..')
    script.stat('b/x/e/f', { kind: 'regular' })
    script.gone('a/d')
    script.check('.. is the new parent', () => dots.stat.ino === parent.stat.ino)
    script.ok('rmdir', 'a')
  },

  'over an empty directory': (script) => {
    for (const name of ['a', 'a/x', 'b', 'c', 'c/full']) script.ok('mkdir', name, 0o755)
    const before = script.stat('a')
    script.ok('open', 'b', O.DIRECTORY, 0, 'b')
    script.ok('rename', 'a', 'b')
    const after = script.stat('b', { nlink: 3 })
    script.check('it is the same directory', () => after.stat.ino === before.stat.ino)
    script.fstat('b', { nlink: 0 })
    script.fails('ENOENT', 'create', { at: 'b', path: 'f' }, 0o644)
    script.lists(['b', 'c'], 'list', '.')
  },

  'ENOTEMPTY: the directory at the new name has something of any kind in it': (script) => {
    script.ok('mkdir', 'a', 0o755)
    script.ok('mkdir', 'b', 0o755)
    for (const kind of kinds) {
      script.make(kind, 'b/x')
      script.fails(['ENOTEMPTY', 'EEXIST'], 'rename', 'a', 'b')
      script.remove(kind, 'b/x')
    }
    script.ok('rename', 'a', 'b')
  },

  'ENOTDIR: a directory does not replace what is none': (script) => {
    script.ok('mkdir', 'd', 0o755)
    for (const kind of kindsButDirectory) {
      script.make(kind, 'f')
      script.fails('ENOTDIR', 'rename', 'd', 'f')
      script.lstat('d', { kind: 'directory' })
      script.lstat('f', { kind })
      script.ok('unlink', 'f')
    }
  },

  'EISDIR: what is no directory does not replace one': (script) => {
    script.ok('mkdir', 'd', 0o755)
    for (const kind of kindsButDirectory) {
      script.make(kind, 'f')
      script.fails('EISDIR', 'rename', 'f', 'd')
      script.lstat('d', { kind: 'directory' })
      script.lstat('f', { kind })
      script.ok('unlink', 'f')
    }
  },

  'EINVAL: a directory does not move into itself': (script) => {
    for (const name of ['a', 'a/b', 'a/b/c']) script.ok('mkdir', name, 0o755)
    for (const to of ['a/b', 'a/b/c', 'a/b/new', 'a/new']) script.fails('EINVAL', 'rename', 'a', to)
    script.fails('ENOTEMPTY', 'rename', 'a/b/c', 'a')
  },

  'EBUSY or EINVAL: . and .. are no names to move': (script) => {
    script.ok('mkdir', 'a', 0o755)
    script.ok('mkdir', 'a/b', 0o755)
    for (const from of ['a/b/.', 'a/b/..']) {
      script.fails(['EBUSY', 'EINVAL'], 'rename', from, 'new')
      script.fails(['EBUSY', 'EINVAL', 'ENOTEMPTY', 'EEXIST'], 'rename', 'a/b', from)
    }
  },

  'write permission on a directory is needed to move it elsewhere, not to give it another name': (script) => {
    for (const name of ['a', 'b']) {
      script.ok('mkdir', name, 0o777)
    }
    script.ok('mkdir', 'a/d', 0o700)
    script.as(alice).ok('rename', 'a/d', 'a/e')
    script.as(alice).fails('EACCES', 'rename', 'a/e', 'b/d')
    script.make('regular', 'a/f', { mode: 0o600 })
    script.as(alice).ok('rename', 'a/f', 'b/f')
    script.ok('chown', 'a/e', alice.uid, alice.gid)
    script.as(alice).ok('rename', 'a/e', 'b/d')
  },

  'RENAME_NOREPLACE: the new name must not be there': (script) => {
    for (const kind of kinds) {
      script.make('regular', 'a')
      script.make(kind, 'b')
      script.fails('EEXIST', 'rename', 'a', 'b', RENAME.NOREPLACE)
      script.lstat('b', { kind })
      script.remove(kind, 'b')
      script.ok('rename', 'a', 'b', RENAME.NOREPLACE)
      script.gone('a')
      script.ok('unlink', 'b')
    }
    script.make('regular', 'a')
    script.fails('EEXIST', 'rename', 'a', 'a', RENAME.NOREPLACE)
    script.fails('ENOENT', 'rename', 'nothing', 'b', RENAME.NOREPLACE)
  },

  'RENAME_EXCHANGE: two names change places, of any kinds': (script) => {
    for (const from of kinds) {
      for (const to of kinds) {
        script.make(from, 'a')
        script.make(to, 'b')
        const [a, b] = [script.lstat('a'), script.lstat('b')]
        script.ok('rename', 'a', 'b', RENAME.EXCHANGE)
        const [a2, b2] = [script.lstat('a', { kind: to }), script.lstat('b', { kind: from })]
        script.check('they have changed places', () => a2.stat.ino === b.stat.ino && b2.stat.ino === a.stat.ino)
        script.remove(to, 'a')
        script.remove(from, 'b')
      }
    }
  },

  'RENAME_EXCHANGE: both must be there, counts and .. move too, and nothing goes into itself': (script) => {
    for (const name of ['x', 'y', 'x/d', 'x/d/e']) script.ok('mkdir', name, 0o755)
    script.make('regular', 'y/f')
    script.ok('rename', 'x/d', 'y/f', RENAME.EXCHANGE)
    script.stat('x', { nlink: 2 })
    const parent = script.stat('y', { nlink: 3 })
    const dots = script.stat('y/f/..')
    script.check('.. is the new parent', () => dots.stat.ino === parent.stat.ino)
    script.lstat('x/d', { kind: 'regular' })
    script.stat('y/f/e', { kind: 'directory' })
    script.fails('ENOENT', 'rename', 'x', 'nothing', RENAME.EXCHANGE)
    script.fails('ENOENT', 'rename', 'nothing', 'x', RENAME.EXCHANGE)
    script.fails('EINVAL', 'rename', 'y', 'y/f/e', RENAME.EXCHANGE)
    script.fails('EINVAL', 'rename', 'y/f/e', 'y', RENAME.EXCHANGE)
    script.fails('EINVAL', 'rename', 'x', 'y', RENAME.EXCHANGE | RENAME.NOREPLACE)
    script.fails('EINVAL', 'rename', 'x', 'y', 64)
  },

  'RENAME_EXCHANGE: marks both files and their directories': (script) => {
    for (const name of ['x', 'y']) {
      script.ok('mkdir', name, 0o755)
      script.make('regular', `${name}/f`)
    }
    const names = ['x/f', 'y/f', 'x', 'y']
    const before = names.map((name) => script.stat(name))
    script.tick()
    script.ok('rename', 'x/f', 'y/f', RENAME.EXCHANGE)
    const after = names.map((name) => script.stat(name))
    script.check('ctimes are now', () => after.every(({ stat }, index) => stat.ctime > before[index]!.stat.ctime))
    script.check('the directories have changed', () => [2, 3].every((index) => after[index]!.stat.mtime > before[index]!.stat.mtime))
  },

  'RENAME_WHITEOUT: what marks a removed name for overlays stays where the file was': (script) => {
    script.ok('mkdir', 'd', 0o755)
    for (const kind of kinds) {
      script.make(kind, 'a')
      script.ok('rename', 'a', 'd/b', RENAME.WHITEOUT)
      script.lstat('a', { kind: 'char', major: 0, minor: 0 })
      script.lstat('d/b', { kind })
      script.ok('unlink', 'a')
      script.remove(kind, 'd/b')
    }
    script.make('regular', 'a')
    script.fails('EINVAL', 'rename', 'a', 'b', RENAME.WHITEOUT | RENAME.EXCHANGE)
  },

  'a file that was just written and then renamed has its bytes': (script) => {
    for (let round = 0; round < 20; round += 1) {
      script.ok('open', 'temporary', O.CREAT | O.EXCL | O.WRONLY, 0o644, 'w')
      script.ok('write', 'w', `round ${round}`)
      if (round % 2 === 0) script.ok('close', 'w')
      script.ok('rename', 'temporary', 'file')
      script.ok('open', 'file', O.RDONLY, 0, 'r')
      script.gives(`round ${round}`, 'read', 'r', 100)
    }
    script.lists(['file'], 'list', '.')
  },
}
