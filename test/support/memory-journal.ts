/** A journal that is a list. */
import type { ChangeJournal } from '../../shim/changes/local-changes.ts'

export class MemoryJournal implements ChangeJournal {
  records: Uint8Array[] = []
  isLong = false
  /** The next appends fail with this. */
  failure = 0
  syncCount = 0

  append(record: Uint8Array): number {
    if (this.failure < 0) return this.failure
    this.records.push(record.slice())
    return 0
  }

  sync(done: (result: number) => void): void {
    this.syncCount += 1
    done(0)
  }

  checkpoint(records: Iterable<Uint8Array>): number {
    this.records = Array.from(records, (record) => record.slice())
    return 0
  }
}
