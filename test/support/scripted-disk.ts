/** The real file system, recorded, with single calls that fail when a test says so. */
import path from 'node:path'
import { type Disk, nodeDisk } from '../../edge/store/directory/disk.ts'

type Call = keyof Disk

export interface ScriptedDisk {
  readonly disk: Disk
  /** Calls in order, each with the last part of its path. */
  readonly calls: string[]
  readonly count: (call: Call) => number
  /** Makes the next call of this kind fail with an errno, once, before anything is done. */
  readonly failNext: (call: Call, errno: string) => void
}

export function scriptedDisk(): ScriptedDisk {
  const calls: string[] = []
  const failures = new Map<string, string>()
  const disk = new Proxy(nodeDisk, {
    get: (target, call: string) => (...args: unknown[]) => {
      const name = args.findLast((argument) => typeof argument === 'string')
      calls.push(name === undefined ? call : `${call} ${path.basename(name)}`)
      const errno = failures.get(call)
      const run: unknown = Reflect.get(target, call)
      if (typeof run !== 'function') throw new Error(`No such call: ${call}`)
      if (errno === undefined) return Reflect.apply(run, target, args) as unknown
      failures.delete(call)
      return Promise.reject(Object.assign(new Error(`${errno}: injected`), { code: errno }))
    },
  })
  return {
    disk,
    calls,
    count: (call) => calls.filter((line) => line.split(' ', 1)[0] === call).length,
    failNext: (call, errno) => failures.set(call, errno),
  }
}
