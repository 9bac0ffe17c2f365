/**
 * What a store can do, tried out before a volume is made in it: commits are only as safe as create-if-absent, and there are stores that take the
 * condition and do not look at it.
 *
 * The object is a data pack that nothing points to, so what a cut probe leaves is pruned like any other.
 */
import { equalBytes } from '../bytes.ts'
import type { Clock } from '../clock.ts'
import { EdgemountError, codeOf } from '../error.ts'
import { newPackId } from '../format/pack-id.ts'
import type { Random } from '../random.ts'
import type { ObjectStore } from '../store.ts'
import { packKey } from './keys.ts'

/** So many that a store which looks and then writes is caught, and below the six connections that a Worker has. */
const racersCount = 4
const bodyBytes = 4096
/** Answers get lost and bits flip on the way; a store that cannot do it fails every time. */
const triesMax = 4
const retryMs = 50
/** R2 and GCS take one write of a key in a second and refuse others, also those that would change nothing. */
const sameKeyMs = 1100
const range = { start: 100, end: 1100 }

export interface ProbedEngine {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
}

/**
 * The capabilities for `volume.json`. Throws `unsupported`, with the reason, for a store that cannot hold a volume. An edge takes packs only for volumes
 * that are there, and answers for its own store: nothing is known of it.
 */
export async function probeStore(engine: ProbedEngine): Promise<readonly string[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const fault = await tryOut(engine)
      if (fault === undefined) return ['create-if-absent', 'ranged-get']
      if (fault.isSure || attempt === triesMax) throw new EdgemountError('unsupported', `Cannot keep a volume in "${engine.store.label}": ${fault.why}`)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'not-found') return []
      if (code !== 'unavailable' || attempt === triesMax) throw error
    }
    await engine.clock.sleep(retryMs * 2 ** attempt)
  }
}

interface Fault {
  readonly why: string
  /** False when trouble on the way may look the same. */
  readonly isSure: boolean
}

async function tryOut({ store, clock, random }: ProbedEngine): Promise<Fault | undefined> {
  const key = packKey(newPackId('data', clock, random))
  const bodies = Array.from({ length: racersCount }, (_, racer) => bodyOf(racer))
  try {
    const settled = await Promise.allSettled(bodies.map((body) => store.create(key, body)))
    const winners = bodies.filter((_, racer) => isWinner(settled[racer]))
    if (winners.length > 1) return { why: `of ${racersCount} creates of one key ${winners.length} were told that they were first`, isSure: true }
    // Stores that take few writes of one key refuse racers: a refused one says nothing, unless it is all that there is.
    const failed = settled.filter((result) => result.status === 'rejected')
    const created = winners.length === 1 ? winners : bodies.filter((_, racer) => settled[racer]?.status === 'rejected')
    if (winners.length === 0 && (await store.get(key)) === undefined) {
      if (failed[0] !== undefined) throw failed[0].reason
      return { why: 'nobody could create a key that was not there', isSure: false }
    }
    if (await createLater(store, clock, key)) return { why: 'a key that is there can be created again', isSure: true }
    return await readBack(store, key, created)
  } finally {
    await remove(store, clock, key)
  }
}

function isWinner(result: PromiseSettledResult<boolean> | undefined): boolean {
  return result?.status === 'fulfilled' && result.value
}

/** What a create of the key says when the store takes it, which may be a while after the last write. */
async function createLater(store: ObjectStore, clock: Clock, key: string): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await store.create(key, bodyOf(racersCount))
    } catch (error) {
      if (codeOf(error) !== 'unavailable' || attempt === triesMax) throw error
    }
    await clock.sleep(sameKeyMs * attempt)
  }
}

/** As well as it can: what stays is a pack like any that nothing points to. */
async function remove(store: ObjectStore, clock: Clock, key: string): Promise<void> {
  try {
    await store.delete(key)
  } catch (error) {
    if (codeOf(error) !== 'unavailable') return
    await clock.sleep(sameKeyMs)
    await store.delete(key).catch(() => undefined)
  }
}

/** `created`: the bodies of which one is what was created first. */
async function readBack(store: ObjectStore, key: string, created: readonly Uint8Array[]): Promise<Fault | undefined> {
  const whole = await store.get(key)
  if (whole === undefined) return { why: 'what was created is not there', isSure: false }
  const bytes = await whole.bytes()
  const expected = created.find((body) => equalBytes(body, bytes))
  if (expected === undefined) return { why: 'what was created first is not what is there', isSure: false }
  const part = await store.get(key, { range })
  const isRight = part !== undefined && part.size === expected.length && equalBytes(await part.bytes(), expected.subarray(range.start, range.end))
  return isRight ? undefined : { why: `a GET of bytes ${range.start} to ${range.end} does not give them`, isSure: false }
}

/** Different from racer to racer and from byte to byte. */
function bodyOf(racer: number): Uint8Array {
  return Uint8Array.from({ length: bodyBytes }, (_, index) => index + (index >> 8) * 7 + racer)
}
