/**
 * Which names of the folder are one file, and which names of the volume are one: so that what is linked here is linked there, and nothing else is.
 */
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { LocalEntry } from './local-entry.ts'

/**
 * `alone`: handle the name by itself. `isShared`: the volume's file has other names, so a change must go to a new file and not into it. `isTaken`: another
 * local file keeps the volume's file, so this one must be made anew. `again`: another name of the file that is handled at `path`; ask `isLinked`
 * once that is done.
 */
export type LinkPlan = { readonly kind: 'alone'; readonly isShared: boolean; readonly isTaken: boolean } | { readonly kind: 'again'; readonly path: string }

interface Group {
  readonly path: string
  /** The volume's file that all names of this one may keep; undefined once it was replaced. */
  id: FileId | undefined
}

export class HardLinks {
  readonly #groups = new Map<string, Group>()
  /** Which local file has kept a shared file of the volume. */
  readonly #owners = new Map<FileId, string>()

  plan(local: LocalEntry, path: string, existing: Entry | undefined): LinkPlan {
    const shared = sharedId(existing)
    const group = local.linkIdentity === undefined ? undefined : this.#groups.get(local.linkIdentity)
    if (group !== undefined) return { kind: 'again', path: group.path }
    const owner = local.linkIdentity ?? path
    const isTaken = shared !== undefined && (this.#owners.get(shared) ?? owner) !== owner
    if (shared !== undefined && !isTaken) this.#owners.set(shared, owner)
    if (local.linkIdentity !== undefined) this.#groups.set(local.linkIdentity, { path, id: isTaken ? undefined : shared })
    return { kind: 'alone', isShared: shared !== undefined, isTaken }
  }

  /** The file was made anew: names that shared the old one must be linked to it again. */
  replaced(local: LocalEntry): void {
    const group = local.linkIdentity === undefined ? undefined : this.#groups.get(local.linkIdentity)
    if (group !== undefined) group.id = undefined
  }

  /** Is this further name one of the file already, in the volume too? */
  isLinked(local: LocalEntry, existing: Entry | undefined): boolean {
    const shared = sharedId(existing)
    return shared !== undefined && local.linkIdentity !== undefined && this.#groups.get(local.linkIdentity)?.id === shared
  }
}

function sharedId(existing: Entry | undefined): FileId | undefined {
  return existing?.kind === 'file' && existing.linkCount > 1 ? existing.id : undefined
}
