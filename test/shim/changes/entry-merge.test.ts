import { expect, test } from 'vitest'
import type { Entry } from '../../../shared/format/entry.ts'
import { toFileId } from '../../../shared/volume/file-id.ts'
import { rebased } from '../../../shim/changes/entry-merge.ts'
import { utf8 } from '../../support/test-volume.ts'

function fileOf(text: string, size = text.length): Entry {
  const time = { seconds: 1, nanoseconds: 0 }
  return { kind: 'file', id: toFileId(7), mode: 0o644, uid: 0, gid: 0, mtime: time, ctime: time, size, linkCount: 1, xattrs: new Map(), content: { kind: 'inline', bytes: utf8(text) } }
}

test('a file whose body was lost with the power, and turns out to be published, is as long as that', () => {
  // It was 6 bytes long when it was taken; without a body it has what was published before that, which is nothing.
  const [before, now, after] = [fileOf('', 6), { ...fileOf('', 0), mode: 0o600 }, fileOf('posted')]
  expect(rebased(now, before, after)).toEqual({ ...after, mode: 0o600 })
})

test('a time of access that was set stays, also where it was the same as the time of change when it was published', () => {
  const atime = { seconds: 5, nanoseconds: 0 }
  const before = { ...fileOf('a'), mtime: atime, atime }
  const { atime: _omitted, ...after } = before
  const now = { ...before, mtime: { seconds: 9, nanoseconds: 0 } }
  expect(rebased(now, before, after)).toMatchObject({ atime, mtime: { seconds: 9 } })
})
