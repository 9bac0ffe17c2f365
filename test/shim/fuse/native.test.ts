import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'
import type { Answer, DirectorySink, EntryReply } from '../../../shim/fuse/handler.ts'
import { type NativeFuse, answerXattrs, loadNativeFuse } from '../../../shim/fuse/native-binding.ts'
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

/** Every answer of the handler comes late, and a listing one page of two names at a time; `turn` lets one answer come. */
class LateHandler extends MemoryHandler {
  readonly waiting: (() => void)[] = []
  readonly forgotten: number[] = []
  #hasPage = false

  turn(): boolean {
    const next = this.waiting.shift()
    next?.()
    return next !== undefined
  }

  override lookup(...words: Parameters<MemoryHandler['lookup']>): Answer<EntryReply> {
    return this.#later(() => super.lookup(...words))
  }

  override forget(nodeId: number, count: number): void {
    this.forgotten.push(nodeId)
    super.forget(nodeId, count)
  }

  override getattr(...words: Parameters<MemoryHandler['getattr']>): ReturnType<MemoryHandler['getattr']> {
    return this.#later(() => super.getattr(...words))
  }

  override readlink(...words: Parameters<MemoryHandler['readlink']>): Answer<string> {
    return this.#later(() => super.readlink(...words))
  }

  override open(...words: Parameters<MemoryHandler['open']>): ReturnType<MemoryHandler['open']> {
    return this.#later(() => super.open(...words))
  }

  override read(...words: Parameters<MemoryHandler['read']>): ReturnType<MemoryHandler['read']> {
    return this.#later(() => super.read(...words))
  }

  override opendir(...words: Parameters<MemoryHandler['opendir']>): ReturnType<MemoryHandler['opendir']> {
    return this.#later(() => super.opendir(...words))
  }

  override statfs(): ReturnType<MemoryHandler['statfs']> {
    return this.#later(() => super.statfs())
  }

  override getxattr(...words: Parameters<MemoryHandler['getxattr']>): Answer<Uint8Array> {
    return this.#later(() => super.getxattr(...words))
  }

  override listxattr(...words: Parameters<MemoryHandler['listxattr']>): Answer<readonly string[]> {
    return this.#later(() => super.listxattr(...words))
  }

  override readdir(nodeId: number, handle: number, offset: number, sink: DirectorySink): Answer<undefined> {
    this.#hasPage = !this.#hasPage
    if (this.#hasPage) {
      if (offset > 0) sink.add('not to be told', 1, offset + 1, 0, undefined)
      return this.#later(() => undefined)
    }
    let left = 2
    const add: DirectorySink['add'] = (...entry) => (left -= 1) >= 0 && sink.add(...entry)
    return super.readdir(nodeId, handle, offset, { isPlus: false, add })
  }

  #later<T>(ask: () => Answer<T>): Answer<T> {
    const deferred = new Deferred<T>()
    this.waiting.push(() => {
      const answer = ask()
      if (answer instanceof Deferred) throw new Error('late twice')
      deferred.settle(answer)
    })
    return deferred
  }
}

