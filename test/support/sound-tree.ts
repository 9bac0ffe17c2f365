/** What must be true of every tree, by reading all of it: counts, link counts, ids, and that nothing in the inode tree is without a name. */
import { expect } from 'vitest'
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { idOfInodeKey } from '../../shared/format/inode-key.ts'
import { diffTrees } from '../../shared/format/tree-diff.ts'
import { decodeName } from '../../shared/name.ts'
import { treeRootOf } from '../../shared/volume/overlay.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'

export async function expectSound(snapshot: Snapshot): Promise<void> {
  const load = (pointer: Parameters<typeof snapshot.pages.load>[0]): Promise<Uint8Array> => snapshot.pages.load(pointer)
  const linkCounts = new Map<number, number>()
  const ids = new Map<number, string>([[snapshot.root.directory.id, '/']])
  const pending: { readonly path: string; readonly entry: Entry }[] = [{ path: '', entry: snapshot.root.directory }]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const { pointer, entryCount, directoryCount } = treeRootOf(directory.entry)
    const counts = { entryCount: 0, directoryCount: 0 }
    for await (const { key, after } of diffTrees(undefined, pointer, load)) {
      const path = `${directory.path}/${decodeName(key)}`
      const entry = decodeEntry(after!)
      counts.entryCount += 1
      if (entry.content.kind === 'link') {
        linkCounts.set(entry.id, (linkCounts.get(entry.id) ?? 0) + 1)
        continue
      }
      expect(ids.get(entry.id), `${path} has an id of its own`).toBeUndefined()
      expect(entry.linkCount, `link count of ${path}`).toBe(1)
      ids.set(entry.id, path)
      if (entry.kind !== 'directory') continue
      counts.directoryCount += 1
      pending.push({ path, entry })
    }
    expect({ path: directory.path, entryCount, directoryCount }).toEqual({ path: directory.path, ...counts })
  }
  for await (const { key, after } of diffTrees(undefined, snapshot.root.inodes, load)) {
    const id = idOfInodeKey(key)
    const inode = decodeEntry(after!)
    expect(inode.id).toBe(id)
    expect(ids.get(id), `inode ${id} is no other file`).toBeUndefined()
    expect(inode.linkCount, `link count of inode ${id}`).toBe(linkCounts.get(id) ?? 0)
    linkCounts.delete(id)
  }
  expect([...linkCounts.keys()], 'names without an inode').toEqual([])
}
