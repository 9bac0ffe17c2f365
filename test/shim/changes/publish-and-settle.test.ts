import fc from 'fast-check'
import { describe, test } from 'vitest'
import { runAlone, runTwo } from '../../support/busy-mount.ts'
import { effort } from '../../support/effort.ts'

/** A file that was written here, moved by others, and whose one name was removed: the other counted no more. */
const failedOnce: [seed: number, stepCount: number][] = [[376792574, 199]]

describe('what a mount shows, publishes and finds again', () => {
  test('is the same, whatever is done, whenever it is published, and wherever it ends', async () => {
    await fc.assert(fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 250 }), runAlone), { numRuns: 25 * effort })
  })

  test('is the same on two mounts in the end, whatever both do to the same files', async () => {
    await fc.assert(fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 200 }), runTwo), { numRuns: 25 * effort, examples: failedOnce })
  })
})
