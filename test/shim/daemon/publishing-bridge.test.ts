/**
 * Both ends of the publisher's messages on the file-system thread: what it asks for, and what it answers.
 */
import { expect, test } from 'vitest'
import type { FileId } from '../../../shared/format/entry.ts'
import type { Batch, Doubt, Pending, ToPublisher } from '../../../shim/changes/publishing.ts'
import { ChangesDesk } from '../../../shim/daemon/changes-desk.ts'
import { RemotePublishing } from '../../../shim/daemon/remote-publishing.ts'

const id = 7 as FileId
const batch: Batch = { counter: 3, nonce: 'n', baseSeq: 1, shownSeq: 1, changes: { names: [], nodes: [], places: [] }, bodies: [], unseen: [] }
const doubt: Doubt = { counter: 2, nonce: 'lost', baseSeq: 1 }

test('each question has its answer, in any order', () => {
  const sent: ToPublisher[] = []
  const remote = new RemotePublishing((message) => sent.push(message))
  const answers: unknown[] = []
  remote.publish({ counter: 5, id }, (result) => answers.push(['published', result]))
  remote.claim({ path: '/a', id, mode: 0o644, uid: 0, gid: 0 }, (result, seq) => answers.push(['claimed', result, seq]))
  remote.revalidate((result) => answers.push(['revalidated', result]))
  expect(sent).toEqual([
    { kind: 'publish', ticket: 1, counter: 5, id },
    { kind: 'claim', ticket: 2, path: '/a', id, mode: 0o644, uid: 0, gid: 0 },
    { kind: 'revalidate', ticket: 3 },
  ])
  expect(remote.receive({ kind: 'revalidated', ticket: 3, result: 0 })).toBe(true)
  expect(remote.receive({ kind: 'claimed', ticket: 2, result: 0, seq: 9 })).toBe(true)
  expect(remote.receive({ kind: 'publish-done', ticket: 1, result: -5 })).toBe(true)
  expect(remote.receive({ kind: 'publish-done', ticket: 1, result: 0 })).toBe(true)
  expect(remote.receive({ kind: 'not-published' })).toBe(false)
  expect(answers).toEqual([
    ['revalidated', 0],
    ['claimed', 0, 9],
    ['published', -5],
  ])
})

test('one question too many is told to try again', () => {
  const remote = new RemotePublishing(() => undefined)
  for (let count = 0; count < 16_384; count += 1) remote.revalidate(() => undefined)
  const answers: number[] = []
  remote.publish({ counter: 1, id: undefined }, (result) => answers.push(result))
  expect(answers).toEqual([-11])
})

test('a desk gives batches and doubts, vouches for bodies, and hands on what became of them', () => {
  const sent: ToPublisher[] = []
  const calls: string[] = []
  const batches: (Batch | Doubt | number | undefined)[] = [doubt, batch, undefined, -28]
  const changes = {
    takeBatch: ({ isEverything }: { readonly isEverything: boolean }) => {
      calls.push(`take ${isEverything}`)
      return batches.shift()
    },
    verify: (ids: readonly FileId[]) => ids.slice(0, 1),
    notPublished: () => void calls.push('not published'),
    pending: () => pendingOf(1),
  }
  const desk = new ChangesDesk({ changes, now: () => 0, send: (message) => sent.push(message), onPublished: ({ seq }) => calls.push(`published ${seq}`) })
  desk.receive({ kind: 'take-batch', isEverything: false })
  desk.receive({ kind: 'not-published' })
  desk.receive({ kind: 'take-batch', isEverything: true })
  desk.receive({ kind: 'verify', ids: [id, 8 as FileId] })
  desk.receive({ kind: 'published', published: { counter: 3, seq: 4, nodes: [], bodies: [], superseded: [], conflicts: [], merged: [] } })
  desk.receive({ kind: 'take-batch', isEverything: false })
  desk.receive({ kind: 'take-batch', isEverything: true })
  expect(sent).toEqual([
    { kind: 'in-doubt', doubt },
    { kind: 'batch', batch },
    { kind: 'verified', verified: { unchanged: [id] } },
    { kind: 'batch', batch: undefined },
    { kind: 'batch-failed', result: -28 },
  ])
  expect(calls).toEqual(['take false', 'not published', 'take true', 'published 4', 'take false', 'take true'])
})

test('how much waits is told when it changes, and not more often than it may cost', () => {
  const sent: ToPublisher[] = []
  let nowMs = 0
  let counter = 1
  const changes = {
    takeBatch: () => undefined,
    verify: () => [],
    notPublished: () => undefined,
    // Counting takes 20 ms here.
    pending: () => {
      nowMs += 20
      return pendingOf(counter)
    },
  }
  const desk = new ChangesDesk({ changes, now: () => nowMs, send: (message) => sent.push(message), onPublished: () => undefined })
  const at = (ms: number): number => {
    nowMs = ms
    desk.tick()
    return sent.length
  }
  expect(at(0)).toBe(1)
  counter = 2
  expect([at(300), at(900)]).toEqual([1, 1])
  expect(at(1000)).toBe(2)
  expect(at(3000)).toBe(2)
  counter = 3
  nowMs = 3100
  desk.tell()
  expect(sent).toHaveLength(3)
})

function pendingOf(counter: number): Pending {
  return { changeCount: 1, dirtyBytes: 0, dirtyFileCount: 0, oldestMs: 0, newestMs: 0, counter }
}
