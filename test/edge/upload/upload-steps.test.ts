/** An upload in parts becomes what one body would have become, wherever the parts and the steps end. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { UploadSteps, contentOf } from '../../../edge/upload/upload-steps.ts'
import { nodeHash } from '../../../edge/node.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import type { ChunkingParameters } from '../../../shared/chunker.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { OpenUpload } from '../../../shared/format/upload-state.ts'
import { decodeOpenUpload, encodeOpenUpload } from '../../../shared/format/upload-state.ts'
import { randomBelow } from '../../../shared/random.ts'
import type { Content } from '../../../shared/format/entry.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const chunkings: readonly ChunkingParameters[] = [
  { kind: 'content', minBytes: 64, averageBytes: 256, maxBytes: 1024 },
  { kind: 'content', minBytes: 4096, averageBytes: 8192, maxBytes: 16_384 },
  { kind: 'fixed', bytes: 512 },
  { kind: 'fixed', bytes: 65_536 },
]

async function makeVolume(chunking: ChunkingParameters): Promise<Volume> {
  const volume = await Volume.create({ store: new MemoryStore(), clock: systemClock, random: new SeededRandom(1), hash: nodeHash }, { name: 'steps', chunking })
  onTestFinished(() => volume.close())
  return volume
}

/** Random bytes with zeros, long and short, and bytes that come again. */
function someBody(random: SeededRandom, length: number): Uint8Array {
  const body = random.bytes(length)
  for (let count = randomBelow(random, 6); count > 0; count -= 1) {
    const start = randomBelow(random, Math.max(1, length))
    const end = start + randomBelow(random, length - start + 1)
    if (randomBelow(random, 3) > 0) body.fill(0, start, end)
    else body.copyWithin(start, 0, end - start)
  }
  return body
}

const begun = (length: number): OpenUpload => ({
  path: '/x',
  length,
  offset: 0,
  metadata: '',
  headers: [],
  size: 0,
  root: undefined,
  tail: new Uint8Array(0),
  after: undefined,
  turn: 'none',
})

interface Sending {
  readonly stepBytes: number
  readonly partBytesMax: number
}

/** Sends the body in random parts, each to a `UploadSteps` of its own made of what was kept of the last. */
async function send(volume: Volume, random: SeededRandom, body: Uint8Array, { stepBytes, partBytesMax }: Sending): Promise<OpenUpload> {
  let kept = begun(body.length)
  const keep = async (upload: OpenUpload): Promise<void> => {
    kept = decodeOpenUpload(encodeOpenUpload(upload))
  }
  for (let at = 0; kept.after === undefined; ) {
    const steps = new UploadSteps(kept, { volume, stepBytes, packBytesMax: undefined, patienceMs: 0, keep })
    const end = Math.min(body.length, at + randomBelow(random, partBytesMax + 1))
    for (let from = at; from < end; ) {
      const to = Math.min(end, from + 1 + randomBelow(random, 5000))
      await steps.take(body.subarray(from, to))
      from = to
    }
    await steps.keep()
    at = end
    if (kept.after === undefined) expect(kept.offset).toBe(at)
  }
  return kept
}

const identityOf = async (content: Content): Promise<string> => (content.kind === 'manifest' ? content.root.contentId : await nodeHash(content.kind === 'inline' ? content.bytes : new Uint8Array(0)))

describe.each(chunkings)('%j', (chunking) => {
  it.each([1, 2, 3])('random parts are the one body (seed %i)', async (seed) => {
    const random = new SeededRandom(seed)
    const volume = await makeVolume(chunking)
    for (let round = 0; round < 12; round += 1) {
      const body = someBody(random, randomBelow(random, round % 3 === 0 ? 6000 : 120_000))
      const sending = { stepBytes: 1 + randomBelow(random, 40_000), partBytesMax: 1 + randomBelow(random, 30_000) }
      const sent = await send(volume, random, body, sending)
      const whole = await volume.writer().write([body])
      expect(await identityOf(contentOf(sent)), `seed ${seed} round ${round}: ${body.length} bytes, ${JSON.stringify(sending)}`).toBe(await identityOf(whole.content))
      expect(sent.tail.length).toBeLessThanOrEqual(4096)
    }
  })
})
