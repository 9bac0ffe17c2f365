import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import type { Entry } from '../../../shared/format/entry.ts'
import { encodeEntry } from '../../../shared/format/entry-codec.ts'
import { accessAclName, defaultAclName, encodeAcl } from '../../../shim/fs/acl.ts'
import { refusalOf, withXattr, withoutXattr } from '../../../shim/fs/xattr-changes.ts'
import { fileEntry } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { utf8 } from '../../support/test-volume.ts'

const now = { seconds: 2_000_000_000, nanoseconds: 7 }
const file: Entry = { ...fileEntry(5, hashOf(utf8('x')), 100), mode: 0o2644 }
const directory: Entry = { ...file, kind: 'directory', content: { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } }, size: 0 }
const set = (entry: Entry, name: string, value: Uint8Array, flags = 0, killsSetGid = false): Entry | number => withXattr(entry, { name, value, flags, killsSetGid }, now)
const changed = (outcome: Entry | number): Entry => {
  if (typeof outcome === 'number') throw new Error(`errno ${-outcome}`)
  return outcome
}

const none = 0xffffffff
const plain = encodeAcl([{ tag: 1, permissions: 7, id: none }, { tag: 4, permissions: 5, id: none }, { tag: 32, permissions: 4, id: none }])
const named = encodeAcl([
  { tag: 1, permissions: 6, id: none },
  { tag: 2, permissions: 7, id: 9 },
  { tag: 4, permissions: 4, id: none },
  { tag: 16, permissions: 5, id: none },
  { tag: 32, permissions: 0, id: none },
])

test('an attribute is made, replaced and removed, as the flags say', () => {
  const one = changed(set(file, 'user.a', utf8('1')))
  expect([one.xattrs.get('user.a'), one.ctime, one.mtime]).toEqual([utf8('1'), now, file.mtime])
  expect(set(one, 'user.a', utf8('2'), 1)).toBe(-errno.EEXIST)
  expect(set(one, 'user.b', utf8('2'), 2)).toBe(-errno.ENODATA)
  expect(changed(set(one, 'user.a', utf8('2'), 2)).xattrs.get('user.a')).toEqual(utf8('2'))
  expect(changed(withoutXattr(one, 'user.a', now)).xattrs.size).toBe(0)
  expect(withoutXattr(file, 'user.a', now)).toBe(-errno.ENODATA)
})

test('only names that ext4 knows are kept', () => {
  expect(['user.a', 'trusted.a', 'security.a', accessAclName, defaultAclName].map(refusalOf)).toEqual([0, 0, 0, 0, 0])
  expect(['system.other', 'other.a', 'a', ''].map(refusalOf)).toEqual(Array.from({ length: 4 }, () => -errno.EOPNOTSUPP))
  expect(refusalOf('user.')).toBe(-errno.EINVAL)
})

test('what does not fit is refused, and what fits can be stored', () => {
  expect(set(file, 'user.a', new Uint8Array(65_537))).toBe(-errno.E2BIG)
  expect(set(file, 'user.a', new Uint8Array(60_000))).toBe(-errno.ENOSPC)
  let entry = file
  for (let index = 0; ; index += 1) {
    const next = set(entry, `user.${index}`, new Uint8Array(1000))
    if (next === -errno.ENOSPC) break
    entry = changed(next)
  }
  expect(encodeEntry(entry).length).toBeGreaterThan(20_000)
})

test('an access list sets the mode, and is none when the mode says it all', () => {
  expect(changed(set(file, accessAclName, named))).toMatchObject({ mode: 0o2650, ctime: now })
  expect(changed(set(file, accessAclName, named, 0, true)).mode).toBe(0o650)
  const back = changed(set(changed(set(file, accessAclName, named)), accessAclName, plain))
  expect([back.mode, back.xattrs.has(accessAclName)]).toEqual([0o2754, false])
  expect(changed(set(changed(set(file, accessAclName, named)), accessAclName, encodeAcl([]))).xattrs.size).toBe(0)
  expect(set(file, accessAclName, utf8('no list'))).toBe(-errno.EINVAL)
  expect(set({ ...file, kind: 'symlink' }, accessAclName, named)).toBe(-errno.EOPNOTSUPP)
})

test('a default list is for directories, and changes no mode', () => {
  expect(changed(set(directory, defaultAclName, named))).toMatchObject({ mode: 0o2644 })
  expect(changed(set(changed(set(directory, defaultAclName, plain)), defaultAclName, encodeAcl([]))).xattrs.size).toBe(0)
  expect(set(file, defaultAclName, named)).toBe(-errno.EACCES)
})
