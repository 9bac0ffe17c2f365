/**
 * What a folder holds after some steps, each one system call: the truth of the crash tests. The worker (`crash-worker.ts`) does the steps in a mount, the checker
 * (`crash-check.ts`) does them here and compares.
 */
import type { SeededRandom } from './seeded-random.ts'

/** Paths are relative. A handle is a number that the steps agree on. */
export type CrashStep =
  | { readonly do: 'create' | 'open'; readonly path: string; readonly handle: number }
  | { readonly do: 'close' | 'fsync'; readonly handle: number }
  | { readonly do: 'write'; readonly handle: number; readonly offset: number; readonly length: number; readonly seed: number }
  | { readonly do: 'punch'; readonly handle: number; readonly offset: number; readonly length: number }
  | { readonly do: 'ftruncate'; readonly handle: number; readonly size: number }
  | { readonly do: 'truncate'; readonly path: string; readonly size: number }
  | { readonly do: 'mkdir' | 'rmdir' | 'unlink' | 'fsync-directory'; readonly path: string }
  | { readonly do: 'rename' | 'link'; readonly path: string; readonly to: string }
  | { readonly do: 'symlink'; readonly path: string; readonly target: string }
  | { readonly do: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly do: 'utimes'; readonly path: string; readonly seconds: number }
  /** The daemon died and was started again: no handle is open any more. */
  | { readonly do: 'restart' }

export interface CrashNode {
  readonly kind: 'file' | 'directory' | 'symlink'
  mode: number
  linkCount: number
  size: number
  /** At least `size` long, zero from there on. */
  bytes: Uint8Array
  readonly target: string
  /** When somebody has set it and nothing has changed it since. */
  mtimeSeconds: number | undefined
  openCount: number
}

/** The bytes that a `write` writes. */
export function bytesOfWrite(seed: number, length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  for (let index = 0, value = seed >>> 0; index < words.length; index += 1) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0
    words[index] = value | 1 // no byte of four is a hole's
  }
  return new Uint8Array(words.buffer, 0, length)
}

function emptyNode(kind: CrashNode['kind'], mode: number, target = ''): CrashNode {
  return { kind, mode, linkCount: 1, size: 0, bytes: new Uint8Array(0), target, mtimeSeconds: undefined, openCount: 0 }
}

export class CrashModel {
  readonly nodes = new Map<string, CrashNode>([['', emptyNode('directory', 0o755)]])
  readonly handles = new Map<number, CrashNode>()

  clone(): CrashModel {
    const copies = new Map<CrashNode, CrashNode>()
    const copyOf = (node: CrashNode): CrashNode => {
      const copy = copies.get(node) ?? { ...node, bytes: node.bytes.slice() }
      copies.set(node, copy)
      return copy
    }
    const model = new CrashModel()
    for (const [path, node] of this.nodes) model.nodes.set(path, copyOf(node))
    for (const [handle, node] of this.handles) model.handles.set(handle, copyOf(node))
    return model
  }

  node(path: string): CrashNode {
    const node = this.nodes.get(path)
    if (node === undefined) throw new Error(`The workload is wrong: there is no ${path}`)
    return node
  }

  handle(handle: number): CrashNode {
    const node = this.handles.get(handle)
    if (node === undefined) throw new Error(`The workload is wrong: handle ${handle} is not open`)
    return node
  }

  apply(step: CrashStep): void {
    switch (step.do) {
      case 'create':
      case 'open':
        if (step.do === 'create') this.#put(step.path, emptyNode('file', 0o644))
        this.handles.set(step.handle, this.node(step.path))
        return void (this.node(step.path).openCount += 1)
      case 'close':
        this.handle(step.handle).openCount -= 1
        return void this.handles.delete(step.handle)
      case 'write':
        return writeInto(this.handle(step.handle), step.offset, bytesOfWrite(step.seed, step.length))
      case 'punch':
        this.handle(step.handle).mtimeSeconds = undefined
        return void this.handle(step.handle).bytes.fill(0, step.offset, step.offset + step.length)
      case 'ftruncate':
        return resize(this.handle(step.handle), step.size)
      case 'truncate':
        return resize(this.node(step.path), step.size)
      case 'mkdir':
        return this.#put(step.path, emptyNode('directory', 0o755))
      case 'symlink':
        return this.#put(step.path, emptyNode('symlink', 0o777, step.target))
      case 'rmdir':
      case 'unlink':
        return this.#remove(step.path)
      case 'link':
        this.node(step.path).linkCount += 1
        return this.#put(step.to, this.node(step.path))
      case 'rename':
        return this.#rename(step.path, step.to)
      case 'chmod':
        return void (this.node(step.path).mode = step.mode)
      case 'utimes':
        return void (this.node(step.path).mtimeSeconds = step.seconds)
      case 'restart':
        for (const node of this.handles.values()) node.openCount = 0
        return this.handles.clear()
      case 'fsync':
      case 'fsync-directory':
    }
  }

