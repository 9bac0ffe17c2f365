import { expect, test } from 'vitest'
import { errno } from '../../../shared/error.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'
import type { EntryReply } from '../../../shim/fuse/handler.ts'
import { loadNativeFuse } from '../../../shim/fuse/native-binding.ts'
import { HandlerOperations } from '../../../shim/fuse/native-operations.ts'
import { MemoryHandler } from '../../support/memory-handler.ts'

function failing(message: string): () => unknown {
  return () => {
    throw new Error(message)
  }
}

test('says what to install when it cannot be loaded', () => {
  const missing = failing('libfuse.so.2: cannot open shared object file: No such file or directory')
  const sentence = 'Cannot load the driver "fuse-native": the library libfuse.so.2 is missing. Install the package libfuse2'
  expect(() => loadNativeFuse(missing)).toThrow(sentence)
  expect(() => loadNativeFuse(failing('No native build was found'))).toThrow(/No native build was found.*use the driver "linux"/)
  expect(() => loadNativeFuse(() => 17)).toThrow('it is of an unknown version')
})

test('walks paths, also through answers that come later, and holds nothing afterwards', () => {
  const handler = new MemoryHandler()
  const inner = handler.addDirectory(handler.addDirectory(handler.root, 'a'), 'b')
  handler.addFile(inner, 'file', Uint8Array.of(1, 2, 3))
  const operations = new HandlerOperations(handler)
  const sizes: (number | undefined)[] = []
  operations.getattr('/a/b/file', (code, stat) => sizes.push(code, stat?.size))
  operations.getattr('/a/b/absent', (code) => void sizes.push(code))
  const lookup = handler.lookup.bind(handler)
  const waiting = new Deferred<EntryReply>()
  Object.assign(handler, { lookup: (parent: number, name: string) => (name === 'b' ? waiting : lookup(parent, name)) })
  operations.getattr('/a/b/file', (code, stat) => sizes.push(code, stat?.size))
  expect(sizes).toEqual([0, 3, -errno.ENOENT])
  const entry = lookup(2, 'b')
  if (typeof entry === 'number' || entry instanceof Deferred) throw new Error('no entry')
  waiting.settle(entry)
  expect(sizes).toEqual([0, 3, -errno.ENOENT, 0, 3])
  expect(handler.outstanding.lookups).toBe(0)
})

test('an open file keeps its node, and gives it back', () => {
  const handler = new MemoryHandler()
  handler.addFile(handler.root, 'file', Uint8Array.of(1, 2, 3))
  const operations = new HandlerOperations(handler)
  let fd = 0
  operations.open('/file', 0, (_code, value) => (fd = value ?? 0))
  expect(fd).toBeGreaterThan(0)
  const into = new Uint8Array(8)
  let count = 0
  operations.read('/file', fd, into, 8, 1, (read) => (count = read))
  expect([count, ...into]).toEqual([2, 2, 3, 0, 0, 0, 0, 0, 0])
  expect(handler.outstanding).toEqual({ lookups: 1, handles: 1 })
  operations.release('/file', fd, () => {})
  operations.release('/file', fd, () => {})
  expect(handler.outstanding).toEqual({ lookups: 0, handles: 0 })
  operations.read('/file', fd, into, 8, 1, (read) => (count = read))
  expect(count).toBe(-errno.EIO)
  operations.open('/file', 1, (code) => (count = code))
  expect(count).toBe(-errno.EROFS)
  expect(handler.outstanding.lookups).toBe(0)
})
