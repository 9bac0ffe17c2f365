/**
 * What the changing half of the handler asks of the part that has the bytes: a contract, types alone. `data-operations.ts` obeys it, `volume-writer.ts`
 * calls it.
 */
import type { Answer, FilePlace, NodeId, WriteContext } from '../fuse/handler.ts'

export interface FileData {
  write(nodeId: NodeId, handle: number, offset: number, bytes: Uint8Array, context: WriteContext): Answer<{ readonly written: number }>
  fsync(nodeId: NodeId, handle: number, isDataOnly: boolean): Answer<undefined>
  fallocate(nodeId: NodeId, handle: number, offset: number, length: number, mode: number): Answer<undefined>
  copyFileRange(from: FilePlace, to: FilePlace, length: number, flags: number): Answer<{ readonly copied: number }>
}
