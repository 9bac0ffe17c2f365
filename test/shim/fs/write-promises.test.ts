import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import type { ClaimRequest, Publishing, PublishRequest } from '../../../shim/changes/publishing.ts'
import { type Answer, type CreateReply, Deferred } from '../../../shim/fuse/handler.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { HandlerBed, answered, caller, file, write } from '../../support/handler-bed.ts'

const { O_CREAT, O_EXCL, O_RDWR, O_WRONLY } = openFlag

/** A publisher that answers when the test says so. */
class SlowPublishing implements Publishing {
  readonly published: PublishRequest[] = []
  readonly claims: ClaimRequest[] = []
  revalidateCount = 0
  #waiting: ((result: number, seq: number) => void)[] = []

  publish(request: PublishRequest, done: (result: number) => void): void {
    this.published.push(request)
    this.#waiting.push(done)
  }

  claim(request: ClaimRequest, done: (result: number, seq: number) => void): void {
    this.claims.push(request)
    this.#waiting.push(done)
  }

  revalidate(done: (result: number) => void): void {
    this.revalidateCount += 1
    this.#waiting.push(done)
  }

  answer(result: number, seq = 0): void {
    for (const done of this.#waiting.splice(0)) done(result, seq)
  }
}

const settlements = <T>(answer: Answer<T>): (T | number)[] => {
  const values: (T | number)[] = []
  if (answer instanceof Deferred) answer.listen((value) => values.push(structuredClone(value)))
  else values.push(answer)
  return values
}

const cloud = async (): Promise<{ bed: HandlerBed; publishing: SlowPublishing; created: CreateReply }> => {
  const publishing = new SlowPublishing()
  const bed = await HandlerBed.make([file('/old', 'o')], { isWritable: true, promises: { publishing, isCloud: true, isStrict: false } })
  const created = await answered(bed.writable.create(1, 'f', { mode: 0o644, umask: 0, rdev: 0 }, O_CREAT | O_RDWR, caller))
  if (typeof created === 'number') throw new Error(`create: ${created}`)
  return { bed, publishing, created: structuredClone(created) }
}

test('with cloud durability fsync waits until the file is published', async () => {
  const { bed, publishing, created } = await cloud()
  const { nodeId } = created.entry
  const synced = settlements(bed.writable.fsync(nodeId, created.open.handle, false))
  expect(synced).toEqual([])
  expect(publishing.published).toEqual([{ counter: 1, id: created.entry.attributes.ino }])
  publishing.answer(0)
  expect(synced).toEqual([undefined])
  const failed = settlements(bed.writable.fsyncdir(1, 0, false))
  publishing.answer(-errno.EIO)
  expect(failed).toEqual([-errno.EIO])
})

test('with cloud durability close waits, too, for who has written', async () => {
  const { bed, publishing, created } = await cloud()
  expect(created.open.noFlush).toBe(false)
  const flushed = settlements(bed.handler.flush(created.entry.nodeId, created.open.handle))
  expect(flushed).toEqual([])
  publishing.answer(0)
  expect(flushed).toEqual([undefined])
  const reader = await bed.open(await bed.node('/old'))
  if (typeof reader === 'number') throw new Error(`open: ${reader}`)
  expect(reader.noFlush).toBe(true)
  expect(bed.handler.flush(await bed.node('/old'), reader.handle)).toBeUndefined()
})

test('what is published already is not waited for', async () => {
  const { bed, publishing, created } = await cloud()
  bed.handler.release(created.entry.nodeId, created.open.handle)
  await bed.publishAndFollow()
  expect(settlements(bed.writable.fsyncdir(1, 0, false))).toEqual([undefined])
  expect(publishing.published).toEqual([])
})

test('without promises nothing is asked of the publisher', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  await bed.put('/f', 'text')
  expect(await bed.open(await bed.node('/f'), O_WRONLY)).toMatchObject({ noFlush: true })
})

const strict = async (): Promise<{ bed: HandlerBed; publishing: SlowPublishing }> => {
  const publishing = new SlowPublishing()
  const bed = await HandlerBed.make([file('/f', 'old')], { isWritable: true, promises: { publishing, isCloud: false, isStrict: true } })
  // The kernel looks a name up before it opens or makes it.
  await bed.lookup('/new')
  return { bed, publishing }
}

test('a strict open is of the newest commit', async () => {
  const { bed, publishing } = await strict()
  const node = await bed.node('/f')
  const opened = settlements(bed.handler.open(node, 0, caller))
  expect([opened, publishing.revalidateCount]).toEqual([[], 1])
  await bed.commit([write('/f', 'newer')])
  await bed.follow()
  publishing.answer(0)
  const [reply] = opened
  if (reply === undefined || typeof reply === 'number') throw new Error(`open: ${reply}`)
  expect(await bed.text(node, reply.handle)).toBe('newer')
  const failed = settlements(bed.handler.open(node, 0, caller))
  publishing.answer(-errno.EIO)
  expect(failed).toEqual([-errno.EIO])
})

test('a strict open that is interrupted opens nothing', async () => {
  const { bed, publishing } = await strict()
  const answer = bed.handler.open(await bed.node('/f'), 0, caller)
  const opened = settlements(answer)
  if (answer instanceof Deferred) answer.onInterrupt?.()
  publishing.answer(0)
  expect([opened, bed.handler.status.openCount]).toEqual([[-errno.EINTR], 0])
})

test('a strict exclusive creation is made by a commit first, and opened when that is shown', async () => {
  const { bed, publishing } = await strict()
  const made = settlements(bed.writable.create(1, 'new', { mode: 0o100666, umask: 0o022, rdev: 0 }, O_CREAT | O_EXCL | O_RDWR, { uid: 5, gid: 6, pid: 1 }))
  expect(made).toEqual([])
  const [claim] = publishing.claims
  expect(claim).toMatchObject({ path: '/new', mode: 0o644, uid: 5, gid: 6 })
  await bed.commit([file('/new', '', { id: claim!.id, mode: 0o644, uid: 5, gid: 6 })])
  publishing.answer(0, bed.handler.status.seq + 1)
  // The commit has not come yet.
  expect(made).toEqual([])
  await bed.follow()
  expect(made).toMatchObject([{ entry: { attributes: { ino: claim!.id, mode: 0o100644, uid: 5 } } }])
})

test('who loses a strict exclusive creation is told so, and so is who comes where a name is known to be', async () => {
  const { bed, publishing } = await strict()
  const node = { mode: 0o644, umask: 0, rdev: 0 }
  const made = settlements(bed.writable.create(1, 'new', node, O_CREAT | O_EXCL | O_RDWR, caller))
  publishing.answer(-errno.EEXIST)
  expect(made).toEqual([-errno.EEXIST])
  expect(settlements(bed.writable.create(1, 'f', node, O_CREAT | O_EXCL | O_RDWR, caller))).toEqual([-errno.EEXIST])
  expect(publishing.claims).toHaveLength(1)
})
