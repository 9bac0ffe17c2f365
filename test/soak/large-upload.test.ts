/** Uploads of 5 GiB: memory stays at a few packs, and every byte arrives (the PUT is compared with its digest). */
import { expect, test } from 'vitest'
import { uploadLarge } from '../support/large-upload.ts'

const mib = 1024 * 1024
const gib = 1024 * mib

test.each([
  ['by PUT', undefined, 1],
  ['in parts of 1 GiB', gib, 6],
])('5 GiB %s', async (what, partBytes, answerCount) => {
  const outcome = await uploadLarge({ bytes: 5 * gib, ...(partBytes === undefined ? {} : { partBytes }) })
  console.log(`5 GiB ${what}: ${Math.round(outcome.grownBytes / mib)} MiB grown, ${Math.round(outcome.seconds)} s`)
  expect(outcome).toMatchObject({ size: 5 * gib })
  expect(outcome.statuses).toHaveLength(answerCount)
  expect(outcome.storedBytes).toBeGreaterThanOrEqual(5 * gib)
  // One pack that fills, two that are on their way, one that is kept for the next: of 64 MiB each; and the test itself.
  expect(outcome.grownBytes).toBeLessThan(512 * mib)
})