test('whatever comes late is waited for, by every operation', () => {
  const handler = new LateHandler()
  const inner = handler.addDirectory(handler.addDirectory(handler.root, 'a'), 'b')
  const names = ['one', 'two', 'three', 'new\nline', 'grün-日本', 'bad-\udcff']
  for (const name of names) handler.addFile(inner, name, Uint8Array.of(1, 2, 3))
  handler.addFile(inner, 'tagged', new Uint8Array(0)).xattrs = new Map([['user.a', Uint8Array.of(7)]])
  handler.addLink(inner, 'link', 'one')
  const operations = new HandlerOperations(handler)
  const answered = (ask: (done: (code: number, value?: unknown) => void) => void): unknown => {
    const answers: unknown[] = []
    ask((code, value) => answers.push(code < 0 ? code : (value ?? code)))
    expect(answers).toEqual([])
    while (handler.turn()) continue
    expect(answers).toHaveLength(1)
    return answers[0]
  }
  expect(answered((done) => operations.readdir('/a/b', done))).toEqual(['.', '..', ...names.slice(0, 5), 'bad-\ufffd', 'tagged', 'link'])
  expect(answered((done) => operations.readdir('/', done))).toEqual(['.', '..', 'a'])
  expect(answered((done) => operations.readdir('/a/b/one', done))).toBe(-errno.ENOTDIR)
  for (const name of names.slice(0, 5)) expect(answered((done) => operations.getattr(`/a/b/${name}`, done))).toMatchObject({ size: 3 })
  expect(answered((done) => operations.getattr('/a/none/one', done))).toBe(-errno.ENOENT)
  expect(answered((done) => operations.readlink('/a/b/link', done))).toBe('one')
  expect(answered((done) => operations.getxattr('/a/b/tagged', 'user.a', 0, done))).toEqual(Buffer.of(7))
  expect(answered((done) => operations.listxattr('/a/b/tagged', done))).toEqual(['user.a'])
  expect(answered((done) => operations.statfs('/', done))).toMatchObject({ blocks: 1000, bfree: 400, bavail: 400 })
  const fd = answered((done) => operations.open('/a/b/one', 0, done))
  if (typeof fd !== 'number') throw new Error('no file')
  const into = new Uint8Array(3)
  expect(answered((done) => operations.read('/a/b/one', fd, into, 3, 0, done))).toBe(3)
  expect([...into]).toEqual([1, 2, 3])
  operations.release('/a/b/one', fd, () => {})
  expect(handler.outstanding).toEqual({ lookups: 0, handles: 0 })
})

test('the directories of a path are held until it is answered, and those of an open file until it is closed', () => {
  const handler = new LateHandler()
  handler.addFile(handler.addDirectory(handler.addDirectory(handler.root, 'a'), 'b'), 'file', Uint8Array.of(1))
  const operations = new HandlerOperations(handler)
  const heldWhenTold: number[] = []
  operations.getattr('/a/b/file', () => heldWhenTold.push(handler.outstanding.lookups))
  while (handler.waiting.length > 0) {
    expect(handler.forgotten).toEqual([])
    handler.turn()
  }
  expect([heldWhenTold, handler.forgotten]).toEqual([[3], [4, 3, 2]])
  let fd = 0
  operations.open('/a/b/file', 0, (_code, value) => (fd = value ?? 0))
  while (handler.turn()) continue
  expect(handler.outstanding).toEqual({ lookups: 3, handles: 1 })
  operations.release('/a/b/file', fd, () => {})
  expect(handler.outstanding).toEqual({ lookups: 0, handles: 0 })
})

test('an attribute that does not fit the buffer of a program is ERANGE', () => {
  const handler = new MemoryHandler()
  const names = ['user.long-enough', 'user.second', 'user.third']
  handler.addFile(handler.root, 'tagged', new Uint8Array(0)).xattrs = new Map(names.map((name) => [name, new Uint8Array(300).fill(5)]))
  const fuse: NativeFuse = { mount: () => {}, _op_getxattr: () => {}, _op_listxattr: () => {}, _op_utimens: () => {}, _handlers: [] }
  answerXattrs(fuse, new HandlerOperations(handler))
  const codes: number[] = []
  const keep = (code: number): void => void codes.push(code)
  const [empty, short, long] = [new Uint8Array(0), new Uint8Array(8), new Uint8Array(400)]
  for (const into of [empty, short, long]) fuse._op_getxattr(keep, '/tagged', 'user.second', into, 0)
  expect([...short]).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  expect([long[299], long[300]]).toEqual([5, 0])
  for (const into of [empty, short, long]) fuse._op_listxattr(keep, '/tagged', into)
  const list = names.map((name) => `${name}\0`).join('')
  expect(Buffer.from(long.subarray(0, list.length)).toString()).toBe(list)
  fuse._op_getxattr(keep, '/tagged', 'user.none', long, 0)
  fuse._op_listxattr(keep, '/none', long)
  expect(codes).toEqual([300, -errno.ERANGE, 300, list.length, -errno.ERANGE, list.length, -errno.ENODATA, -errno.ENOENT])
})
