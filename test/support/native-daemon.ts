/**
 * The daemon of `fuse-daemon.ts` with the portable driver: it mounts and serves on its main thread.
 */
import { createInterface } from 'node:readline'
import { mountNative } from '../../shim/fuse/native-driver.ts'
import type { DaemonOptions } from './fuse-daemon.ts'
import { buildTree } from './fuse-tree.ts'
import { WritableMemoryHandler } from './writable-memory-handler.ts'

const options: DaemonOptions = JSON.parse(process.argv[2]!)
const report = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

try {
  const handler = options.writable === undefined ? buildTree(options.backingPath) : new WritableMemoryHandler(options.writable)
  const mountOptions = { directory: options.directory, source: 'test, driver', isReadOnly: options.writable === undefined, allowOther: false }
  const mount = await mountNative(mountOptions, handler)
  createInterface({ input: process.stdin }).on('line', () => report({ answer: 'outstanding', ...handler.outstanding }))
  process.on('SIGTERM', () => void mount.unmount({ isLazy: false }))
  report({ event: 'mounted' })
  await mount.ended
  report({ event: 'end', isStopped: handler.isStopped })
  process.exit(0)
} catch (error) {
  report({ event: 'failed', message: error instanceof Error ? error.message : String(error) })
  process.exit(1)
}
