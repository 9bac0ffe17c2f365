import { expect, test } from 'vitest'
import { silentLogger } from '../../../shared/log.ts'
import { Notifier } from '../../../shim/fuse/notifier.ts'
import { entryNotification, epochNotification, nodeNotification } from '../../../shim/fuse/protocol/notification.ts'

class Queue {
  room: number
  readonly messages: Uint8Array[] = []
  readonly errors: string[] = []
  readonly notifier: Notifier

  constructor(room: number, canIncrementEpoch = true) {
    this.room = room
    this.notifier = new Notifier({
      device: { openBacking: (fd) => fd, closeBacking: () => 0 },
      canPassthrough: true,
      canIncrementEpoch,
      hasWritebackCache: false,
      offer: (message) => {
        if (this.room === 0) return -11
        this.room -= 1
        this.messages.push(message)
        return 0
      },
      log: { ...silentLogger, error: (message) => this.errors.push(message) },
    })
  }
}

test('hands on in order while there is room', () => {
  const { notifier, messages } = new Queue(10)
  notifier.invalidateNode(5, 0, 10)
  notifier.invalidateEntry(1, 'a')
  expect(notifier.invalidateAllEntries()).toBe(true)
  expect(messages).toEqual([nodeNotification(5, 0, 10), entryNotification(1, 'a'), epochNotification()])
  expect(notifier.waitingCount).toBe(0)
})

test('keeps each once while there is none, a whole file for its ranges', () => {
  const queue = new Queue(0)
  const { notifier, messages } = queue
  for (let round = 0; round < 3; round += 1) {
    notifier.invalidateNode(5, round, 10)
    notifier.invalidateEntry(1, 'a')
    notifier.invalidateEntry(2, 'a')
  }
  expect(notifier.waitingCount).toBe(3)
  queue.room = 2
  notifier.retry()
  expect(notifier.waitingCount).toBe(1)
  queue.room = 2
  notifier.retry()
  expect(messages).toEqual([entryNotification(1, 'a'), entryNotification(2, 'a'), nodeNotification(5, 0, 0)])
  expect(notifier.waitingCount).toBe(0)
})

test('too many names become one "forget every name"', () => {
  const queue = new Queue(0)
  for (let index = 0; index < 70_000; index += 1) queue.notifier.invalidateEntry(1, `n${index}`)
  expect(queue.notifier.waitingCount).toBe(1)
  queue.room = 5
  queue.notifier.retry()
  expect(queue.messages).toEqual([epochNotification()])
  queue.notifier.invalidateEntry(1, 'later')
  expect(queue.messages).toHaveLength(2)
  expect(queue.errors).toEqual([])
})

test('too many files: nothing is promised about cached data any more', () => {
  const { notifier, errors } = new Queue(0)
  for (let index = 0; index < 65_536; index += 1) notifier.invalidateNode(index, 0, 0)
  expect(notifier.mayKeepCache).toBe(true)
  notifier.invalidateNode(70_000, 0, 0)
  notifier.invalidateNode(70_001, 0, 0)
  expect(notifier.mayKeepCache).toBe(false)
  expect(errors).toHaveLength(1)
})

test('a kernel without epochs says so', () => {
  const { notifier, messages } = new Queue(10, false)
  expect(notifier.invalidateAllEntries()).toBe(false)
  expect(messages).toEqual([])
})
