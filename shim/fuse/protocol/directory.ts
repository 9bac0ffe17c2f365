/**
 * Packs the entries of one READDIR or READDIRPLUS answer. One sink is used again for every listing.
 */
import type { DirectorySink, EntryReply, NodeId } from '../handler.ts'
import type { Memory } from '../../sys/memory.ts'
import { writeEntry } from './answer.ts'
import { answerHeader, directoryEntry, entry as entryLayout, writeWide } from './layout.ts'
import { writeName } from './names.ts'

export class DirectoryPacker implements DirectorySink {
  isPlus = false
  readonly #memory: Memory
  #position = 0
  #end = 0
  /** What the kernel will count one lookup for, should it take the answer. */
  readonly #lookups: NodeId[] = []

  constructor(memory: Memory) {
    this.#memory = memory
  }

  /** Begins an answer of at most `byteCount` bytes. */
  begin(isPlus: boolean, byteCount: number): void {
    this.isPlus = isPlus
    this.#position = answerHeader.bytes
    this.#end = Math.min(answerHeader.bytes + byteCount, this.#memory.bytes.length)
    this.#lookups.length = 0
  }

  /** The answer is sent, or taken back. */
  clear(): void {
    this.#position = answerHeader.bytes
    this.#lookups.length = 0
  }

  get byteCount(): number {
    return this.#position - answerHeader.bytes
  }

  /** Nodes that were added with a lookup each, for when the answer does not arrive. */
  get lookups(): readonly NodeId[] {
    return this.#lookups
  }

  add(name: string, ino: number, nextOffset: number, mode: number, entry: EntryReply | undefined): boolean {
    const { bytes, words } = this.#memory
    const start = this.#position + (this.isPlus ? entryLayout.bytes : 0)
    const nameStart = start + directoryEntry.nameByte
    const nameLength = writeName(bytes, nameStart, this.#end, name)
    if (nameLength < 0) return false
    const next = nameStart + ((nameLength + 7) & ~7)
    if (next > this.#end) return false
    bytes.fill(0, nameStart + nameLength, next)
    const word = start >> 2
    writeWide(words, word + directoryEntry.ino, ino)
    writeWide(words, word + directoryEntry.offset, nextOffset)
    words[word + directoryEntry.nameLength] = nameLength
    words[word + directoryEntry.type] = (mode >>> 12) & 15
    if (this.isPlus) this.#addEntry(entry)
    this.#position = next
    return true
  }

  #addEntry(entry: EntryReply | undefined): void {
    const word = this.#position >> 2
    if (entry === undefined || entry.nodeId === 0) {
      this.#memory.words.fill(0, word, word + entryLayout.words)
      return
    }
    writeEntry(this.#memory.words, word, entry)
    this.#lookups.push(entry.nodeId)
  }
}
