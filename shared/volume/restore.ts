/**
 * Bringing a directory back that another commit removed: its tree as it was, without what stands under another name now, and with its hard links
 * counted again.
 */
import type { Entry, FileId } from '../format/entry.ts'
import { DirectoryNode, type Overlay } from './overlay.ts'

/** The snapshot that something is brought back from. */
export interface Past {
  inode(id: FileId): Promise<Entry | undefined>
  /** It stands under another name now. */
  isElsewhere(id: FileId): Promise<boolean>
}

/** `top` has the old tree, and no name yet. Reads all of it. */
export async function bringBack(overlay: Overlay, top: DirectoryNode, past: Past): Promise<void> {
  const pending = [top]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const name of await overlay.names(directory)) {
      const found = await overlay.find(directory, name)
      if (found === undefined) continue
      if (!(found instanceof DirectoryNode) && found.content.kind === 'link') await countName(overlay, found.id, past)
      else if (await past.isElsewhere(found instanceof DirectoryNode ? found.entry.id : found.id)) overlay.remove(directory, name, found)
      else if (found instanceof DirectoryNode) pending.push(found)
    }
  }
}

/** One more name for a file of the inode tree, which comes back with its first. */
export async function countName(overlay: Overlay, id: FileId, past: Past): Promise<void> {
  const alive = await overlay.inode(id)
  const inode = alive ?? (await past.inode(id))
  if (inode !== undefined) overlay.setInode(id, { ...inode, linkCount: alive === undefined ? 1 : alive.linkCount + 1 })
}
