/**
 * What a check of a volume finds, what it is asked, and what its parts share. `check.ts` puts them together.
 */
import { codeOf, messageOf } from '../error.ts'
import type { PackUses } from './pack-uses.ts'
import type { VolumeParts } from './parts.ts'

export interface Finding {
  /** `error`: something is lost or wrong. `warning`: nothing is, but it should not be so. */
  readonly severity: 'error' | 'warning'
  /** What it is about: a path of the volume, or a key of the store. */
  readonly path: string
  /** What kind of thing that is, for example `directory` or `commit 5`. */
  readonly what: string
  /** A sentence's end: `its entries are counted as 5, and there are 6`. */
  readonly why: string
}

export interface CheckProgress {
  readonly recordCount: number
  /** Names looked at so far. */
  readonly entryCount: number
  readonly packCount: number
  /** Of bodies, when they are read. */
  readonly readBytes: number
}

export interface CheckOptions {
  /** The snapshot whose tree is checked; the newest unless given. */
  readonly seq?: number | undefined
  /** How many of the newest records of the log; all unless given. */
  readonly recordsMax?: number | undefined
  /** Reads every byte of every body too, and compares its chunks with their hashes. */
  readonly readsBodies?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined
}

/** What the parts of a check share. */
export interface CheckRun {
  readonly parts: VolumeParts
  readonly options: CheckOptions
  readonly packs: PackUses
  /** Counted up as things are looked at. */
  readonly counts: { recordCount: number; entryCount: number; packCount: number; readBytes: number }
}

export function tellProgress({ options, counts }: CheckRun): void {
  options.onProgress?.({ ...counts })
}

/** What a reader says is damaged, as a finding. Anything else (a store that is away, a caller that gave up) is thrown on. */
export function findingOf(error: unknown, path: string, what: string): Finding {
  const code = codeOf(error)
  if (code !== 'corrupt' && code !== 'unsupported' && code !== 'invalid') throw error
  return { severity: 'error', path, what, why: messageOf(error) }
}
