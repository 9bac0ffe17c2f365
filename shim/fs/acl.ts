/**
 * POSIX access control lists as Linux keeps them in the xattrs `system.posix_acl_access` and `system.posix_acl_default`: how they and the mode bits
 * make each other, and what a new file inherits. Pure; called when attributes change and when something is made.
 *
 * The kernel has checked the bytes (posix_acl_from_xattr, posix_acl_valid) before they come here, and judges permissions by them itself.
 * Bytes: uapi/linux/posix_acl_xattr.h; rules: fs/posix_acl.c.
 */

export const accessAclName = 'system.posix_acl_access'
export const defaultAclName = 'system.posix_acl_default'

const version = 2
const headerBytes = 4
const itemBytes = 8

const tag = { userObject: 0x01, user: 0x02, groupObject: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const

interface AclItem {
  readonly tag: number
  readonly permissions: number
  /** Of a user or group; 0xffffffff for the others. */
  readonly id: number
}

export type Acl = readonly AclItem[]

/** Undefined for bytes that are no list. No items at all: "no list". */
export function decodeAcl(bytes: Uint8Array): Acl | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < headerBytes || (bytes.length - headerBytes) % itemBytes !== 0 || view.getUint32(0, true) !== version) return undefined
  const items: AclItem[] = []
  for (let at = headerBytes; at < bytes.length; at += itemBytes) {
    items.push({ tag: view.getUint16(at, true), permissions: view.getUint16(at + 2, true) & 7, id: view.getUint32(at + 4, true) })
  }
  return items
}

export function encodeAcl(acl: Acl): Uint8Array {
  const bytes = new Uint8Array(headerBytes + acl.length * itemBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, version, true)
  acl.forEach((item, index) => {
    const at = headerBytes + index * itemBytes
    view.setUint16(at, item.tag, true)
    view.setUint16(at + 2, item.permissions, true)
    view.setUint32(at + 4, item.id, true)
  })
  return bytes
}

/** It says no more than mode bits can. */
export function isPlain(acl: Acl): boolean {
  return acl.every((item) => item.tag === tag.userObject || item.tag === tag.groupObject || item.tag === tag.other)
}

/** The permission bits of a file that gets this access list; the bits above 0o777 stay. The group's are the mask's, if there is one. */
export function modeWithAcl(mode: number, acl: Acl): number {
  const group = permissionsOf(acl, tag.mask) ?? permissionsOf(acl, tag.groupObject) ?? 0
  return (mode & ~0o777) | ((permissionsOf(acl, tag.userObject) ?? 0) << 6) | (group << 3) | (permissionsOf(acl, tag.other) ?? 0)
}

/** The access list after chmod(2): the mask, if there is one, takes the group's bits. */
export function aclWithMode(acl: Acl, mode: number): Acl {
  const hasMask = acl.some((item) => item.tag === tag.mask)
  return acl.map((item) => {
    if (item.tag === tag.userObject) return { ...item, permissions: (mode >> 6) & 7 }
    if (item.tag === (hasMask ? tag.mask : tag.groupObject)) return { ...item, permissions: (mode >> 3) & 7 }
    return item.tag === tag.other ? { ...item, permissions: mode & 7 } : item
  })
}

/** What a file made with `mode` in a directory with this default list gets: both have to permit. No list when the mode says it all. */
export function inherited(defaultAcl: Acl, mode: number): { readonly mode: number; readonly acl: Acl | undefined } {
  const hasMask = defaultAcl.some((item) => item.tag === tag.mask)
  const acl = defaultAcl.map((item) => {
    if (item.tag === tag.userObject) return { ...item, permissions: item.permissions & (mode >> 6) }
    if (item.tag === (hasMask ? tag.mask : tag.groupObject)) return { ...item, permissions: item.permissions & (mode >> 3) }
    return item.tag === tag.other ? { ...item, permissions: item.permissions & mode } : item
  })
  return { mode: modeWithAcl(mode, acl), acl: isPlain(acl) ? undefined : acl }
}

function permissionsOf(acl: Acl, wanted: number): number | undefined {
  return acl.find((item) => item.tag === wanted)?.permissions
}
