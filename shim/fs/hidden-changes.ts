/**
 * What commits changed of things that are shown as they were changed here: noted when a commit comes (`apply-change.ts`), looked at when ours is settled
 * (`settled-rows.ts`) and the snapshot shows through again. Our own commits are among them; those say what is shown already.
 */
import type { ChangedName } from './backend.ts'

/** An inode as the newest snapshot has it. */
export interface HiddenNode {
  /** Undefined: it is gone. */
  readonly bytes: Uint8Array | undefined
  readonly isLinked: boolean
  /** Where it stands; undefined for inodes of the inode tree. */
  readonly place: { readonly directoryId: number; readonly name: string } | undefined
}

export class HiddenChanges {
  readonly #names = new Map<string, ChangedName>()
  readonly #nodes = new Map<number, HiddenNode>()
  #isUnlisted = false
  #hasNewDirectory = false

  /** A commit was too big to be listed: anything may be different. */
  get isUnlisted(): boolean {
    return this.#isUnlisted
  }

  /** A directory of ours is new in the snapshot: what lies below it is not listed. */
  get hasNewDirectory(): boolean {
    return this.#hasNewDirectory
  }

  noteNewDirectory(): void {
    this.#hasNewDirectory = true
  }

  noteName(changed: ChangedName): void {
    this.#names.set(`${changed.directoryId}/${changed.name}`, changed)
  }

  noteNode(id: number, node: HiddenNode): void {
    this.#nodes.set(id, node)
  }

  /** What was noted of inodes may be older than that. */
  noteUnlisted(): void {
    this.#isUnlisted = true
    this.#nodes.clear()
    this.#hasNewDirectory = false
  }

  /** The node is not ours any more. */
  takeNode(id: number): HiddenNode | undefined {
    const node = this.#nodes.get(id)
    this.#nodes.delete(id)
    return node
  }

  /** Names that are not ours any more. */
  takeNames(isOurs: (directoryId: number, name: string) => boolean): ChangedName[] {
    const taken: ChangedName[] = []
    for (const [key, changed] of this.#names) {
      if (isOurs(changed.directoryId, changed.name)) continue
      this.#names.delete(key)
      taken.push(changed)
    }
    return taken
  }

  /** Nothing is ours any more. */
  clear(): void {
    this.#names.clear()
    this.#nodes.clear()
    this.#isUnlisted = false
    this.#hasNewDirectory = false
  }
}
