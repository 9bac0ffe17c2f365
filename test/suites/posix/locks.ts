/** Locks between processes: of ranges, of open files, of whole files. They live in the kernel; the file system must let it keep them. */
import { LOCK, O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'
import type { Cases } from './cases.ts'

function openTwice(script: Script): { a: Script; b: Script } {
  const [a, b] = [script.on('first'), script.on('second')]
  a.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
  b.ok('open', 'f', O.RDWR, 0, 'f')
  return { a, b }
}

const busy = ['EAGAIN', 'EACCES']

export const lockCases: Cases = {
  'a range is locked by one writer or many readers': (script) => {
    const { a, b } = openTwice(script)
    a.ok('lock', 'f', 'write', 0, 10)
    b.fails(busy, 'lock', 'f', 'write', 5, 10)
    b.fails(busy, 'lock', 'f', 'read', 9, 1)
    b.ok('lock', 'f', 'write', 10, 10)
    b.gives('write', 'testLock', 'f', 'read', 0, 10)
    b.gives('none', 'testLock', 'f', 'write', 10, 10)
    a.ok('lock', 'f', 'read', 0, 10)
    b.ok('lock', 'f', 'read', 0, 10)
    a.fails(busy, 'lock', 'f', 'write', 0, 10)
    b.ok('lock', 'f', 'none', 0, 0)
    a.ok('lock', 'f', 'write', 0, 0)
    b.fails(busy, 'lock', 'f', 'read', 2 ** 40, 1)
    a.ok('lock', 'f', 'none', 100, 50)
    b.ok('lock', 'f', 'write', 100, 50)
    b.fails(busy, 'lock', 'f', 'write', 99, 1)
  },

  'a process gives up all its locks of a file with any of its descriptors': (script) => {
    const { a, b } = openTwice(script)
    a.ok('open', 'f', O.RDONLY, 0, 'other')
    a.ok('lock', 'f', 'write', 0, 10)
    b.fails(busy, 'lock', 'f', 'write', 0, 10)
    a.ok('close', 'other')
    b.ok('lock', 'f', 'write', 0, 10)
  },

  'locks of an open file stay with it, and are in the way of its process too': (script) => {
    const { a, b } = openTwice(script)
    a.ok('open', 'f', O.RDWR, 0, 'other')
    a.ok('lock', 'f', 'write', 0, 10, { isOpenFile: true })
    a.fails(busy, 'lock', 'other', 'write', 0, 10, { isOpenFile: true })
    b.fails(busy, 'lock', 'f', 'write', 0, 10)
    a.ok('close', 'other')
    b.fails(busy, 'lock', 'f', 'write', 0, 10)
    a.ok('dup', 'f', 'copy')
    a.ok('close', 'f')
    b.fails(busy, 'lock', 'f', 'write', 0, 10)
    a.ok('close', 'copy')
    b.ok('lock', 'f', 'write', 0, 10)
  },

  'who waits gets the lock when it is given up': async (script) => {
    const { a, b } = openTwice(script)
    a.ok('lock', 'f', 'write', 0, 10)
    b.ok('lock', 'f', 'read', 20, 1)
    await script.run()
    const [first, second] = [await script.agent('first'), await script.agent('second')]
    let isGranted = false
    const waiting = second.call('lock', 'f', 'write', 0, 10, { waits: true }).then(() => (isGranted = true))
    await first.call('sleep', 30)
    const hasWaited = !isGranted
    a.check('it waits', () => hasWaited)
    await first.call('lock', 'f', 'none', 0, 10)
    await waiting
    a.fails(busy, 'lock', 'f', 'read', 0, 10)
  },

  'EDEADLK: two that wait for each other': async (script) => {
    const { a, b } = openTwice(script)
    a.ok('lock', 'f', 'write', 0, 1)
    b.ok('lock', 'f', 'write', 1, 1)
    await script.run()
    const [first, second] = [await script.agent('first'), await script.agent('second')]
    const waiting = second.call('lock', 'f', 'write', 0, 1, { waits: true })
    await first.call('sleep', 50)
    a.fails('EDEADLK', 'lock', 'f', 'write', 1, 1, { waits: true })
    a.ok('lock', 'f', 'none', 0, 0)
    await script.run()
    await waiting
  },

  'whole files are locked by open descriptors': (script) => {
    const { a, b } = openTwice(script)
    a.ok('flock', 'f', LOCK.SH)
    b.ok('flock', 'f', LOCK.SH | LOCK.NB)
    b.fails('EAGAIN', 'flock', 'f', LOCK.EX | LOCK.NB)
    a.ok('flock', 'f', LOCK.UN)
    b.ok('flock', 'f', LOCK.EX | LOCK.NB)
    a.fails('EAGAIN', 'flock', 'f', LOCK.SH | LOCK.NB)
    b.ok('dup', 'f', 'copy')
    b.ok('close', 'f')
    a.fails('EAGAIN', 'flock', 'f', LOCK.SH | LOCK.NB)
    b.ok('close', 'copy')
    a.ok('flock', 'f', LOCK.EX | LOCK.NB)
    a.ok('open', 'f', O.RDONLY, 0, 'other')
    a.fails('EAGAIN', 'flock', 'other', LOCK.SH | LOCK.NB)
  },

  'the two ways of locking do not see each other': (script) => {
    const { a, b } = openTwice(script)
    a.ok('flock', 'f', LOCK.EX)
    b.ok('lock', 'f', 'write', 0, 0)
    b.fails('EAGAIN', 'flock', 'f', LOCK.EX | LOCK.NB)
    a.fails(busy, 'lock', 'f', 'write', 0, 0)
  },

  'a lock is of the file, under all its names and none': (script) => {
    const { a, b } = openTwice(script)
    a.ok('lock', 'f', 'write', 0, 10)
    a.ok('link', 'f', 'g')
    b.ok('open', 'g', O.RDWR, 0, 'g')
    b.fails(busy, 'lock', 'g', 'write', 0, 10)
    a.ok('unlink', 'f')
    a.ok('unlink', 'g')
    b.fails(busy, 'lock', 'f', 'write', 0, 10)
    b.ok('create', 'f', 0o644)
    b.ok('open', 'f', O.RDWR, 0, 'new')
    b.ok('lock', 'new', 'write', 0, 10)
  },

  'a process that is killed holds no locks': async (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.on('victim').ok('open', 'f', O.RDWR, 0, 'f')
    script.on('victim').ok('lock', 'f', 'write', 0, 10)
    script.on('victim').ok('flock', 'f', LOCK.EX)
    script.fails(busy, 'lock', 'f', 'write', 0, 10)
    await script.run()
    const victim = await script.agent('victim')
    victim.kill()
    await victim.ended
    script.ok('lock', 'f', 'write', 0, 10)
    script.ok('flock', 'f', LOCK.EX | LOCK.NB)
  },

  'EBADF: a lock for writing needs a descriptor for writing': (script) => {
    script.ok('create', 'f', 0o644)
    script.ok('open', 'f', O.RDONLY, 0, 'r')
    script.ok('open', 'f', O.WRONLY, 0, 'w')
    script.fails('EBADF', 'lock', 'r', 'write', 0, 1)
    script.fails('EBADF', 'lock', 'w', 'read', 0, 1)
    script.ok('lock', 'r', 'read', 0, 1)
    script.ok('flock', 'r', LOCK.EX)
  },
}
