import { expect, test } from 'vitest'
import { findMount, isEdgemount, isFuse, parseMountTable } from '../../../shim/fuse/mount-table.ts'

const table = parseMountTable(
  [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    '42 22 0:39 / /mnt/a\\040b\\134c ro,nosuid,nodev shared:2 master:1 - fuse.edgemount test,\\040driver ro,user_id=0',
    '43 42 0:40 / /mnt/a\\040b\\134c rw - fuse other rw',
    '44 22 0:41 / /mnt/\u00ff rw - fuseblk /dev/vdb rw',
    '45 22 nonsense',
    '',
  ].join('\n'),
)

test('reads ids, devices, escaped and undecodable paths', () => {
  expect(table).toHaveLength(4)
  expect(table[1]).toEqual({ id: 42, deviceMinor: 39, mountPoint: '/mnt/a b\\c', type: 'fuse.edgemount', source: 'test, driver' })
  expect(table[3]?.mountPoint).toBe('/mnt/\udcff')
})

test('the last mount at a place is the one that is seen', () => {
  expect(findMount(table, '/mnt/a b\\c')?.id).toBe(43)
  expect(findMount(table, '/mnt')).toBeUndefined()
})

test('knows FUSE by its type', () => {
  expect(table.map(isFuse)).toEqual([false, true, true, false])
})

test('knows what is ours', () => {
  const entry = { id: 1, deviceMinor: 2, mountPoint: '/m', type: 'fuse.edgemount', source: 'dir:/s/v' }
  expect(isEdgemount(entry)).toBe(true)
  expect(isEdgemount({ ...entry, type: 'fuse', source: 'edgemount#dir:/s/v' })).toBe(true)
  expect(isEdgemount({ ...entry, type: 'fuse.sshfs' })).toBe(false)
  expect(isEdgemount({ ...entry, type: 'fuse', source: 'host:/' })).toBe(false)
})
