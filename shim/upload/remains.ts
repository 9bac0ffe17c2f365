/**
 * Takes a directory that is gone from the folder out of the volume, but for what the excludes leave out: that was never compared with the folder,
 * so its absence says nothing.
 */
import type { Entry } from '../../shared/format/entry.ts'
import { childPath } from '../../shared/path.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { removing } from './change.ts'
import type { Excludes } from './exclude.ts'

export interface Remains {
  readonly snapshot: Pick<Snapshot, 'list'>
  readonly excludes: Excludes
  readonly signal: AbortSignal
}

export interface GoneDirectory {
  readonly entry: Entry
  readonly path: string
  /** Relative to the folder, with a slash at the end. */
  readonly prefix: string
}

/** The operations, innermost first; one alone, that removes the directory, when nothing in it is left out. */
export async function removingRest(remains: Remains, directory: GoneDirectory): Promise<readonly Operation[]> {
  const operations: Operation[] = []
  await collect(remains, directory, operations)
  return operations
}

/** Is anything in it left out? */
export async function hasRemains(remains: Remains, directory: GoneDirectory): Promise<boolean> {
  return !(await collect(remains, directory, []))
}

/** True when all of the directory goes. */
async function collect(remains: Remains, { entry, path, prefix }: GoneDirectory, operations: Operation[]): Promise<boolean> {
  const { snapshot, excludes, signal } = remains
  const before = operations.length
  let isWhole = true
  let after: string | undefined
  for (;;) {
    const { items, isLast } = await snapshot.list(entry, { after, signal })
    for (const { name, entry: found } of items) {
      const isDirectory = found.kind === 'directory'
      if (excludes(prefix + name, name, isDirectory)) isWhole = false
      else if (!isDirectory) operations.push(removing(found, childPath(path, name)))
      else if (!(await collect(remains, { entry: found, path: childPath(path, name), prefix: `${prefix}${name}/` }, operations))) isWhole = false
    }
    if (isLast) break
    after = items.at(-1)?.name
  }
  if (!isWhole) return false
  operations.length = before
  operations.push(removing(entry, path))
  return true
}
