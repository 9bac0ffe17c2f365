/** Times: who may set them, to what, and which calls mark which. */
import { AT, O } from '../../support/posix-calls.ts'
import { type Cases, alice, badAddresses, kinds, kindsButSymlink } from './cases.ts'

const second = 1_000_000_000n

export const timeCases: Cases = {
  'are set on every kind of file, to the nanosecond': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind)
      script.ok('utimensat', kind, [1_900_000_000, 123_456_789], [1_950_000_000, 999_999_999])
      script.lstat(kind, { atime: 1_900_000_000n * second + 123_456_789n, mtime: 1_950_000_000n * second + 999_999_999n })
    }
    script.make('symlink', 'l')
    script.ok('utimensat', 'l', [1, 2], [3, 4], AT.SYMLINK_NOFOLLOW)
    script.lstat('l', { atime: second + 2n, mtime: 3n * second + 4n })
  },

  'may be before one another, before 1970, after 2038, after 2106': (script) => {
    script.make('regular', 'f')
    for (const [atime, mtime] of [[100_000_000, 200_000_000], [200_000_000, 100_000_000], [2 ** 31, 2 ** 32], [0, 2 ** 33], [-1, -2_000_000_000], [15_032_385_000, 1]] as const) {
      script.ok('utimensat', 'f', [atime, 0], [mtime, 1])
      script.stat('f', { atime: BigInt(atime) * second, mtime: BigInt(mtime) * second + 1n })
    }
  },

  'now is now': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind)
      script.ok('utimensat', kind, [5, 0], [6, 0])
      script.tick()
      const before = script.ok('stat', '.')
      script.ok('utimensat', kind, 'now', 'now')
      const after = script.stat(kind)
      script.check(`the times of a ${kind} are now`, () => {
        const { atime, mtime, ctime } = after.stat
        const wall = BigInt(Date.now()) * 1_000_000n
        return [atime, mtime, ctime].every((time) => wall - time < 60n * second && time - wall < 60n * second) && before.stat.ino !== after.stat.ino
      })
    }
  },

  'one may be left as it is': (script) => {
    script.make('regular', 'f')
    script.ok('utimensat', 'f', [10, 1], [20, 2])
    script.ok('utimensat', 'f', [30, 3], 'omit')
    script.stat('f', { atime: 30n * second + 3n, mtime: 20n * second + 2n })
    script.ok('utimensat', 'f', 'omit', [40, 4])
    script.stat('f', { atime: 30n * second + 3n, mtime: 40n * second + 4n })
    script.ok('utimensat', 'f', 'omit', 'now')
    const now = script.stat('f', { atime: 30n * second + 3n })
    script.check('mtime is now', () => now.stat.mtime > 1_000_000_000n * second)
    script.tick()
    script.ok('utimensat', 'f', 'omit', 'omit')
    const after = script.stat('f')
    script.check('nothing at all was marked', () => after.stat.ctime === now.stat.ctime && after.stat.mtime === now.stat.mtime)
  },

  'of a link or of what it leads to': (script) => {
    script.make('regular', 'f')
    script.ok('symlink', 'f', 'l')
    script.ok('utimensat', 'l', [1, 0], [2, 0], AT.SYMLINK_NOFOLLOW)
    script.ok('utimensat', 'l', [3, 0], [4, 0])
    script.lstat('l', { mtime: 2n * second })
    script.lstat('f', { atime: 3n * second, mtime: 4n * second })
  },

  'through a descriptor, and of a file without a name': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDONLY, 0o644, 'f')
    script.ok('futimens', 'f', [1, 1], [2, 2])
    script.lstat('f', { atime: second + 1n, mtime: 2n * second + 2n })
    script.ok('unlink', 'f')
    script.ok('futimens', 'f', [3, 3], [4, 4])
    script.fstat('f', { atime: 3n * second + 3n, mtime: 4n * second + 4n })
  },

  'marks the change time': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind)
      const before = script.stat(kind)
      script.tick()
      script.ok('utimensat', kind, [1, 0], [2, 0])
      const after = script.stat(kind)
      script.check(`ctime of a ${kind} is now`, () => after.stat.ctime > before.stat.ctime)
    }
  },

  'EINVAL and EFAULT: what is no time': (script) => {
    script.make('regular', 'f')
    const before = script.stat('f')
    script.fails('EINVAL', 'utimensat', 'f', [1, 1_000_000_000], [2, 0])
    script.fails('EINVAL', 'utimensat', 'f', [1, 0], [2, -1])
    script.fails('EINVAL', 'utimensat', 'f', [1, 0], [2, 0], 0x4000)
    script.fails('EFAULT', 'utimensat', badAddresses[1], [1, 0], [2, 0])
    const after = script.stat('f')
    script.check('nothing was marked', () => after.stat.ctime === before.stat.ctime)
  },

  'to now: by the owner, by who may write, by the super-user': (script) => {
    script.make('regular', 'f', { mode: 0o644 })
    script.as(alice).fails('EACCES', 'utimensat', 'f', 'now', 'now')
    script.ok('chown', 'f', alice.uid, alice.gid)
    script.ok('chmod', 'f', 0o444)
    script.as(alice).ok('utimensat', 'f', 'now', 'now')
    script.ok('utimensat', 'f', 'now', 'now')
    script.ok('chown', 'f', 0, 0)
    script.as(alice).fails('EACCES', 'utimensat', 'f', 'now', 'now')
    script.as(alice).ok('utimensat', 'f', 'omit', 'omit')
    script.ok('chmod', 'f', 0o666)
    script.as(alice).ok('utimensat', 'f', 'now', 'now')
  },

  'to any other time: by the owner and the super-user alone': (script) => {
    script.make('regular', 'f', { mode: 0o644 })
    for (const mode of [0o644, 0o666]) {
      script.ok('chmod', 'f', mode)
      script.as(alice).fails('EPERM', 'utimensat', 'f', 'omit', [5, 0])
      script.as(alice).fails('EPERM', 'utimensat', 'f', [5, 0], 'omit')
      script.as(alice).fails('EPERM', 'utimensat', 'f', [5, 0], [6, 0])
      script.as(alice).fails('EPERM', 'utimensat', 'f', 'now', 'omit')
    }
    script.ok('chown', 'f', alice.uid, alice.gid)
    script.ok('chmod', 'f', 0o444)
    script.as(alice).ok('utimensat', 'f', [5, 0], [6, 0])
    script.stat('f', { atime: 5n * second, mtime: 6n * second })
    script.ok('utimensat', 'f', [7, 0], [8, 0])
  },

  'a write marks mtime and ctime, each time': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'x')
    const ways = [() => script.ok('write', 'f', 'x'), () => script.ok('pwrite', 'f', 'y', 0), () => script.ok('fallocate', 'f', 0, 0, 5000)]
    for (const way of ways) {
      const before = script.stat('f')
      script.tick()
      way()
      const after = script.stat('f')
      script.check('mtime and ctime are now', () => after.stat.mtime > before.stat.mtime && after.stat.ctime > before.stat.ctime)
    }
  },

  'a write marks mtime after it was set to something else, and a close marks nothing more': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'x')
    script.ok('utimensat', 'f', [100, 0], [200, 0])
    script.stat('f', { mtime: 200n * second })
    script.ok('close', 'f')
    script.stat('f', { mtime: 200n * second, atime: 100n * second })
    script.ok('open', 'f', O.RDWR, 0, 'f')
    script.stat('f', { mtime: 200n * second })
    script.ok('write', 'f', 'y')
    const written = script.stat('f')
    script.check('the write marked it', () => written.stat.mtime > 1_000_000_000n * second)
    script.ok('futimens', 'f', 'omit', [300, 0])
    script.ok('fsync', 'f')
    script.ok('close', 'f')
    script.stat('f', { mtime: 300n * second })
  },

  'a write of nothing, a read, an open and a stat mark neither mtime nor ctime': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.ok('write', 'f', 'abc')
    const before = script.stat('f')
    script.tick()
    script.returns(0, 'pwrite', 'f', '', 0)
    script.gives('abc', 'pread', 'f', 10, 0)
    script.ok('open', 'f', O.RDWR)
    script.ok('access', 'f', 4)
    script.ok('fsync', 'f')
    const after = script.stat('f')
    script.check('mtime and ctime stay', () => after.stat.mtime === before.stat.mtime && after.stat.ctime === before.stat.ctime)
  },

  'a new file keeps the times that it was shown with': (script) => {
    for (let index = 0; index < 300; index += 1) {
      script.ok('open', `f${index}`, O.CREAT | O.RDWR, 0o644, 'f')
      const first = script.fstat('f')
      script.ok('fchmod', 'f', 0o600)
      const second = script.fstat('f')
      script.check('mtime and atime are the same', () => first.stat.mtime === second.stat.mtime && first.stat.atime === second.stat.atime)
    }
  },

  'times go forward with every change, never back': (script) => {
    for (const kind of kinds) script.make(kind, kind)
    const marks = Array.from({ length: 30 }, (_, index) => {
      script.ok('chmod', 'regular', 0o600 + (index % 8))
      return script.stat('regular')
    })
    script.check('each is at or after the one before', () => marks.every(({ stat }, index) => index === 0 || stat.ctime >= marks[index - 1]!.stat.ctime))
  },
}
