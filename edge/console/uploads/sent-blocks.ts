/**
 * What of a file was sent, as one hash over its blocks: noted before they are sent, and compared before an upload is gone on with in a later page. A file of the same name,
 * size and time may be another one.
 */
import { webHash } from '../../../shared/hash.ts'

export const blockBytes = 32 * 1024 * 1024

export interface SentBlocks {
  readonly count: number
  /** Each block's hash together with what was here before. */
  readonly chain: string
}

export const noBlocks: SentBlocks = { count: 0, chain: '' }

/** How many blocks hold the bytes before `end`, one at least. */
export function blocksUpTo(end: number): number {
  return Math.max(1, Math.ceil(end / blockBytes))
}

/** With the file's blocks up to `count`, each held for a moment. */
export async function withBlocks(file: Blob, sent: SentBlocks, count: number): Promise<SentBlocks> {
  let now = sent
  for (let index = sent.count; index < count; index += 1) {
    const bytes = new Uint8Array(await file.slice(index * blockBytes, (index + 1) * blockBytes).arrayBuffer())
    now = { count: index + 1, chain: await webHash(new TextEncoder().encode(`${now.chain} ${await webHash(bytes)}`)) }
  }
  return now
}

export async function hasSameBlocks(file: Blob, sent: SentBlocks): Promise<boolean> {
  return (await withBlocks(file, noBlocks, sent.count)).chain === sent.chain
}
