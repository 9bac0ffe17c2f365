/**
 * The keys of a directory store in byte order: a walk over the nested directories that reads only those that can hold wanted keys.
 * Nothing is asked about a file before it is known to be in the answer.
 */
import path from 'node:path'
import { type Disk, type DiskEntry } from './disk.ts'
import { isErrno } from './disk-error.ts'
import { fileNamesOf, isSliceName, partOf } from './key-file.ts'

export interface FoundFile {
  readonly key: string
  readonly path: string
}

interface Bounds {
  readonly prefix: string
  readonly after: string | undefined
}

/** One name of a directory. The names of folders end in `/`, so that sorting them beside objects gives the order of the keys: `a-b` < `a/b` < `a0`. */
interface Item {
  readonly name: string
  readonly path: string
}

/** Files of the keys that start with `prefix`, after `after`, in byte order. `prefix` has passed `checkPrefix`. */
export function filesInOrder(disk: Disk, root: string, prefix: string, after: string | undefined): AsyncIterable<FoundFile> {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const directory = base === '' ? root : path.join(root, ...fileNamesOf(base.slice(0, -1)))
  return walk(disk, directory, base, { prefix, after })
}

async function* walk(disk: Disk, directory: string, base: string, bounds: Bounds): AsyncGenerator<FoundFile> {
  const items = await readItems(disk, directory, '', base === '')
  const wanted = items.filter((item) => isWanted(base + item.name, bounds))
  // Names are ASCII: JavaScript's order of strings is their byte order.
  for (const item of wanted.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const key = base + item.name
    if (key.endsWith('/')) yield* walk(disk, item.path, key, bounds)
    else yield { key, path: item.path }
  }
}

/** An object itself is in bounds; a folder may hold keys that are. */
function isWanted(key: string, { prefix, after }: Bounds): boolean {
  const isFolder = key.endsWith('/')
  if (!key.startsWith(prefix) && !(isFolder && prefix.startsWith(key))) return false
  return after === undefined || key > after || (isFolder && after.startsWith(key))
}

/** The names in a directory; those of long parts, which lie a level deeper, are put together (`begun` is the part so far). */
async function readItems(disk: Disk, directory: string, begun: string, isRoot: boolean): Promise<Item[]> {
  const items: Item[] = []
  for (const entry of await readDirectory(disk, directory)) {
    const part = isRoot && entry.name.startsWith('.') ? undefined : partOf(entry.name)
    if (part === undefined) continue
    const entryPath = `${directory}/${entry.name}`
    const name = begun + part
    if (entry.isFile) items.push({ name, path: entryPath })
    else if (entry.isDirectory && isSliceName(entry.name)) items.push(...(await readItems(disk, entryPath, name, false)))
    else if (entry.isDirectory) items.push({ name: `${name}/`, path: entryPath })
  }
  return items
}

/** A directory that is not there, or is a file, holds nothing. */
async function readDirectory(disk: Disk, directory: string): Promise<readonly DiskEntry[]> {
  try {
    return await disk.readDirectory(directory)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}
