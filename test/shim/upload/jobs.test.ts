import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Jobs } from '../../../shim/upload/jobs.ts'

test('no more than the limit run at once, and all of them run', async () => {
  const jobs = new Jobs(3)
  let [running, most, done] = [0, 0, 0]
  for (let count = 0; count < 20; count += 1) {
    await jobs.start(async () => {
      running += 1
      most = Math.max(most, running)
      await sleep(1)
      running -= 1
      done += 1
    })
  }
  await jobs.drain()
  expect([most, done, running]).toEqual([3, 20, 0])
})

test('the first failure stops further work and comes out, after what runs has ended', async () => {
  const jobs = new Jobs(2)
  let ended = false
  await jobs.start(async () => {
    await sleep(5)
    throw new Error('first')
  })
  await jobs.start(async () => {
    await sleep(20)
    ended = true
  })
  await expect(jobs.start(() => Promise.resolve())).rejects.toThrow('first')
  await expect(jobs.drain()).rejects.toThrow('first')
  expect(ended).toBe(true)
})
