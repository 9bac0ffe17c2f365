/**
 * What a volume is, as simply as it can be said: maps of names, files shared by their hard links, and the rules of POSIX. The truth that the
 * engine is compared with. Nothing here knows pages, packs or commits.
 */
import type { ErrorCode } from '../../shared/error.ts'
import type { Operation } from '../../shared/volume/operation.ts'

export interface ModelFile {
  kind: 'file' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device'
  mode: number
  uid: number
  mtime: number
  ctime: number
  body: string
  linkCount: number
  xattrs: Map<string, string>
}

export interface ModelDirectory {
  kind: 'directory'
  mode: number
  uid: number
  mtime: number
  ctime: number
  xattrs: Map<string, string>
  names: Map<string, ModelNode>
}

export type ModelNode = ModelFile | ModelDirectory

export class Refused extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode) {
    super(code)
    this.code = code
  }
}

/** Text of an operation's body; bodies in the model are what was written, whatever the engine makes of them. */
export type BodyOf = (operation: Operation) => string

export class VolumeModel {
  root: ModelDirectory

  constructor(timeMs: number) {
    this.root = { kind: 'directory', mode: 0o755, uid: 0, mtime: timeMs, ctime: timeMs, xattrs: new Map(), names: new Map() }
  }

  /** All operations, or none and the code of the first refusal. */
  commit(operations: readonly Operation[], timeMs: number, bodyOf: BodyOf): ErrorCode | undefined {
    const before = this.root
    this.root = structuredClone(before)
    try {
      for (const operation of operations) this.#apply(operation, timeMs, bodyOf(operation))
      return undefined
    } catch (error) {
      this.root = before
      if (error instanceof Refused) return error.code
      throw error
    }
  }

  /** One line for everything that can be seen of a path. */
  lines(): string[] {
    const lines: string[] = []
    const visit = (node: ModelNode, path: string): void => {
      const { kind, mode, uid, mtime, ctime } = node
      const xattrs = Array.from(node.xattrs, ([name, value]) => `${name}=${value}`).toSorted(byText)
      const rest = node.kind === 'directory' ? countsOf(node) : `links=${node.linkCount} ${node.body}`
      lines.push(`${path} ${kind} ${mode.toString(8)} ${uid} ${mtime} ${ctime} [${xattrs.join()}] ${rest}`)
      if (node.kind !== 'directory') return
      for (const [name, child] of [...node.names].toSorted(([a], [b]) => byText(a, b))) visit(child, path === '/' ? `/${name}` : `${path}/${name}`)
    }
    visit(this.root, '/')
    return lines
  }

