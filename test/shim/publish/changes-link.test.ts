import { expect, test } from 'vitest'
import type { FileId } from '../../../shared/format/entry.ts'
import type { ToChanges } from '../../../shim/changes/publishing.ts'
import { MessageLink } from '../../../shim/publish/changes-link.ts'

const id = 7 as FileId

test('an answer that comes before the question has returned is heard', async () => {
  const link: MessageLink = new MessageLink((message: ToChanges) => {
    if (message.kind === 'take-batch') link.receive({ kind: 'batch', batch: undefined })
    if (message.kind === 'verify') link.receive({ kind: 'verified', verified: { unchanged: message.ids } })
  })
  expect(await link.takeBatch(true)).toBeUndefined()
  expect(await link.verify([id])).toEqual({ unchanged: [id] })
})

test('that what waits cannot be given out is a failure, and not an answer', async () => {
  const link: MessageLink = new MessageLink(() => link.receive({ kind: 'batch-failed', result: -28 }))
  await expect(link.takeBatch(true)).rejects.toMatchObject({ code: 'unavailable', message: 'Cannot write down what is to be published: ENOSPC' })
})

test('who waits when the file system ends is told, and who comes later too', async () => {
  const link = new MessageLink(() => undefined)
  const waiting = [link.takeBatch(true), link.verify([id])]
  link.close()
  for (const each of waiting) await expect(each).rejects.toMatchObject({ code: 'closed' })
  await expect(link.takeBatch(false)).rejects.toMatchObject({ code: 'closed' })
})
