import { expect, test } from 'vitest'
import type { Entry } from '../../../shared/format/entry.ts'
import { accessAclName, decodeAcl, encodeAcl } from '../../../shim/fs/acl.ts'
import { hasPrivileges, withAttributes, withoutPrivileges } from '../../../shim/fs/attribute-changes.ts'
import { fileEntry } from '../../support/file-entry.ts'
import { unchanged } from '../../support/handler-bed.ts'
import { hashOf } from '../../support/hash-of.ts'
import { utf8 } from '../../support/test-volume.ts'

const root = { uid: 0, gid: 0, pid: 1 }
const owner = { uid: 1000, gid: 1000, pid: 1 }
const stranger = { uid: 7, gid: 7, pid: 1 }
const now = { seconds: 2_000_000_000, nanoseconds: 7 }
const file: Entry = { ...fileEntry(5, hashOf(utf8('x')), 100), mode: 0o644 }
const directory: Entry = { ...file, kind: 'directory', content: { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } }, size: 0 }

test('chmod sets all twelve bits and moves ctime alone', () => {
  expect(withAttributes(file, { ...unchanged, mode: 0o106755 }, owner, now)).toEqual({ ...file, mode: 0o6755, ctime: now })
})

test('chmod keeps the access list in step', () => {
  const acl = encodeAcl([
    { tag: 1, permissions: 7, id: 0xffffffff },
    { tag: 2, permissions: 7, id: 5 },
    { tag: 4, permissions: 7, id: 0xffffffff },
    { tag: 16, permissions: 7, id: 0xffffffff },
    { tag: 32, permissions: 7, id: 0xffffffff },
  ])
  const changed = withAttributes({ ...file, xattrs: new Map([[accessAclName, acl]]) }, { ...unchanged, mode: 0o640 }, owner, now)
  expect(decodeAcl(changed.xattrs.get(accessAclName)!)?.map(({ permissions }) => permissions)).toEqual([6, 7, 7, 4, 0])
})

test.each([
  { what: 'chown takes set-user-id and set-group-id of programs', mode: 0o6755, who: root, left: 0o755 },
  { what: 'set-group-id without group execution stays for root', mode: 0o6644, who: root, left: 0o2644 },
  { what: 'and for who is in the group', mode: 0o2644, who: owner, left: 0o2644 },
  { what: 'but not for others', mode: 0o2644, who: stranger, left: 0o644 },
])('$what', ({ mode, who, left }) => {
  const changed = withAttributes({ ...file, mode, xattrs: new Map([['security.capability', utf8('c')]]) }, { ...unchanged, uid: 9, killsPrivileges: true }, who, now)
  expect(changed).toMatchObject({ mode: left, uid: 9, gid: 1000, ctime: now, mtime: file.mtime })
  expect(changed.xattrs.size).toBe(0)
})

test('directories keep their bits', () => {
  expect(withAttributes({ ...directory, mode: 0o6775 }, { ...unchanged, gid: 9, killsPrivileges: true }, stranger, now)).toMatchObject({ mode: 0o6775, gid: 9 })
  expect([hasPrivileges({ ...directory, mode: 0o6775 }), hasPrivileges({ ...file, mode: 0o4755 }), hasPrivileges(file)]).toEqual([false, true, false])
  expect(withoutPrivileges({ ...file, mode: 0o4755 }, stranger).mode).toBe(0o755)
})

test('a time that is set alone leaves the other where it was seen', () => {
  const time = { seconds: -5, nanoseconds: 999_999_999 }
  expect(withAttributes(file, { ...unchanged, mtime: time }, owner, now)).toMatchObject({ mtime: time, atime: file.mtime, ctime: now })
  expect(withAttributes(file, { ...unchanged, atime: time }, owner, now)).toMatchObject({ mtime: file.mtime, atime: time, ctime: now })
  expect(withAttributes(file, { ...unchanged, atime: 'now', mtime: 'now' }, owner, now)).toMatchObject({ mtime: now, atime: now })
  // A kernel that keeps times itself says ctime, too.
  expect(withAttributes(file, { ...unchanged, mtime: time, ctime: time }, owner, now)).toMatchObject({ ctime: time })
})
