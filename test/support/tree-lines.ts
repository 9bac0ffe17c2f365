/** All that a file system shows of its tree, as text: for comparing two of them, or one with itself later. */
import { toHex } from '../../shared/bytes.ts'
import { type Attributes, Deferred, type Handler } from '../../shim/fuse/handler.ts'
import type { FakeSys } from './fake-sys.ts'
import { ListSink, answered, caller } from './handler-bed.ts'
import { hashOf } from './hash-of.ts'

const rootNode = 1

/** Every path with its attributes, content and xattrs. `sys`: the disk of answers that are ranges of files. Node ids are given back. */
export async function treeLines(handler: Handler, sys: FakeSys): Promise<string[]> {
  const lines: string[] = []
  await addDirectory(handler, sys, rootNode, '', lines)
  return lines
}

export async function childNames(handler: Handler, node: number): Promise<string[]> {
  const opened = await answered(handler.opendir(node, caller))
  if (typeof opened === 'number') throw new Error(`opendir ${node}: ${opened}`)
  const names: string[] = []
  for (let offset = 0; ; ) {
    const sink = new ListSink(false, 64)
    const answer = handler.readdir(node, opened.handle, offset, sink)
    const outcome = await answered(answer)
    if (typeof outcome === 'number') throw new Error(`readdir ${node}: ${outcome}`)
    // Drivers ask again, with a fresh sink.
    if (answer instanceof Deferred) continue
    const last = sink.entries.at(-1)
    if (last === undefined) break
    names.push(...sink.entries.map(({ name }) => name))
    offset = last.offset
  }
  handler.releasedir(node, opened.handle)
  return names.filter((name) => name !== '.' && name !== '..')
}

async function addDirectory(handler: Handler, sys: FakeSys, node: number, path: string, lines: string[]): Promise<void> {
  lines.push(await lineOf(handler, sys, node, path))
  for (const name of await childNames(handler, node)) {
    const reply = await answered(handler.lookup(node, name, caller))
    if (typeof reply === 'number' || reply.nodeId === 0) throw new Error(`"${path}/${name}" is listed and not found: ${JSON.stringify(reply)}`)
    const { nodeId, attributes } = reply
    if (isOfType(attributes, 0o040000)) await addDirectory(handler, sys, nodeId, `${path}/${name}`, lines)
    else lines.push(await lineOf(handler, sys, nodeId, `${path}/${name}`))
    handler.forget(nodeId, 1)
  }
}

async function lineOf(handler: Handler, sys: FakeSys, node: number, path: string): Promise<string> {
  const reply = await answered(handler.getattr(node, undefined))
  if (typeof reply === 'number') throw new Error(`getattr "${path}": ${reply}`)
  const { attributes } = reply
  const { mode, uid, gid, linkCount, size, mtimeSeconds, mtimeNanoseconds, ctimeSeconds, ctimeNanoseconds, atimeSeconds, rdev } = attributes
  const times = `m ${mtimeSeconds}.${mtimeNanoseconds} c ${ctimeSeconds}.${ctimeNanoseconds} a ${atimeSeconds}`
  const isFile = isOfType(attributes, 0o100000)
  const rest = isFile ? await contentOf(handler, sys, node, size) : isOfType(attributes, 0o120000) ? String(await answered(handler.readlink(node))) : ''
  return `${path || '/'} ${mode.toString(8)} ${uid}:${gid} links ${linkCount} size ${isFile ? size : 0} dev ${rdev} ${times} ${rest} ${await xattrsOf(handler, node)}`
}

async function contentOf(handler: Handler, sys: FakeSys, node: number, size: number): Promise<string> {
  const opened = await answered(handler.open(node, 0, caller))
  if (typeof opened === 'number') return `open: ${opened}`
  const bytes = new Uint8Array(size)
  let at = 0
  while (at < size) {
    const reply = await answered(handler.read(node, opened.handle, at, size - at))
    if (typeof reply === 'number') return `read: ${reply}`
    if (reply.kind === 'bytes') {
      if (reply.bytes.length === 0) break
      bytes.set(reply.bytes, at)
      at += reply.bytes.length
    } else {
      const count = sys.pread(reply.fd, bytes.subarray(at, at + reply.length), reply.offset)
      if (count <= 0) break
      at += count
    }
  }
  handler.release(node, opened.handle)
  return at === size ? hashOf(bytes).slice(0, 12) : `${at} of ${size} bytes`
}

async function xattrsOf(handler: Handler, node: number): Promise<string> {
  const names = await answered(handler.listxattr(node))
  if (typeof names === 'number') return `listxattr: ${names}`
  const parts: string[] = []
  for (const name of [...names].toSorted()) {
    const value = await answered(handler.getxattr(node, name))
    parts.push(`${name}=${typeof value === 'number' ? value : toHex(value)}`)
  }
  return parts.join(' ')
}

function isOfType({ mode }: Attributes, type: number): boolean {
  return (mode & 0o170000) === type
}
