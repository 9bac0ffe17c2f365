/**
 * Paths of changed inodes, for messages and the status: as far as the changes themselves know them.
 */
import type { FileId } from '../../shared/format/entry.ts'
import { rootFileId } from '../../shared/volume/file-id.ts'
import type { ChangeState } from './change-state.ts'

interface Location {
  readonly parentId: FileId
  readonly name: string
}

const depthMax = 256

export class Labels {
  readonly #locations = new Map<FileId, Location>()

  constructor(state: ChangeState<unknown>) {
    for (const { id, parentId, name } of state.places.values()) this.#locations.set(id, { parentId, name })
    for (const [parentId, names] of state.directories) {
      for (const { name, to } of names.all()) if (to !== undefined) this.#locations.set(to.id, { parentId, name })
    }
  }

  of(id: FileId): string {
    const parts: string[] = []
    let at = id
    while (at !== rootFileId && parts.length < depthMax) {
      const location = this.#locations.get(at)
      if (location === undefined) return parts.length === 0 ? `file ${id}` : `…/${parts.toReversed().join('/')}`
      parts.push(location.name)
      at = location.parentId
    }
    return `/${parts.toReversed().join('/')}`
  }
}
