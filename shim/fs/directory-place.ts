/**
 * A directory of a snapshot found by where it is said to lie, a name at a time from the top. Called by the tree for directories with changes, whose rows may
 * have been found by another name than the snapshot's.
 */
import { decodeEntry, encodeEntry } from '../../shared/format/entry-codec.ts'
import type { FileId, Root } from '../../shared/format/entry.ts'
import { type Missing, type PageSource, isMissing } from '../../shared/format/page.ts'
import { findInTree } from '../../shared/format/tree-page.ts'
import { encodeName } from '../../shared/name.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { rootFileId } from '../../shared/volume/file-id.ts'

/** Places that lead round to themselves must not hang the thread; paths are no deeper (PATH_MAX / 2). */
const depthMax = 4096

/** Its entry; undefined when it does not lie where its place says, or nothing says where. */
export function directoryByPlace(root: Root, id: FileId, placeOf: (id: FileId) => Place | undefined, pages: PageSource): Uint8Array | undefined | Missing {
  const names: string[] = []
  for (let at = id; at !== rootFileId; ) {
    const place = placeOf(at)
    if (place === undefined || names.length > depthMax) return undefined
    names.push(place.name)
    at = place.parentId
  }
  let bytes = encodeEntry(root.directory)
  for (const name of names.toReversed()) {
    const { content } = decodeEntry(bytes)
    const found = content.kind === 'tree' ? findInTree(content.root.pointer, encodeName(name), pages) : undefined
    if (found === undefined || isMissing(found)) return found
    bytes = found
  }
  return decodeEntry(bytes).id === id ? bytes.slice() : undefined
}
