/**
 * A daemon for tests of the driver: mounts the tree of `fuse-tree.ts` and serves it on a worker thread. Its own process, so that tests can
 * kill it, and so that a broken driver hangs a child and not the tests. Lines on standard input are commands for the worker; it answers
 * with lines of JSON.
 */
import { createInterface } from 'node:readline'
import { MessageChannel, Worker } from 'node:worker_threads'
import { silentLogger } from '../../shared/log.ts'
import { mountRoot, mountUser } from '../../shim/fuse/mount.ts'
import { unmount, endMountNow } from '../../shim/fuse/unmount.ts'
import { NotifyThread } from '../../shim/fuse/notify-thread.ts'
import { startWatchdog } from '../../shim/fuse/watchdog.ts'
import { createPipe, wake } from '../../shim/sys/pipe.ts'
import type { WritableDaemonOptions } from './writable-daemon-worker.ts'

export interface DaemonOptions {
  readonly directory: string
  readonly backingPath: string
  readonly asUser?: boolean
  readonly hasWatchdog?: boolean
  readonly spinUs?: number
  /** Served by `native-daemon.ts` instead. */
  readonly isNative?: boolean
  /** Serves an empty, writable file system instead of the tree. */
  readonly writable?: WritableDaemonOptions
}

const options: DaemonOptions = JSON.parse(process.argv[2]!)
const report = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

try {
  const mountOptions = { directory: options.directory, source: 'test, driver', isReadOnly: options.writable === undefined, allowOther: false }
  const mount = await (options.asUser === true ? mountUser(mountOptions) : mountRoot(mountOptions))
  const watchdog = options.hasWatchdog === true ? startWatchdog(mount) : undefined
  const notify = new NotifyThread(mount, silentLogger)
  const control = createPipe({ isNonBlocking: true })
  const { port1, port2 } = new MessageChannel()
  const { backingPath, spinUs = 20, writable } = options
  const module = writable === undefined ? './fuse-daemon-worker.ts' : './writable-daemon-worker.ts'
  const worker = new Worker(new URL(module, import.meta.url), {
    workerData: { mount, notifying: notify.link, controlFd: control.readFd, port: port2, backingPath, spinUs, writable },
    transferList: [port2],
  })
  port1.on('message', (message: object) => report(message))
  worker.on('error', (error) => report({ event: 'worker-error', message: error.message }))
  worker.on('exit', (code) => {
    if (code !== 0) endMountNow(mount)
    watchdog?.stop()
    report({ event: 'end', code })
    process.exit(code)
  })
  createInterface({ input: process.stdin }).on('line', (line) => {
    port1.postMessage(JSON.parse(line))
    wake(control.writeFd)
  })
  const leave = async (): Promise<void> => {
    const result = await unmount(mount.mountPoint, { isLazy: false })
    if (result === 'busy') await unmount(mount.mountPoint, { isLazy: true })
  }
  process.on('SIGTERM', () => void leave())
  report({ event: 'mounted', deviceMinor: mount.deviceMinor, mountId: mount.mountId, pid: process.pid, watchdogPid: watchdog?.pid })
} catch (error) {
  report({ event: 'failed', message: error instanceof Error ? error.message : String(error) })
  process.exit(1)
}
