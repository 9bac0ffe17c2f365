/**
 * The directory of the volume that a folder is compared with, walked in step with the folder: both are in byte order of names.
 */
import type { Entry } from '../../shared/format/entry.ts'
import { compareNames } from '../../shared/name.ts'
import type { NamedEntry } from '../../shared/volume/snapshot-names.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'

/** Mostly there is nothing to wait for, and a promise for each name would cost more than the name. */
type Passed = (item: NamedEntry) => Promise<void> | undefined

export class ExistingNames {
  readonly #snapshot: Snapshot
  readonly #directory: Entry | undefined
  #items: readonly NamedEntry[] = []
  #index = 0
  #isLast: boolean

  /** Without a directory there is nothing to compare with. */
  constructor(snapshot: Snapshot, directory: Entry | undefined) {
    this.#snapshot = snapshot
    this.#directory = directory?.kind === 'directory' ? directory : undefined
    this.#isLast = this.#directory === undefined
  }

  /** The next name not taken yet, or undefined at the end. */
  async #peek(): Promise<NamedEntry | undefined> {
    while (this.#index === this.#items.length) {
      if (this.#isLast || this.#directory === undefined) return undefined
      const listing = await this.#snapshot.list(this.#directory, { after: this.#items.at(-1)?.name })
      this.#items = listing.items
      this.#index = 0
      this.#isLast = listing.isLast
    }
    return this.#items[this.#index]
  }

  /** Takes all names before `name`, and `name` itself when it is there: that entry comes back, `passed` sees the others. */
  async advanceTo(name: string, passed: Passed): Promise<Entry | undefined> {
    for (let item = await this.#peek(); item !== undefined; item = await this.#peek()) {
      const order = compareNames(item.name, name)
      if (order > 0) return undefined
      this.#index += 1
      if (order === 0) return item.entry
      const wait = passed(item)
      if (wait !== undefined) await wait
    }
    return undefined
  }

  async rest(passed: Passed): Promise<void> {
    for (let item = await this.#peek(); item !== undefined; item = await this.#peek()) {
      this.#index += 1
      const wait = passed(item)
      if (wait !== undefined) await wait
    }
  }
}
