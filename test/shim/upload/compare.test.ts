import { expect, test } from 'vitest'
import type { Entry, FileId } from '../../../shared/format/entry.ts'
import { decide } from '../../../shim/upload/compare.ts'
import { localEntry } from './local-entries.ts'

const file: Entry = {
  kind: 'file',
  id: 2000 as FileId,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1000, nanoseconds: 1 },
  ctime: { seconds: 2000, nanoseconds: 0 },
  size: 5,
  linkCount: 1,
  xattrs: new Map(),
  content: { kind: 'inline', bytes: new Uint8Array(5) },
}
const directory: Entry = { ...file, kind: 'directory', size: 0, content: { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } } }
const symlink: Entry = { ...file, kind: 'symlink', size: 1, content: { kind: 'target', target: 'x' } }
const device: Entry = { ...file, kind: 'character-device', size: 0, content: { kind: 'device', major: 1, minor: 3 } }
const attributes = { user: new Map([['user.a', Uint8Array.of(1)]]) }

test.each([
  ['a new file', localEntry('f', { size: 5 }), undefined, false, 'read'],
  ['a new folder', localEntry('f', { kind: 'directory' }), undefined, false, 'make'],
  ['the same file', localEntry('f', { size: 5 }), file, false, 'keep'],
  ['the same file, with --checksum', localEntry('f', { size: 5 }), file, true, 'read'],
  ['another size', localEntry('f', { size: 6 }), file, false, 'read'],
  ['a nanosecond later', localEntry('f', { size: 5, mtime: { seconds: 1000, nanoseconds: 2 } }), file, false, 'read'],
  ['another mode', localEntry('f', { size: 5, mode: 0o600 }), file, false, 'attributes'],
  ['another owner', localEntry('f', { size: 5, uid: 1 }), file, false, 'attributes'],
  ['another attribute', localEntry('f', { size: 5, xattrs: attributes.user }), file, false, 'attributes'],
  ['other bytes in an attribute', localEntry('f', { size: 5, xattrs: attributes.user }), { ...file, xattrs: new Map([['user.a', Uint8Array.of(2)]]) }, false, 'attributes'],
  ['the same link', localEntry('f', { kind: 'symlink', target: 'x' }), symlink, false, 'keep'],
  ['a link to elsewhere', localEntry('f', { kind: 'symlink', target: 'y' }), symlink, false, 'make'],
  ['the same device', localEntry('f', { kind: 'character-device', major: 1, minor: 3 }), device, false, 'keep'],
  ['another device', localEntry('f', { kind: 'character-device', major: 1, minor: 5 }), device, false, 'make'],
  ['a file in place of a folder', localEntry('f', { size: 5 }), directory, false, 'clear'],
  ['a folder in place of a file', localEntry('f', { kind: 'directory' }), file, false, 'clear'],
  ['a file in place of a link', localEntry('f', { size: 5 }), symlink, false, 'read'],
  ['a link in place of a file', localEntry('f', { kind: 'symlink', target: 'x' }), file, false, 'make'],
] as const)('%s', (_, local, existing, isChecksum, decision) => {
  expect(decide(local, existing, isChecksum)).toBe(decision)
})
