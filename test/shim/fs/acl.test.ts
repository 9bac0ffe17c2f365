import { expect, test } from 'vitest'
import { type Acl, aclWithMode, decodeAcl, encodeAcl, inherited, isPlain, modeWithAcl } from '../../../shim/fs/acl.ts'

const none = 0xffffffff
const plain: Acl = [
  { tag: 0x01, permissions: 7, id: none },
  { tag: 0x04, permissions: 5, id: none },
  { tag: 0x20, permissions: 1, id: none },
]
const named: Acl = [
  { tag: 0x01, permissions: 6, id: none },
  { tag: 0x02, permissions: 7, id: 1000 },
  { tag: 0x04, permissions: 4, id: none },
  { tag: 0x08, permissions: 5, id: 4_000_000_000 },
  { tag: 0x10, permissions: 6, id: none },
  { tag: 0x20, permissions: 0, id: none },
]

test('the bytes are those of posix_acl_xattr.h', () => {
  const bytes = encodeAcl(named)
  expect([...bytes.subarray(0, 20)]).toEqual([2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 232, 3, 0, 0])
  expect(decodeAcl(bytes)).toEqual(named)
  expect(decodeAcl(encodeAcl([]))).toEqual([])
})

test.each([new Uint8Array(0), new Uint8Array(3), Uint8Array.of(1, 0, 0, 0), new Uint8Array(11)])('what is no list is not taken for one: %o', (bytes) => {
  expect(decodeAcl(bytes)).toBeUndefined()
})

test('a list without names and mask is mode bits', () => {
  expect([isPlain(plain), isPlain(named)]).toEqual([true, false])
  expect(modeWithAcl(0o4000, plain)).toBe(0o4751)
  // The group's bits are the mask's.
  expect(modeWithAcl(0o777, named)).toBe(0o660)
})

test('chmod changes the mask where there is one, and the owning group where there is none', () => {
  const masked = aclWithMode(named, 0o751)
  expect(masked.map(({ permissions }) => permissions)).toEqual([7, 7, 4, 5, 5, 1])
  expect(aclWithMode(plain, 0o640).map(({ permissions }) => permissions)).toEqual([6, 4, 0])
})

test('a new file gets what both the default list and its maker permit', () => {
  const { mode, acl } = inherited(named, 0o2640)
  expect(mode).toBe(0o2640)
  expect(acl?.map(({ permissions }) => permissions)).toEqual([6, 7, 4, 5, 4, 0])
  expect(inherited(plain, 0o666)).toEqual({ mode: 0o640, acl: undefined })
})
