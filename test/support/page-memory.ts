/** Pages in memory for tests of trees and manifests: one pointer per content, reads and writes counted. */
import { EdgemountError } from '../../shared/error.ts'
import type { Hash, PackId, Pointer } from '../../shared/format/entry.ts'
import { isMissing, type Missing, type PageIo, type PageSource } from '../../shared/format/page.ts'
import { isPackId } from '../../shared/format/pack-id.ts'
import { hashOf } from './hash-of.ts'

export function packId(text: string): PackId {
  if (!isPackId(text)) throw new Error(`"${text}" is no pack id`)
  return text
}

export const metaPack = packId('m01JDA7X3M0ABCDEFGHJKMNPQRS')
export const dataPack = packId('d01JDA7X3M0ABCDEFGHJKMNPQRS')

export class PageMemory implements PageIo {
  readonly pages = new Map<Hash, Uint8Array>()
  readonly #pointers = new Map<Hash, Pointer>()
  loadCount = 0
  storeCount = 0
  /** Runs before a page is kept. */
  onStore: ((page: Uint8Array) => void) | undefined

  load = async (pointer: Pointer): Promise<Uint8Array> => {
    this.loadCount += 1
    return this.#get(pointer)
  }

  store = async (page: Uint8Array): Promise<Pointer> => {
    this.storeCount += 1
    this.onStore?.(page)
    const hash = hashOf(page)
    this.pages.set(hash, page)
    const pointer = this.#pointers.get(hash) ?? { hash, pack: metaPack, offset: this.#pointers.size, length: page.length }
    this.#pointers.set(hash, pointer)
    return pointer
  }

  /** A source that has every page, and counts. */
  readonly source: PageSource = (pointer) => {
    this.loadCount += 1
    return this.#get(pointer)
  }

  resetCounts(): void {
    this.loadCount = 0
    this.storeCount = 0
  }

  #get(pointer: Pointer): Uint8Array {
    const page = this.pages.get(pointer.hash)
    if (page === undefined) throw new EdgemountError('not-found', `Cannot load page ${pointer.hash}: it was never stored`)
    return page
  }
}

/** Asks as callers do that load pages one by one: nothing is there at first. Gives the answer and how many pages it took. */
export function askLoading<T>(
  memory: PageMemory,
  ask: (pages: PageSource) => T | Missing,
): { readonly answer: T; readonly loadCount: number } {
  const loaded = new Map<Hash, Uint8Array>()
  for (;;) {
    const answer = ask((pointer) => loaded.get(pointer.hash))
    if (!isMissing(answer)) return { answer, loadCount: loaded.size }
    const { missing } = answer
    if (loaded.has(missing.hash)) throw new Error(`page ${missing.hash} is missing although it is there`)
    loaded.set(missing.hash, memory.source(missing)!)
  }
}