  #put(path: string, node: CrashNode): void {
    this.#touchParent(path)
    this.nodes.set(path, node)
  }

  #remove(path: string): void {
    this.node(path).linkCount -= 1
    this.#touchParent(path)
    this.nodes.delete(path)
  }

  #rename(path: string, to: string): void {
    const node = this.node(path)
    const replaced = this.nodes.get(to)
    if (replaced === node) return
    if (replaced !== undefined) this.#remove(to)
    this.#touchParent(path)
    this.#touchParent(to)
    const moved = [...this.nodes].filter(([other]) => other === path || other.startsWith(`${path}/`))
    for (const [other] of moved) this.nodes.delete(other)
    for (const [other, each] of moved) this.nodes.set(to + other.slice(path.length), each)
  }

  #touchParent(path: string): void {
    this.node(parentOf(path)).mtimeSeconds = undefined
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export function writeInto(node: CrashNode, offset: number, bytes: Uint8Array): void {
  const end = offset + bytes.length
  reserve(node, end)
  node.bytes.set(bytes, offset)
  node.size = Math.max(node.size, end)
  node.mtimeSeconds = undefined
}

function resize(node: CrashNode, size: number): void {
  reserve(node, size)
  node.bytes.fill(0, size, Math.max(size, node.size))
  node.size = size
  node.mtimeSeconds = undefined
}

function reserve(node: CrashNode, length: number): void {
  if (node.bytes.length >= length) return
  const grown = new Uint8Array(Math.max(length, node.bytes.length * 2))
  grown.set(node.bytes.subarray(0, node.size))
  node.bytes = grown
}

const largeBytes = 6 * 1024 * 1024
const nodesMax = 120
const handlesMax = 6

/** A step that works after those before it. */
export function nextStep(model: CrashModel, random: SeededRandom, count: number): CrashStep {
  for (;;) {
    const step = candidate(model, random, count)
    if (step !== undefined) return step
  }
}

function candidate(model: CrashModel, random: SeededRandom, count: number): CrashStep | undefined {
  const pick = <T>(values: readonly T[]): T | undefined => values[random.next() % Math.max(1, values.length)]
  const paths = (kind: CrashNode['kind']): string[] => [...model.nodes].filter(([path, node]) => node.kind === kind && path !== '').map(([path]) => path)
  const directory = pick(['', ...paths('directory')]) ?? ''
  const file = pick(paths('file'))
  const handle = pick([...model.handles.keys()])
  const fresh = `${directory === '' ? '' : `${directory}/`}n${count}`
  const isFull = model.nodes.size >= nodesMax
  const dice = random.next() % 100
  if (dice < 12) return isFull || model.handles.size >= handlesMax ? undefined : { do: 'create', path: fresh, handle: count }
  if (dice < 18) return file === undefined || model.handles.size >= handlesMax ? undefined : { do: 'open', path: file, handle: count }
  if (dice < 52) return handle === undefined ? undefined : changeOf(model.handle(handle), handle, random)
  if (dice < 58) return handle === undefined ? undefined : { do: 'fsync', handle }
  if (dice < 66) return handle === undefined ? undefined : { do: 'close', handle }
  if (dice < 68) return { do: 'fsync-directory', path: directory }
  if (dice < 71) return isFull || directory.split('/').length > 4 ? undefined : { do: 'mkdir', path: fresh }
  if (dice < 73) return isFull ? undefined : { do: 'symlink', path: fresh, target: `to-${count}` }
  if (dice < 76) return isFull || file === undefined ? undefined : { do: 'link', path: file, to: fresh }
  if (dice < 81) return file === undefined ? undefined : { do: 'rename', path: file, to: pick([fresh, pick(paths('file')) ?? fresh]) ?? fresh }
  if (dice < 83) return renameOfDirectory(pick(paths('directory')), fresh)
  if (dice < 88) return removalOf(model, pick([...model.nodes.keys()]) ?? '')
  if (dice < 92) return file === undefined ? undefined : { do: 'chmod', path: file, mode: 0o400 | (random.next() & 0o377) }
  if (dice < 96) return file === undefined ? undefined : { do: 'truncate', path: file, size: random.next() % 20_000 }
  return file === undefined ? undefined : { do: 'utimes', path: file, seconds: random.next() % 2_000_000_000 }
}

function changeOf(node: CrashNode, handle: number, random: SeededRandom): CrashStep {
  const dice = random.next() % 20
  const isLarge = node.size > 100_000 || dice === 0
  const length = isLarge ? 1 + (random.next() % 1_000_000) : 1 + (random.next() % 9000)
  const start = random.next() % (isLarge ? largeBytes : Math.min(node.size + 1, 60_000))
  if (dice === 1) return { do: 'ftruncate', handle, size: start }
  if (dice === 2 && node.size > 0) return { do: 'punch', handle, offset: start % node.size, length: 1 + (length % node.size) }
  return { do: 'write', handle, offset: dice < 12 ? node.size % largeBytes : start, length, seed: random.next() }
}

function renameOfDirectory(path: string | undefined, to: string): CrashStep | undefined {
  return path === undefined || `${to}/`.startsWith(`${path}/`) ? undefined : { do: 'rename', path, to }
}

function removalOf(model: CrashModel, path: string): CrashStep | undefined {
  if (path === '') return undefined
  if (model.node(path).kind !== 'directory') return { do: 'unlink', path }
  return [...model.nodes.keys()].some((other) => other.startsWith(`${path}/`)) ? undefined : { do: 'rmdir', path }
}
