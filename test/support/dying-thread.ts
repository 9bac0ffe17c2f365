/** A file-system thread that says that it is ready and then dies, with its mount unanswered. */
import { workerData } from 'node:worker_threads'
import type { FsThreadData } from '../../shim/daemon/fs-thread-data.ts'

const data: FsThreadData = workerData
data.port.postMessage({ kind: 'ready' }, [])
setTimeout(() => {
  throw new Error('died on purpose')
}, 300)
