/** A file-system thread that ends serving when it is told to, and then takes its time, as with files that a slow disk has to write. */
import { workerData } from 'node:worker_threads'
import type { FsThreadData } from '../../shim/daemon/fs-thread-data.ts'

const data: FsThreadData = workerData
data.port.postMessage({ kind: 'ready' }, [])
data.port.once('message', () => {
  data.port.postMessage({ kind: 'ended', failure: undefined }, [])
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900)
  data.port.close()
})
