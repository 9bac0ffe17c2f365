/**
 * Checks the log: every slot from the newest back to the first holds a record of its own number that names the one before it, and nothing lies beyond the
 * newest. Also that the operations that records tell can be read.
 */
import { throwIfAborted } from '../abort.ts'
import { decodeOperations } from '../format/commit-operation.ts'
import { type CommitRecord, decodeRecord } from '../format/commit.ts'
import type { LoggedRecord } from './commit-log.ts'
import { type CheckRun, type Finding, findingOf, tellProgress } from './finding.ts'
import { logKey, logPrefix, seqOfLogKey } from './keys.ts'

/** Records are read so many at a time. */
const readsAtOnce = 16

/** Gives the record whose tree is to be checked, when it can be read. */
export async function* checkLog(run: CheckRun, head: CommitRecord): AsyncGenerator<Finding, CommitRecord | undefined> {
  const { options } = run
  yield* checkNewest(run, head.seq)
  const wanted = options.seq ?? head.seq
  const last = Math.max(1, head.seq - (options.recordsMax ?? head.seq) + 1)
  let found: CommitRecord | undefined
  let above: CommitRecord | undefined
  for (let seq = head.seq; seq >= last; seq -= readsAtOnce) {
    throwIfAborted(options.signal)
    const seqs = Array.from({ length: Math.min(readsAtOnce, seq - last + 1) }, (_, index) => seq - index)
    for (const [index, read] of (await Promise.all(seqs.map((each) => readRecord(run, each)))).entries()) {
      if ('why' in read) {
        yield read
        above = undefined
        continue
      }
      const { record, hash } = read
      if (above !== undefined && above.parent !== hash) yield ofCommit(above.seq, `it names ${above.parent ?? 'none'} as the commit before it, and that is ${hash}`)
      if (record.seq === 1 && record.parent !== undefined) yield ofCommit(1, 'it is the first, and names one before it')
      yield* checkOperations(run, record)
      if (seqs[index] === wanted) found = record
      above = record
    }
    run.counts.recordCount += seqs.length
    tellProgress(run)
  }
  if (found !== undefined || wanted >= last) return found
  const read = await readRecord(run, wanted)
  if (!('why' in read)) return read.record
  yield read
  return undefined
}

/** A slot that is free although a later one is taken: followers stop before it, and the commits behind it are lost to them. */
async function* checkNewest({ parts, options }: CheckRun, headSeq: number): AsyncGenerator<Finding> {
  const [newest] = await parts.store.list(logPrefix, { limit: 1, signal: options.signal })
  if (newest === undefined) return
  try {
    const newestSeq = seqOfLogKey(newest.key)
    // Others may have committed since the head was looked for.
    for (let seq = headSeq + 1; seq < newestSeq; seq += 1) {
      if ((await parts.store.get(logKey(seq), { signal: options.signal })) !== undefined) continue
      yield ofCommit(seq, `it is missing, and there is commit ${newestSeq}`)
      return
    }
  } catch (error) {
    yield findingOf(error, newest.key, 'log')
  }
}

async function readRecord({ parts, options }: CheckRun, seq: number): Promise<LoggedRecord | Finding> {
  try {
    const found = await parts.store.get(logKey(seq), { signal: options.signal })
    if (found === undefined) return ofCommit(seq, 'it is missing')
    const bytes = await found.bytes()
    const record = decodeRecord(bytes)
    if (record.seq !== seq) return ofCommit(seq, `it says that it is commit ${record.seq}`)
    return { record, hash: await parts.hash(bytes) }
  } catch (error) {
    return findingOf(error, logKey(seq), `commit ${seq}`)
  }
}

async function* checkOperations({ parts, options, packs }: CheckRun, { seq, operationPages = [] }: CommitRecord): AsyncGenerator<Finding> {
  for (const pointer of operationPages) {
    packs.note(pointer, logKey(seq))
    try {
      decodeOperations(await parts.pages.load(pointer, options.signal))
    } catch (error) {
      yield findingOf(error, logKey(seq), `operations of commit ${seq}`)
    }
  }
}

function ofCommit(seq: number, why: string): Finding {
  return { severity: 'error', path: logKey(seq), what: `commit ${seq}`, why }
}
