/**
 * Compares the folders with the index once after start, a folder at a time: removes files that the index does not know, forgets
 * those that are missing or of another size, and takes over what each really occupies.
 *
 * Only files in the two-digit folders that the cache made are ever removed.
 */
import type { BackingFiles } from './backing-files.ts'
import { folderCount } from './backing-files.ts'

export class FolderScan {
  readonly #files: BackingFiles
  readonly #isActive: (row: number) => boolean
  readonly #firstNewSerial: number
  /** Rows by folder: those of folder f lie between `#starts[f]` and `#starts[f + 1]`. */
  #rows: Int32Array | undefined
  readonly #starts = new Int32Array(folderCount + 1)
  #folder = 0

  constructor(files: BackingFiles, isActive: (row: number) => boolean, firstNewSerial: number) {
    this.#files = files
    this.#isActive = isActive
    this.#firstNewSerial = firstNewSerial
  }

  /** Checks the next folder; false when all are done. */
  step(): boolean {
    if (this.#folder >= folderCount) return false
    this.#rows ??= this.#sortRows()
    this.#check(this.#folder, this.#rows.subarray(this.#starts[this.#folder], this.#starts[this.#folder + 1]))
    this.#folder += 1
    if (this.#folder < folderCount) return true
    this.#rows = undefined
    this.#files.createdSerials = undefined
    return false
  }

  /** A counting sort: two passes, four bytes a row. */
  #sortRows(): Int32Array {
    const { table } = this.#files
    const starts = this.#starts
    for (let row = 0; row < table.rowLimit; row += 1) if (table.isUsed(row)) starts[(table.serials[row]! % folderCount) + 1]! += 1
    for (let folder = 0; folder < folderCount; folder += 1) starts[folder + 1]! += starts[folder]!
    const next = starts.slice()
    const rows = new Int32Array(starts[folderCount]!)
    for (let row = 0; row < table.rowLimit; row += 1) {
      if (!table.isUsed(row)) continue
      const folder = table.serials[row]! % folderCount
      rows[next[folder]!] = row
      next[folder]! += 1
    }
    return rows
  }

  #check(folder: number, rows: Int32Array): void {
    const { table, sys } = this.#files
    const path = this.#files.folder(folder)
    const names = sys.list(path)
    if (typeof names === 'number') return
    const unknown = new Set(names)
    for (const row of rows) {
      const serial = table.isUsed(row) ? table.serials[row]! : this.#firstNewSerial
      if (serial >= this.#firstNewSerial || serial % folderCount !== folder) continue // reused since
      const stat = unknown.delete(serial.toString(36)) ? sys.stat(this.#files.path(serial)) : undefined
      if (this.#isActive(row) || typeof stat === 'number') continue
      if (stat === undefined || stat.size !== table.sizes[row]) this.#files.remove(row)
      else table.setBytes(row, stat.blocks * 512)
    }
    for (const name of unknown) {
      if (this.#files.createdSerials?.has(Number.parseInt(name, 36)) !== true) sys.unlink(`${path}/${name}`)
    }
  }
}
