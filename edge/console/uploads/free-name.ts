/** Other names for a file whose own is taken: `a.txt`, `a (2).txt`, `a (3).txt`. Pure. */
import { baseName, childPath, parentPath, rootPath } from '../../../shared/path.ts'

/** The extension stays at the end; `.tar.gz` is two of them, and a name that begins with its only dot has none. */
export function numberedPath(path: string, number: number): string {
  const name = baseName(path)
  const match = /^(.+?)((?:\.tar)?\.[^.\s]{1,10})$/.exec(name)
  const [stem, extension] = match === null ? [name, ''] : [match[1]!, match[2]!]
  return childPath(parentPath(path) ?? rootPath, `${stem} (${number})${extension}`)
}
