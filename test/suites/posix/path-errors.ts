/** What every call with a path answers when the path is too long, leads through what is no directory, goes round in circles, or is no path. */
import { type Cases, badAddresses, kindsButDirectory, longName, longPath, pathBytesMax, plainKinds, tooLongName } from './cases.ts'
import { pathCalls, prepareOther, succeed } from './path-calls.ts'

const longCalls = pathCalls.filter(({ isLong }) => isLong)

export const pathErrorCases: Cases = {
  'ENOTDIR: a part of the path is a file of any kind': (script) => {
    script.ok('symlink', 'regular', 'link')
    for (const kind of plainKinds) script.make(kind, kind)
    for (const kind of [...plainKinds, 'link']) {
      for (const { call } of pathCalls) {
        prepareOther(script)
        script.expect(call(`${kind}/test`), 'ENOTDIR')
      }
    }
    for (const kind of plainKinds) script.lstat(kind, { kind, size: 0, nlink: 1 })
  },

  'ENOTDIR: what is no directory has a slash at its end, or is to be a directory': (script) => {
    for (const kind of plainKinds) {
      script.make(kind, kind)
      for (const name of ['stat', 'lstat', 'unlink', 'rmdir', 'list', 'listxattr'] as const) script.fails('ENOTDIR', name, `${kind}/`)
      script.fails('ENOTDIR', 'rename', `${kind}/`, 'other')
      script.fails('ENOTDIR', 'rmdir', kind)
      script.fails('ENOTDIR', 'chdir', kind)
    }
    script.fails('EISDIR', 'open', 'regular/', 0o100, 0o644)
    script.fails('EISDIR', 'open', 'new/', 0o100, 0o644)
    script.ok('mkdir', 'd/', 0o755)
    script.ok('rename', 'd/', 'e/')
    script.fails('ENOTDIR', 'unlink', 'regular/')
    script.fails('ENOENT', 'link', 'regular', 'new/')
    script.ok('rmdir', 'e/')
  },

  'ENAMETOOLONG: a name of 255 bytes may be, one of 256 may not': (script) => {
    for (const each of longCalls) {
      succeed(script, each, longName)
      prepareOther(script)
      script.expect(each.call(tooLongName), 'ENAMETOOLONG')
      script.expect(each.call(`${tooLongName}/x`), 'ENAMETOOLONG')
    }
  },

  'ENAMETOOLONG: bytes are counted, not characters': (script) => {
    script.make('regular', 'ä'.repeat(127))
    script.lists(['ä'.repeat(127)], 'list', '.')
    script.fails('ENAMETOOLONG', 'create', 'ä'.repeat(128), 0o644)
    script.fails('ENAMETOOLONG', 'rename', 'ä'.repeat(127), 'ä'.repeat(128))
    script.fails('ENAMETOOLONG', 'lstat', `${'ä'.repeat(127)}xx`)
    script.ok('rename', 'ä'.repeat(127), `${'ä'.repeat(127)}x`)
  },

  'ENAMETOOLONG: a path of 4095 bytes may be, one of 4096 may not': (script) => {
    const { path, directories } = longPath(pathBytesMax)
    for (const directory of directories) script.ok('mkdir', directory, 0o755)
    for (const each of longCalls) {
      succeed(script, each, path)
      prepareOther(script)
      script.expect(each.call(`${path}x`), 'ENAMETOOLONG')
    }
  },

  'ENOENT: a directory on the way is not there': (script) => {
    script.ok('mkdir', 'd', 0o755)
    for (const { call } of pathCalls) {
      prepareOther(script)
      script.expect(call('d/missing/test'), 'ENOENT')
      script.expect(call('missing/test'), 'ENOENT')
    }
  },

  'ENOENT: nothing is there, or a link to nothing, or no name at all': (script) => {
    script.ok('mkdir', 'd', 0o755)
    for (const { call, needs, follows, changesNames } of longCalls) {
      prepareOther(script)
      if (needs !== undefined) script.expect(call('d/missing'), 'ENOENT')
      if (follows && !changesNames) {
        script.ok('symlink', 'nothing', 'd/link')
        script.expect(call('d/link'), 'ENOENT')
        script.ok('unlink', 'd/link')
      }
      script.expect(call(''), ['ENOENT', 'EINVAL'])
    }
  },

  'ELOOP: links that lead to each other': (script) => {
    script.ok('symlink', 'a', 'b')
    script.ok('symlink', 'b', 'a')
    for (const { call, follows } of pathCalls) {
      for (const name of ['a', 'b']) {
        prepareOther(script)
        script.expect(call(`${name}/test`), 'ELOOP')
        if (follows) script.expect(call(name), 'ELOOP')
      }
    }
  },

  'ELOOP: forty links one after the other may be followed, and no more': (script) => {
    script.make('regular', 'link-0')
    script.ok('mkdir', 'place-0', 0o755)
    script.make('regular', 'place-0/x')
    for (let index = 1; index <= 41; index += 1) {
      script.ok('symlink', `link-${index - 1}`, `link-${index}`)
      script.ok('symlink', `place-${index - 1}`, `place-${index}`)
    }
    script.stat('link-40', { kind: 'regular' })
    script.fails('ELOOP', 'stat', 'link-41')
    script.fails('ELOOP', 'open', 'link-41', 0)
    script.stat('place-40/x', { kind: 'regular' })
    script.fails('ELOOP', 'stat', 'place-41/x')
  },

  'EFAULT: the path is at no address': (script) => {
    for (const { call, what } of longCalls) {
      prepareOther(script)
      // The C library itself turns away utimensat without a path.
      for (const address of badAddresses) script.expect(call(address), what === 'utimensat' && address === null ? 'EINVAL' : 'EFAULT')
    }
    for (const address of badAddresses) {
      script.fails('EFAULT', 'symlink', address, 'new')
      script.fails('EFAULT', 'rename', address, null)
      script.fails('EFAULT', 'link', address, null)
    }
    script.gone('new')
  },

  'EEXIST: everything that makes a name, where any kind of file is': (script) => {
    for (const kind of [...kindsButDirectory, 'directory'] as const) {
      script.make(kind, 'taken')
      for (const { call, makes, what } of pathCalls) {
        if (!makes) continue
        prepareOther(script)
        script.expect(call('taken'), what === 'bind' ? 'EADDRINUSE' : 'EEXIST')
      }
      script.lstat('taken', { kind, nlink: kind === 'directory' ? 2 : 1 })
      script.remove(kind, 'taken')
    }
  },
}
