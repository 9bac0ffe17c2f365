/** A file-system thread that says that it is ready and then works for ever, with its mount unanswered. */
import { workerData } from 'node:worker_threads'
import type { FsThreadData } from '../../shim/daemon/fs-thread-data.ts'

const data: FsThreadData = workerData
data.port.postMessage({ kind: 'ready' }, [])
const never = new Int32Array(new SharedArrayBuffer(4))
setTimeout(() => {
  while (Atomics.load(never, 0) === 0);
}, 100)
