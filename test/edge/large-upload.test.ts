/** Memory does not grow with what is uploaded. As `test/soak/large-upload.test.ts`, in little. */
import { expect, it } from 'vitest'
import { uploadLarge } from '../support/large-upload.ts'

const mib = 1024 * 1024

it.each([
  ['by PUT', undefined, [201]],
  ['in parts of 100 MiB', 100 * mib, [201, 204, 204, 204, 204]],
])('320 MiB %s take a few packs of 8 MiB', async (_, partBytes, statuses) => {
  const outcome = await uploadLarge({ bytes: 320 * mib, packBytesMax: 8 * mib, ...(partBytes === undefined ? {} : { partBytes }) })
  expect(outcome).toMatchObject({ statuses, size: 320 * mib })
  expect(outcome.storedBytes).toBeGreaterThanOrEqual(320 * mib)
  expect(outcome.grownBytes).toBeLessThan(240 * mib)
})
