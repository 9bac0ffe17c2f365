/**
 * What somebody dropped on the page or chose in a dialog, as one list: files with their path below the folder that they came with, and the folders that are empty.
 */
import { EdgemountError, messageOf } from '../../../shared/error.ts'
import { isWithin, joinPath, splitPath } from '../../../shared/path.ts'
import { shownName } from '../format.ts'

export interface DroppedFile {
  /** Names from the place where it was dropped, its own last. */
  readonly names: readonly string[]
  readonly file: File
}

export interface Dropped {
  readonly files: readonly DroppedFile[]
  /** Folders with nothing in them: those of files come to be with the files. */
  readonly emptyFolders: readonly (readonly string[])[]
}

/** Chosen with `<input type=file>`, with or without `webkitdirectory`; a browser tells no empty folders there. */
export function chosenFiles(files: Iterable<File>): Dropped {
  return { files: Array.from(files, (file) => ({ names: namesOf(file), file })), emptyFolders: [] }
}

function namesOf({ name, webkitRelativePath }: File): readonly string[] {
  return webkitRelativePath === '' ? [name] : webkitRelativePath.split('/')
}

/** To be called within the event: what was dropped is gone after it. */
export function entriesOf(transfer: DataTransfer): readonly FileSystemEntry[] {
  return Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null)
}

/** All that is in what was dropped; `onCount` hears how many files were found so far. */
export async function readEntries(entries: readonly FileSystemEntry[], onCount: (count: number) => void): Promise<Dropped> {
  const files: DroppedFile[] = []
  const emptyFolders: (readonly string[])[] = []
  const open = entries.map((entry) => ({ names: [entry.name] as readonly string[], entry })).toReversed()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { names, entry } = next
    if (isFile(entry)) {
      files.push({ names, file: await readable(names, new Promise<File>((resolve, reject) => entry.file(resolve, reject))) })
      onCount(files.length)
    } else if (isFolder(entry)) {
      const inside = await readable(names, readFolder(entry))
      if (inside.length === 0) emptyFolders.push(names)
      open.push(...inside.map((child) => ({ names: [...names, child.name], entry: child })).toReversed())
    }
  }
  return { files, emptyFolders }
}

/** Browsers say why in words of their own, and not what it is about. */
async function readable<T>(names: readonly string[], reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    throw new EdgemountError('invalid', `Cannot read “${shownName(names.join('/'))}”, so nothing was uploaded: it is gone, or may not be read (${messageOf(error)}); drop it again`, { cause: error })
  }
}

/** A reader gives a hundred at a time, and nothing at the end. */
async function readFolder(folder: FileSystemDirectoryEntry): Promise<readonly FileSystemEntry[]> {
  const reader = folder.createReader()
  const all: FileSystemEntry[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return all
    all.push(...some)
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory
}

/** The path in the volume for names below a folder. Throws `invalid` for what can be no name there. */
export function pathBelow(folder: string, names: readonly string[]): string {
  const path = joinPath([...splitPath(folder), ...names])
  return isWithin(path, folder) ? path : folder
}
