import { expect, test } from 'vitest'
import type { Entry, FileId } from '../../../shared/format/entry.ts'
import { entryJson, longLine, modeText } from '../../../shim/command/entry-text.ts'

const entry: Entry = {
  kind: 'file',
  id: 5000 as FileId,
  mode: 0o644,
  uid: 1000,
  gid: 100,
  mtime: { seconds: 1_700_000_000, nanoseconds: 5 },
  ctime: { seconds: 1_700_000_001, nanoseconds: 0 },
  size: 3,
  linkCount: 1,
  xattrs: new Map([['user.a', Uint8Array.of(1, 2)]]),
  content: { kind: 'inline', bytes: Uint8Array.of(1, 2, 3) },
}

test.each([
  ['file', 0o644, '-rw-r--r--'],
  ['directory', 0o1777, 'drwxrwxrwt'],
  ['file', 0o4755, '-rwsr-xr-x'],
  ['file', 0o6644, '-rwSr-Sr--'],
  ['symlink', 0o777, 'lrwxrwxrwx'],
  ['fifo', 0o600, 'prw-------'],
] as const)('a %s of mode %o', (kind, mode, text) => {
  expect(modeText({ kind, mode })).toBe(text)
})

test('a long line is what ls -l prints', () => {
  expect(longLine('a.txt', entry)).toBe('-rw-r--r--   1  1000   100            3 2023-11-14 22:13:20Z a.txt')
  expect(longLine('l', { ...entry, kind: 'symlink', content: { kind: 'target', target: 'a.txt' } })).toContain(' l -> a.txt')
  expect(longLine('d', { ...entry, kind: 'character-device', content: { kind: 'device', major: 1, minor: 3 } })).toContain(' 1, 3 ')
})

test('JSON has what the edge says, and the attributes', () => {
  expect(entryJson('/a.txt', entry)).toEqual({
    path: '/a.txt',
    kind: 'file',
    id: 5000,
    mode: 0o644,
    uid: 1000,
    gid: 100,
    mtime: '2023-11-14T22:13:20.000000005Z',
    ctime: '2023-11-14T22:13:21.000000000Z',
    size: 3,
    linkCount: 1,
    xattrs: { 'user.a': 'AQI=' },
  })
})
