/** Has the files of a directory kept for reading offline, and tells how far it is. Called by `volume.ts`. */
import type { FileKind } from '../../shared/format/entry.ts'
import type { Cache } from './cache.ts'
import type { FileReader } from './file-reader.ts'

export interface PinProgress {
  readonly files: number
  readonly totalFiles: number
  readonly bytes: number
  readonly totalBytes: number
}

interface Item {
  readonly path: string
  readonly name: string
  readonly kind: FileKind
  readonly size: number
}

export interface KeepRequest {
  /** What lists names. */
  readonly volume: {
    stat(path: string, options: { readonly signal: AbortSignal }): Promise<unknown>
    list(path: string, options: { readonly signal: AbortSignal; readonly after: string | undefined }): Promise<{ readonly items: readonly Item[]; readonly isLast: boolean }>
  }
  readonly cache: Cache
  /** What holds them in the cache. */
  readonly pin: string
  readonly open: (path: string) => Promise<FileReader>
  readonly signal: AbortSignal
  readonly onProgress: (progress: PinProgress) => void
}

/** Small files are an answer's time each, and one after the other they would take as long. */
const filesAtOnce = 4

export async function keepFiles(request: KeepRequest, top: Item): Promise<PinProgress> {
  const { cache, pin, open, signal, onProgress } = request
  const files: Item[] = []
  for await (const file of filesBelow(request, top)) files.push(file)
  const totals = { totalFiles: files.length, totalBytes: files.reduce((sum, { size }) => sum + size, 0) }
  const progress = { files: 0, bytes: 0 }
  // Whoever has not so much room can say so now.
  onProgress({ ...totals, ...progress })
  const stop = new AbortController()
  const ending = AbortSignal.any([signal, stop.signal])
  const next = files.values()
  const keepSome = async (): Promise<void> => {
    for (const file of next) {
      const reader = await open(file.path)
      await reader.keep(cache, pin, ending, (bytes) => {
        progress.bytes += bytes
        onProgress({ ...totals, ...progress })
      })
      progress.files += 1
      onProgress({ ...totals, ...progress })
    }
  }
  try {
    await Promise.all(Array.from({ length: filesAtOnce }, keepSome))
  } finally {
    stop.abort()
  }
  await cache.flush()
  return { ...totals, ...progress }
}

/** What symlinks lead to elsewhere is not in it. */
async function* filesBelow(request: KeepRequest, top: Item): AsyncGenerator<Item> {
  if (top.kind === 'file') yield top
  if (top.kind !== 'directory') return
  // Where the edge looks names up, this is another answer than its list.
  await request.volume.stat(top.path, { signal: request.signal })
  for (let after: string | undefined; ; ) {
    const { items, isLast } = await request.volume.list(top.path, { after, signal: request.signal })
    for (const item of items) yield* filesBelow(request, item)
    if (isLast) return
    after = items.at(-1)?.name
  }
}