  #apply(operation: Operation, now: number, body: string): void {
    switch (operation.op) {
      case 'create':
      case 'mkdir':
      case 'symlink':
      case 'mknod':
        this.#make(operation, now, body)
        return
      case 'write': {
        const node = this.#at(operation.path)
        if (node.kind !== 'file') throw new Refused('invalid')
        Object.assign(node, { body, mtime: now, ctime: now })
        return
      }
      case 'setattr': {
        const node = this.#at(operation.path)
        if (operation.mode !== undefined) node.mode = operation.mode
        if (operation.uid !== undefined) node.uid = operation.uid
        if (operation.mtime !== undefined) node.mtime = operation.mtime.seconds * 1000
        node.ctime = now
        return
      }
      case 'setxattr': {
        const node = this.#at(operation.path)
        if (operation.value !== undefined) node.xattrs.set(operation.name, new TextDecoder().decode(operation.value))
        else if (!node.xattrs.delete(operation.name)) throw new Refused('not-found')
        node.ctime = now
        return
      }
      case 'unlink':
      case 'rmdir':
        this.#remove(operation, now)
        return
      case 'rename':
        this.#rename(operation, now)
        return
      case 'link':
        this.#link(operation, now)
    }
  }

  #make(operation: Extract<Operation, { op: 'create' | 'mkdir' | 'symlink' | 'mknod' }>, now: number, body: string): void {
    if (operation.op === 'mkdir' && operation.parents === true && this.#find(operation.path, true, now)?.kind === 'directory') return
    const { directory, name } = this.#parent(operation.path, operation.parents === true, now, operation.uid)
    const old = directory.names.get(name)
    if (old !== undefined && (operation.replace !== true || operation.op === 'mkdir' || old.kind === 'directory')) throw new Refused('conflict')
    const kept = operation.op === 'create' && old?.kind === 'file' ? old : undefined
    drop(old, now)
    const mode = operation.mode ?? kept?.mode ?? { create: 0o644, mkdir: 0o755, symlink: 0o777, mknod: 0o644 }[operation.op]
    const shared = { mode, uid: operation.uid ?? kept?.uid ?? 0, mtime: now, ctime: now, xattrs: new Map(kept?.xattrs) }
    const kind = operation.op === 'create' ? 'file' : operation.op === 'mknod' ? operation.kind : 'symlink'
    directory.names.set(name, operation.op === 'mkdir' ? { kind: 'directory', ...shared, names: new Map() } : { kind, ...shared, body, linkCount: 1 })
    touch(directory, now)
  }

  #remove(operation: Extract<Operation, { op: 'unlink' | 'rmdir' }>, now: number): void {
    const { directory, name } = this.#parent(operation.path)
    const node = directory.names.get(name)
    if (node === undefined) throw new Refused('not-found')
    if ((node.kind === 'directory') !== (operation.op === 'rmdir')) throw new Refused('invalid')
    if (node.kind === 'directory' && node.names.size > 0 && !(operation.op === 'rmdir' && operation.recursive === true)) throw new Refused('conflict')
    drop(node, now)
    directory.names.delete(name)
    touch(directory, now)
  }

  #rename(operation: Extract<Operation, { op: 'rename' }>, now: number): void {
    const from = this.#parent(operation.path)
    const node = from.directory.names.get(from.name)
    if (node === undefined) throw new Refused('not-found')
    const to = this.#parent(operation.to, operation.parents === true, now)
    const old = to.directory.names.get(to.name)
    if (old === node) return
    if (old !== undefined && operation.replace === false) throw new Refused('conflict')
    if (node.kind === 'directory' && holds(node, to.directory)) throw new Refused('invalid')
    if (old !== undefined && (old.kind === 'directory') !== (node.kind === 'directory')) throw new Refused('invalid')
    if (old?.kind === 'directory' && old.names.size > 0) throw new Refused('conflict')
    drop(old, now)
    from.directory.names.delete(from.name)
    to.directory.names.set(to.name, node)
    node.ctime = now
    touch(from.directory, now)
    touch(to.directory, now)
  }

  #link(operation: Extract<Operation, { op: 'link' }>, now: number): void {
    const from = this.#parent(operation.path)
    const node = from.directory.names.get(from.name)
    if (node === undefined) throw new Refused('not-found')
    if (node.kind === 'directory') throw new Refused('invalid')
    const to = this.#parent(operation.to, operation.parents === true, now)
    const old = to.directory.names.get(to.name)
    if (old?.kind === 'directory') throw new Refused('conflict')
    if (old !== undefined && operation.replace !== true) throw new Refused('conflict')
    if (old === node) return
    drop(old, now)
    to.directory.names.set(to.name, node)
    node.linkCount += 1
    node.ctime = now
    touch(to.directory, now)
  }

  #at(path: string): ModelNode {
    const node = this.#find(path, false, 0)
    if (node === undefined) throw new Refused('not-found')
    return node
  }

  #find(path: string, makes: boolean, now: number): ModelNode | undefined {
    if (path === '/') return this.root
    const { directory, name } = this.#parent(path, makes, now)
    return directory.names.get(name)
  }

  #parent(path: string, makes = false, now = 0, uid = 0): { directory: ModelDirectory; name: string } {
    const names = path.slice(1).split('/')
    const name = names.pop()!
    if (name === '') throw new Refused('invalid')
    let directory = this.root
    for (const part of names) {
      let next = directory.names.get(part)
      if (next === undefined && makes) {
        next = { kind: 'directory', mode: 0o755, uid, mtime: now, ctime: now, xattrs: new Map(), names: new Map() }
        directory.names.set(part, next)
        touch(directory, now)
      }
      if (next === undefined) throw new Refused('not-found')
      if (next.kind !== 'directory') throw new Refused('invalid')
      directory = next
    }
    return { directory, name }
  }
}

function touch(directory: ModelDirectory, now: number): void {
  directory.mtime = now
  directory.ctime = now
}

function drop(node: ModelNode | undefined, now: number): void {
  if (node === undefined) return
  if (node.kind === 'directory') {
    for (const child of node.names.values()) drop(child, now)
    return
  }
  node.linkCount -= 1
  if (node.linkCount > 0) node.ctime = now
}

function holds(node: ModelDirectory, inner: ModelDirectory): boolean {
  if (node === inner) return true
  return [...node.names.values()].some((child) => child.kind === 'directory' && holds(child, inner))
}

function countsOf(directory: ModelDirectory): string {
  const directoryCount = [...directory.names.values()].filter((node) => node.kind === 'directory').length
  return `entries=${directory.names.size} directories=${directoryCount}`
}

/** Names and attributes here are ASCII. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
