/**
 * Where a directory lies of which the id alone is known: every directory of a snapshot is read, nearest to the top first, until it is found. That is slow,
 * and better than not to know: changes in a directory that nothing says the place of could not be committed at all.
 */
import { throwIfAborted } from '../abort.ts'
import { decodeEntry, decodeEntryHead } from '../format/entry-codec.ts'
import type { Entry, FileId } from '../format/entry.ts'
import { listTree } from '../format/tree-page.ts'
import { decodeName } from '../name.ts'
import { childPath, rootPath } from '../path.ts'
import { treeRootOf } from './overlay.ts'
import { readPages } from './page-loop.ts'
import type { Snapshot } from './snapshot.ts'

/** Names read at most, in all searches of one commit: some seconds. What lies beyond counts as gone. */
const namesMax = 1_000_000

const namesPerStep = 1000

export class DirectorySearch {
  readonly #head: Snapshot
  readonly #signal: AbortSignal | undefined
  readonly #paths = new Map<FileId, string>()
  readonly #unread: { readonly path: string; readonly entry: Entry }[]
  #nameCount = 0

  constructor(head: Snapshot, signal?: AbortSignal) {
    this.#head = head
    this.#signal = signal
    this.#unread = [{ path: rootPath, entry: head.root.directory }]
  }

  async pathOf(id: FileId): Promise<string | undefined> {
    while (!this.#paths.has(id) && this.#nameCount < namesMax) {
      const next = this.#unread.shift()
      if (next === undefined) break
      await this.#read(next.path, next.entry)
    }
    return this.#paths.get(id)
  }

  async #read(path: string, entry: Entry): Promise<void> {
    const { pointer } = treeRootOf(entry)
    let after: Uint8Array | undefined
    for (let isLast = pointer === undefined; !isLast && this.#nameCount < namesMax; ) {
      throwIfAborted(this.#signal)
      const from = after
      const { items, done } = await readPages(this.#head.pages, (source) => listTree(pointer, from, namesPerStep, source), this.#signal)
      this.#nameCount += items.length
      for (const { key, value } of items) {
        if (decodeEntryHead(value).kind !== 'directory') continue
        const found = { path: childPath(path, decodeName(key)), entry: decodeEntry(value) }
        this.#paths.set(found.entry.id, found.path)
        this.#unread.push(found)
      }
      isLast = done
      after = items.at(-1)?.key.slice() ?? after
    }
  }
}
