/** Many committers on one store that loses answers: every commit happens exactly once, and nothing that anybody wrote is lost. */
import { expect, test } from 'vitest'
import { faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { randomFraction } from '../../../shared/random.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { effort } from '../../support/effort.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { engineOf, linesOf, newVolume, utf8 } from '../../support/test-volume.ts'

const committerCount = 32
const commitsEach = 50
/** Of the creates this share fails before it happens, and as many again afterwards, when only the answer is lost. */
const faultShare = 0.1

/** Others each time; `EDGEMOUNT_SEED` repeats one. */
const firstSeed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
const seeds = Array.from({ length: effort }, (_, index) => firstSeed + index)

test.each(seeds)(`${committerCount} committers of ${commitsEach} commits each lose nothing (seed %i)`, async (seed) => {
  const store = new MemoryStore()
  const clock = { now: () => systemClock.now(), sleep: (ms: number) => systemClock.sleep(Math.min(ms, 50)) }
  const first = await newVolume({ store })
  await first.writer().commit([{ op: 'create', path: '/shared', ...(await first.writer().write([utf8('0')])) }])
  const faults = { error: 0, lost: 0 }
  const commit = async (committer: number): Promise<number[]> => {
    const random = new SeededRandom(seed * 100 + committer)
    const faulty = faultStore(store, {
      clock,
      plan: (call) => {
        const lot = call.operation === 'create' ? randomFraction(random) : 1
        if (lot >= 2 * faultShare) return undefined
        const kind = lot < faultShare ? 'error' : 'lost'
        faults[kind] += 1
        return { kind }
      },
    })
    const volume = await Volume.open(engineOf(faulty, { seed: seed * 1000 + committer, author: `c${committer}`, clock }))
    const writer = volume.writer()
    const seqs: number[] = []
    for (let index = 0; index < commitsEach; index += 1) {
      const body = await writer.write([utf8(`${committer}/${index}`)])
      const { seq } = await writer.commit([{ op: 'create', path: `/d${committer % 4}/f${committer}-${index}`, parents: true, expected: 'absent', ...body }])
      seqs.push(seq)
    }
    await volume.close()
    return seqs
  }
  const seqs = (await Promise.all(Array.from({ length: committerCount }, (_, committer) => commit(committer)))).flat()

  const total = committerCount * commitsEach
  expect(Math.min(faults.error, faults.lost)).toBeGreaterThan(total / 20)
  // Seqs 1 and 2 made the volume and its first file; the rest is contiguous, each once.
  expect(seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, index) => index + 3))
  const volume = await Volume.open(engineOf(store))
  const head = await volume.head()
  expect(head.seq).toBe(total + 2)
  const lines = await linesOf(head)
  const files = lines.filter((line) => line.includes(' file '))
  expect(files.length).toBe(total + 1)
  expect(lines.some((line) => line.includes('.conflict-'))).toBe(false)
  for (let committer = 0; committer < committerCount; committer += 1) {
    for (let index = 0; index < commitsEach; index += 1) expect(files).toContain(`/d${committer % 4}/f${committer}-${index} file ${committer}/${index}`)
  }
  await expectChain(volume, head.seq)
}, 60_000)

/** Each record names the one before it, nonces are unique, and each commit made exactly its one file. */
async function expectChain(volume: Volume, headSeq: number): Promise<void> {
  const nonces = new Set<string>()
  let count = 0
  const stop = new AbortController()
  for await (const record of volume.follow({ after: 0, signal: stop.signal })) {
    expect(record.seq).toBe(count + 1)
    nonces.add(record.nonce)
    count += 1
    if (record.seq === headSeq) break
  }
  expect(nonces.size).toBe(count)
}
