import { spawnSync } from 'node:child_process'
import { fstatSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { connectionErrno } from '../../../shim/sys/constants.ts'
import { createSocketPair, receiveFd } from '../../../shim/sys/fd-passing.ts'
import { unmountOffThread } from '../../../shim/sys/mount-calls.ts'
import { allocateMemory } from '../../../shim/sys/memory.ts'
import { closeFd, createPipe, duplicate, offerMessage, readBytes, wake } from '../../../shim/sys/pipe.ts'

test('a full pipe takes messages whole or not at all', () => {
  const { readFd, writeFd } = createPipe({ isNonBlocking: true })
  const message = new Uint8Array(1000).fill(7)
  let count = 0
  while (offerMessage(writeFd, message, message.length) === 0) count += 1
  expect(offerMessage(writeFd, message, message.length)).toBe(-errno.EAGAIN)
  wake(writeFd) // no failure, full or not
  const into = new Uint8Array(1 << 20)
  const got = readBytes(readFd, into, into.length)
  expect(Math.floor(got / 1000)).toBe(count)
  expect(readBytes(readFd, into, 1)).toBe(-errno.EAGAIN)
  const twin = duplicate(readFd)
  wake(writeFd)
  expect(readBytes(twin, into, 10)).toBe(1)
  closeFd(writeFd)
  expect(readBytes(twin, into, 10)).toBe(0)
  for (const fd of [readFd, twin]) expect(closeFd(fd)).toBe(0)
  expect(closeFd(twin)).toBe(-connectionErrno.EBADF)
  expect(() => wake(writeFd)).toThrow('Cannot wake descriptor')
})

test('receives a descriptor from another process', () => {
  const { ours, theirs } = createSocketPair()
  expect(receiveFd(ours)).toBeUndefined()
  const script = 'import socket,array;s=socket.socket(fileno=3);f=open("/dev/null");socket.send_fds(s,[b"x"],[f.fileno()])'
  const sent = spawnSync('python3', ['-c', script], { stdio: ['ignore', 'ignore', 'pipe', theirs] })
  expect(String(sent.stderr)).toBe('')
  const fd = receiveFd(ours)
  expect(fstatSync(fd!).rdev).toBe(0x103) // /dev/null is 1:3
  for (const each of [ours, theirs, fd!]) expect(closeFd(each)).toBe(0)
})

test('a call on another thread brings its errno along', async () => {
  expect(await unmountOffThread('/proc/self/status', false)).toBe(-errno.EINVAL)
  expect(await unmountOffThread('/nowhere/at/all', false)).toBe(-errno.ENOENT)
})

test('memory is the same as bytes and as words', () => {
  const memory = allocateMemory(13)
  expect(memory.bytes).toHaveLength(16)
  memory.words[1] = 0x04030201
  expect([...memory.bytes.subarray(4, 8)]).toEqual([1, 2, 3, 4])
  expect(memory.address % 8).toBe(0)
})
