/**
 * The tree that the tests of the driver mount, and what it must look like.
 */
import { openSync } from 'node:fs'
import { MemoryHandler, setBacking } from './memory-handler.ts'

export const bigBytes = 8 << 20
export const manyCount = 5000
export const oddNames: readonly string[] = [
  'new\nline',
  'bad-\udcff-utf8', // the byte 0xff
  'ünïcödé-日本',
  'x'.repeat(255),
  ' leading space',
  '-dash',
]

export function patternBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = 12345
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    bytes[index] = state >>> 16
  }
  return bytes
}

/** `backingPath` holds `patternBytes(bigBytes)` on the disk. */
export function buildTree(backingPath: string): MemoryHandler {
  const handler = new MemoryHandler()
  const { root } = handler
  handler.addFile(root, 'hello.txt', new TextEncoder().encode('hello, world\n'))
  handler.addFile(root, 'empty', new Uint8Array(0))
  handler.addFile(root, 'big', patternBytes(bigBytes))
  const sparse = new Uint8Array(1 << 20)
  sparse.fill(1, 512 << 10)
  handler.addFile(root, 'sparse', sparse)
  handler.addLink(root, 'link', 'hello.txt')
  handler.addLink(root, 'odd-link', 'bad-\udcff-utf8')
  const tagged = handler.addFile(root, 'tagged', Uint8Array.of(1))
  tagged.xattrs = new Map([
    ['user.colour', new TextEncoder().encode('blue')],
    ['user.empty', new Uint8Array(0)],
  ])
  const fd = openSync(backingPath, 'r')
  setBacking(handler.addFile(root, 'through', new Uint8Array(0)), fd, backingPath, true)
  setBacking(handler.addFile(root, 'copied', new Uint8Array(0)), fd, backingPath, false)
  const odd = handler.addDirectory(root, 'odd')
  for (const name of oddNames) handler.addFile(odd, name, new TextEncoder().encode(name.slice(0, 3)))
  const many = handler.addDirectory(root, 'many')
  for (let index = 0; index < manyCount; index += 1) {
    handler.addFile(many, `file-${String(index).padStart(5, '0')}`, Uint8Array.of(index & 255))
  }
  const hanging = handler.addFile(root, 'hanging', new Uint8Array(4096))
  hanging.behaviour = 'hang'
  handler.addDirectory(root, 'hanging-directory').behaviour = 'hang'
  const throwing = handler.addFile(root, 'throwing', new Uint8Array(4096))
  throwing.behaviour = 'throw'
  return handler
}
