import { expect, test } from 'vitest'
import type { Pointer } from '../../../shared/format/entry.ts'
import type { Failure } from '../../../shim/fs/backend.ts'
import { TreePages } from '../../../shim/fs/tree-pages.ts'
import { hashOf } from '../../support/hash-of.ts'
import { metaPack } from '../../support/page-memory.ts'
import { utf8 } from '../../support/test-volume.ts'

const pointerOf = (text: string): Pointer => ({ hash: hashOf(utf8(text)), pack: metaPack, offset: 0, length: 100 })
const page = (length = 100): Uint8Array => new Uint8Array(length).fill(7)
const failure: Failure = { code: 'unavailable', message: 'away' }

/** A backend that answers when it is told to. */
class SlowBackend {
  readonly asked: { pointer: Pointer; done: (answer: Uint8Array | Failure) => void; ticket: number }[] = []
  readonly cancelled: number[] = []
  isInstant = false

  page = (pointer: Pointer, done: (answer: Uint8Array | Failure) => void): number => {
    const ticket = this.asked.length + 1
    this.asked.push({ pointer, done, ticket })
    if (this.isInstant) done(page())
    return ticket
  }

  cancel = (ticket: number): void => {
    this.cancelled.push(ticket)
    this.asked[ticket - 1]!.done({ code: 'aborted', message: 'given up' })
  }
}

function made(bytesMax = 1_000_000): { backend: SlowBackend; pages: TreePages; outcomes: (Failure | undefined)[]; load(text: string): () => void } {
  const backend = new SlowBackend()
  const pages = new TreePages(backend, bytesMax)
  const outcomes: (Failure | undefined)[] = []
  return { backend, pages, outcomes, load: (text) => pages.load(pointerOf(text), { done: (outcome) => outcomes.push(outcome) }) }
}

test('all who wait for a page share one request and are told once', () => {
  const { backend, pages, outcomes, load } = made()
  for (let count = 0; count < 5; count += 1) load('a')
  expect(backend.asked).toHaveLength(1)
  backend.asked[0]!.done(page())
  expect(outcomes).toEqual([undefined, undefined, undefined, undefined, undefined])
  expect(pages.find(pointerOf('a'))).toEqual(page())
  expect(pages.loadCount).toBe(0)
})

test('a backend that answers at once is as good', () => {
  const { backend, outcomes, load, pages } = made()
  backend.isInstant = true
  load('a')
  expect(outcomes).toEqual([undefined])
  expect(pages.loadCount).toBe(0)
})

test('a failure is told to those who wait and asked again by the next', () => {
  const { backend, outcomes, load } = made()
  load('a')
  backend.asked[0]!.done(failure)
  expect(outcomes).toEqual([failure])
  load('a')
  expect(backend.asked).toHaveLength(2)
})

test('the request is cancelled when the last one leaves, and not before', () => {
  const { backend, load, outcomes } = made()
  const first = load('a')
  const second = load('a')
  first()
  expect(backend.cancelled).toEqual([])
  second()
  second()
  expect(backend.cancelled).toEqual([1])
  expect(outcomes).toEqual([])
  load('a')
  expect(backend.asked).toHaveLength(2)
})

test('an answer to a cancelled request does not end the one that was begun after it', () => {
  const backend = new SlowBackend()
  const late: (() => void)[] = []
  const cancelling = { page: backend.page, cancel: (ticket: number) => late.push(() => backend.asked[ticket - 1]!.done({ code: 'aborted', message: '' })) }
  const pages = new TreePages(cancelling)
  const outcomes: (Failure | undefined)[] = []
  pages.load(pointerOf('a'), { done: () => outcomes.push(failure) })()
  pages.load(pointerOf('a'), { done: (outcome) => outcomes.push(outcome) })
  late[0]!()
  expect(outcomes).toEqual([])
  backend.asked[1]!.done(page())
  expect(outcomes).toEqual([undefined])
})

test('pages leave in order of their last use when the memory is full', () => {
  const { backend, pages, load } = made(1000)
  backend.isInstant = true
  for (const text of ['a', 'b', 'c']) load(text)
  expect(pages.find(pointerOf('a'))).toBeDefined()
  load('d')
  expect(pages.find(pointerOf('b'))).toBeUndefined()
  expect(pages.find(pointerOf('a'))).toBeDefined()
  expect(pages.bytes).toBeLessThanOrEqual(1000)
})

test('a page larger than the memory is kept until the next', () => {
  const { backend, pages, load } = made(50)
  backend.isInstant = true
  load('a')
  expect(pages.find(pointerOf('a'))).toBeDefined()
  load('b')
  expect(pages.find(pointerOf('a'))).toBeUndefined()
})

test('the end of the mount fails everybody who waits', () => {
  const { outcomes, load, pages } = made()
  load('a')
  load('b')
  pages.stop(failure)
  expect(outcomes).toEqual([failure, failure])
})
