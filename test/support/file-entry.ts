/** Entries as real folders have them, for tests. */
import type { Entry, FileId, Hash, Run } from '../../shared/format/entry.ts'
import { isFileId } from '../../shared/format/entry.ts'
import { encodeManifestPage } from '../../shared/format/manifest-shape.ts'
import { dataPack } from './page-memory.ts'

export function fileId(value: number): FileId {
  if (!isFileId(value)) throw new Error(`${value} is no file id`)
  return value
}

export function chunkRun(hash: Hash, length: number, offset = 0): Run {
  return { kind: 'chunk', length, pointer: { hash, pack: dataPack, offset, length } }
}

/** A file of one chunk with nanosecond times, as an import makes them. */
export function fileEntry(id: number, hash: Hash, length: number, offset = 12_345_678): Entry {
  return {
    kind: 'file',
    id: fileId(id),
    mode: 0o644,
    uid: 1000,
    gid: 1000,
    mtime: { seconds: 1_763_724_000 + (id % 1000), nanoseconds: 123_456_789 },
    ctime: { seconds: 1_763_724_900, nanoseconds: 987_654_321 },
    size: length,
    linkCount: 1,
    xattrs: new Map(),
    content: { kind: 'manifest', root: { kind: 'inline', page: encodeManifestPage(0, [chunkRun(hash, length, offset)]), contentId: hash } },
  }
}
