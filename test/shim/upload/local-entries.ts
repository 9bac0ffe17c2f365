/** Local entries for tests, without a disk. */
import type { LocalEntry } from '../../../shim/upload/local-entry.ts'
import { localPathOf } from '../../../shim/upload/local-path.ts'

export function localEntry(name: string, fields: Partial<LocalEntry> = {}): LocalEntry {
  return {
    local: localPathOf(`/folder/${name}`),
    name,
    kind: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1000, nanoseconds: 1 },
    size: 0,
    xattrs: new Map(),
    target: undefined,
    major: 0,
    minor: 0,
    device: 1n,
    linkIdentity: undefined,
    ...fields,
  }
}
