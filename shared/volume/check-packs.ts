/**
 * Checks that every pack that something points to is there and reaches as far as it must. Whether its bytes are right is for those who read them.
 */
import { throwIfAborted } from '../abort.ts'
import type { PackId } from '../format/entry.ts'
import { type CheckRun, type Finding, tellProgress } from './finding.ts'
import { packKey } from './keys.ts'
import type { PackUse } from './pack-uses.ts'

/** Packs are asked for so many at a time. */
const looksAtOnce = 8

export async function* checkPacks(run: CheckRun): AsyncGenerator<Finding> {
  const uses = run.packs.all()
  for (let start = 0; start < uses.length; start += looksAtOnce) {
    throwIfAborted(run.options.signal)
    const some = uses.slice(start, start + looksAtOnce)
    for (const finding of await Promise.all(some.map(([pack, use]) => lookAt(run, pack, use)))) if (finding !== undefined) yield finding
    run.counts.packCount += some.length
    tellProgress(run)
  }
}

async function lookAt({ parts, options }: CheckRun, pack: PackId, { end, path }: PackUse): Promise<Finding | undefined> {
  const key = packKey(pack)
  // One byte, so that a store answers that it can give it.
  const found = await parts.store.get(key, { range: { start: end - 1, end }, signal: options.signal })
  const finding = { severity: 'error', path: key, what: 'pack' } as const
  if (found === undefined) return { ...finding, why: `it is missing; "${path}" needs it` }
  await found.bytes()
  return found.size < end ? { ...finding, why: `it has ${found.size} bytes; "${path}" needs ${end}` } : undefined
}
