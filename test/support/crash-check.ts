/** Compares a folder with what the steps of a crash test made of it, and takes up what became of the step during which the daemon died. */
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesOfWrite, CrashModel, type CrashNode, type CrashStep, writeInto } from './crash-model.ts'

export interface WorkerLog {
  readonly done: readonly CrashStep[]
  /** Begun, and not known to be done. */
  readonly underWay: CrashStep | undefined
  readonly failure: string | undefined
}

export function parseLog(text: string): WorkerLog {
  const done: CrashStep[] = []
  let underWay: CrashStep | undefined
  let failure: string | undefined
  // Without its end of line a line is not whole.
  for (const line of text.split('\n').slice(0, -1)) {
    const value = JSON.parse(line) as CrashStep | 'done' | { failed: string }
    if (value === 'done') {
      if (underWay !== undefined) done.push(underWay)
      underWay = undefined
    } else if ('failed' in value) failure = value.failed
    else underWay = value
  }
  return { done, underWay, failure }
}

/** What is in the folder and not in the model, or otherwise; at most a dozen sentences. `isMaybe`: this write may be there, in any of its bytes. */
export async function differences(model: CrashModel, folder: string, maybe?: CrashStep): Promise<string[]> {
  const found: string[] = []
  const seen = new Set<string>([''])
  const torn = maybe?.do === 'write' ? { node: model.handles.get(maybe.handle), step: maybe } : undefined
  const walk = async (directory: string): Promise<void> => {
    for (const name of await readdir(join(folder, directory))) {
      const path = directory === '' ? name : `${directory}/${name}`
      seen.add(path)
      const node = model.nodes.get(path)
      if (node === undefined) found.push(`${path} should not be there`)
      else found.push(...(await faultsOf(node, join(folder, path), path, torn !== undefined && torn.node === node ? torn.step : undefined)))
      if (node?.kind === 'directory') await walk(path)
    }
  }
  await walk('')
  for (const path of model.nodes.keys()) if (!seen.has(path)) found.push(`${path} is missing`)
  return found.slice(0, 12)
}

async function faultsOf(node: CrashNode, path: string, label: string, maybe: (CrashStep & { do: 'write' }) | undefined): Promise<string[]> {
  const stat = await lstat(path)
  const kind = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file'
  if (kind !== node.kind) return [`${label} is a ${kind}, not a ${node.kind}`]
  const faults: string[] = []
  if (kind !== 'symlink' && (stat.mode & 0o7777) !== node.mode) faults.push(`${label} has mode ${(stat.mode & 0o7777).toString(8)}, not ${node.mode.toString(8)}`)
  if (kind === 'symlink' && (await readlink(path)) !== node.target) faults.push(`${label} leads elsewhere`)
  if (kind !== 'file') return faults
  if (stat.nlink !== node.linkCount) faults.push(`${label} has ${stat.nlink} links, not ${node.linkCount}`)
  const mtimeSeconds = Math.floor(stat.mtimeMs / 1000)
  if (node.mtimeSeconds !== undefined && maybe === undefined && mtimeSeconds !== node.mtimeSeconds) faults.push(`${label} is of ${mtimeSeconds}, not of ${node.mtimeSeconds}`)
  const bytes = await contentOf(path)
  if (bytes.length !== stat.size) faults.push(`${label} says that it has ${stat.size} bytes, and has ${bytes.length}`)
  const difference = differenceOf(bytes, node, maybe)
  return difference === undefined ? faults : [...faults, `${label} ${difference}`]
}

/** Undefined: they are the same, but for the bytes of `maybe`, each of which may be the new one or the old one. */
function differenceOf(bytes: Uint8Array, node: CrashNode, maybe: (CrashStep & { do: 'write' }) | undefined): string | undefined {
  const after: CrashNode = { ...node, bytes: node.bytes.slice() }
  if (maybe !== undefined) writeInto(after, maybe.offset, bytesOfWrite(maybe.seed, maybe.length))
  if (bytes.length < node.size || bytes.length > after.size) return `has ${bytes.length} bytes, not ${node.size}`
  for (let index = 0; index < bytes.length; index += 1) {
    const before = index < node.size ? node.bytes[index] : 0
    if (bytes[index] === before || bytes[index] === after.bytes[index]) continue
    const wrong = bytes.findIndex((byte, at) => at > index && byte === (at < node.size ? node.bytes[at] : 0))
    return `differs from byte ${index} of ${node.size} on, to ${wrong < 0 ? 'the end' : wrong}: ${bytes[index]}, not ${before}`
  }
  return undefined
}

async function contentOf(path: string): Promise<Uint8Array> {
  const file = await open(path)
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/**
 * The steps that the folder shows: those that were done, with or without the one under way. Throws when it shows neither. A write that may be there in part
 * is done to its end here.
 */
export async function settle(history: readonly CrashStep[], log: WorkerLog, folder: string): Promise<CrashStep[]> {
  const model = new CrashModel()
  for (const step of [...history, ...log.done]) model.apply(step)
  const { underWay } = log
  const withoutIt = await differences(model, folder, underWay)
  if (withoutIt.length === 0) return [...history, ...log.done, ...(await finish(model, underWay, folder)), { do: 'restart' }]
  if (underWay !== undefined && underWay.do !== 'write') {
    const next = model.clone()
    next.apply(underWay)
    if ((await differences(next, folder)).length === 0) return [...history, ...log.done, underWay, { do: 'restart' }]
  }
  throw new Error(`After ${log.done.length} steps, in ${JSON.stringify(underWay)} (${log.failure ?? 'no failure'}):\n${withoutIt.join('\n')}`)
}

async function finish(model: CrashModel, underWay: CrashStep | undefined, folder: string): Promise<CrashStep[]> {
  if (underWay?.do !== 'write') return []
  const node = model.handles.get(underWay.handle)
  const [path] = [...model.nodes].find(([, each]) => each === node) ?? []
  if (path === undefined) return []
  const file = await open(join(folder, path), 'r+')
  try {
    await file.write(bytesOfWrite(underWay.seed, underWay.length), 0, underWay.length, underWay.offset)
  } finally {
    await file.close()
  }
  return [underWay]
}
