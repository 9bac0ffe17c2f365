/** Permission bits: who may change them, what they do to times, when set-user-id and set-group-id go. */
import { type Cases, kindsButSymlink } from './cases.ts'

export const chmodCases: Cases = {
  'changes the permissions of every kind of file, also through a link, and never the link itself': (script) => {
    for (const kind of kindsButSymlink) {
      script.make(kind, kind)
      script.ok('chmod', kind, 0o111)
      script.stat(kind, { kind, mode: 0o111 })
      script.ok('symlink', kind, 'link')
      script.lstat('link', { kind: 'symlink', mode: 0o777 })
      script.ok('chmod', 'link', 0o222)
      script.stat('link', { mode: 0o222 })
      script.stat(kind, { mode: 0o222 })
      script.lstat('link', { kind: 'symlink', mode: 0o777 })
      script.fails('EOPNOTSUPP', 'lchmod', 'link', 0o600)
      script.ok('unlink', 'link')
    }
  },
}
