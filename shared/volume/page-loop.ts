/**
 * Runs the synchronous readers of trees and manifests where waiting is allowed: read, load the page that was missing, read again.
 */
import type { Hash } from '../format/entry.ts'
import { type Missing, type PageSource, isMissing } from '../format/page.ts'
import type { PageStore } from './page-store.ts'

/** Pages loaded for this read are held until it is done, so that a small cache cannot make it go round for ever. */
export async function readPages<T>(pages: PageStore, read: (source: PageSource) => T | Missing, signal?: AbortSignal): Promise<T> {
  const first = read(pages.source)
  if (!isMissing(first)) return first
  const held = new Map<Hash, Uint8Array>()
  const source: PageSource = (pointer) => held.get(pointer.hash) ?? pages.source(pointer)
  for (let outcome: T | Missing = first; ; outcome = read(source)) {
    if (!isMissing(outcome)) return outcome
    held.set(outcome.missing.hash, await pages.load(outcome.missing, signal))
  }
}
