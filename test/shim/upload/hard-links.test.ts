import { expect, test } from 'vitest'
import type { Entry, FileId } from '../../../shared/format/entry.ts'
import { HardLinks } from '../../../shim/upload/hard-links.ts'
import { localEntry } from './local-entries.ts'

const inVolume = (id: number, linkCount: number): Entry => ({
  kind: 'file',
  id: id as FileId,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  ctime: { seconds: 0, nanoseconds: 0 },
  size: 0,
  linkCount,
  xattrs: new Map(),
  content: { kind: 'inline', bytes: new Uint8Array(0) },
})

test('the second name of a file is a link to the first', () => {
  const links = new HardLinks()
  expect(links.plan(localEntry('a', { linkIdentity: '1:5' }), '/a', undefined)).toEqual({ kind: 'alone', isShared: false, isTaken: false })
  expect(links.plan(localEntry('b', { linkIdentity: '1:5' }), '/b', undefined)).toEqual({ kind: 'again', path: '/a' })
  expect(links.plan(localEntry('c', { linkIdentity: '1:6' }), '/c', undefined)).toMatchObject({ kind: 'alone' })
})

test('names that are linked in the volume stay as they are', () => {
  const links = new HardLinks()
  expect(links.plan(localEntry('a', { linkIdentity: '1:5' }), '/a', inVolume(9, 2))).toEqual({ kind: 'alone', isShared: true, isTaken: false })
  expect(links.plan(localEntry('b', { linkIdentity: '1:5' }), '/b', inVolume(9, 2))).toEqual({ kind: 'again', path: '/a' })
  expect(links.isLinked(localEntry('b', { linkIdentity: '1:5' }), inVolume(9, 2))).toBe(true)
  expect(links.isLinked(localEntry('b', { linkIdentity: '1:5' }), inVolume(8, 2)), 'to another file').toBe(false)
  expect(links.isLinked(localEntry('b', { linkIdentity: '1:5' }), undefined), 'not there').toBe(false)
})

test('once the first name got a new file, the others are linked to that', () => {
  const links = new HardLinks()
  const first = localEntry('a', { linkIdentity: '1:5' })
  links.plan(first, '/a', inVolume(9, 2))
  links.replaced(first)
  expect(links.isLinked(localEntry('b', { linkIdentity: '1:5' }), inVolume(9, 2))).toBe(false)
})

test('files that are apart here may not stay one file there', () => {
  const links = new HardLinks()
  expect(links.plan(localEntry('a'), '/a', inVolume(9, 2))).toMatchObject({ isTaken: false, isShared: true })
  expect(links.plan(localEntry('b'), '/b', inVolume(9, 2))).toMatchObject({ isTaken: true, isShared: true })
})

test('two pairs that were one group become two', () => {
  const links = new HardLinks()
  expect(links.plan(localEntry('a', { linkIdentity: '1:5' }), '/a', inVolume(9, 4))).toMatchObject({ isTaken: false })
  expect(links.plan(localEntry('b', { linkIdentity: '1:6' }), '/b', inVolume(9, 4))).toMatchObject({ isTaken: true })
  expect(links.plan(localEntry('c', { linkIdentity: '1:5' }), '/c', inVolume(9, 4))).toEqual({ kind: 'again', path: '/a' })
  expect(links.plan(localEntry('d', { linkIdentity: '1:6' }), '/d', inVolume(9, 4))).toEqual({ kind: 'again', path: '/b' })
  expect(links.isLinked(localEntry('c', { linkIdentity: '1:5' }), inVolume(9, 4))).toBe(true)
  expect(links.isLinked(localEntry('d', { linkIdentity: '1:6' }), inVolume(9, 4))).toBe(false)
})
