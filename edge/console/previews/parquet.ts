/** The columns of a Parquet file and its first rows. Its code is loaded when somebody opens one; of the file only the footer and what the rows need are read. */
import { EdgemountError } from '../../../shared/error.ts'
import type { Preview } from '../preview.ts'

export const parquetPreview: Preview = {
  isFor: (type) => type === 'application/vnd.apache.parquet',
  show: async (host, context) => {
    const { showParquet } = await import('../parquet-view.ts').catch((error: unknown) => {
      throw new EdgemountError('stale', 'Cannot load the part of the console that shows Parquet: the edge is away, or has another console now; load the page again', { cause: error })
    })
    await showParquet(host, context)
  },
}
