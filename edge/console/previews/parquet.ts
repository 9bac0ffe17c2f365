/** The columns of a Parquet file and its first rows. Its code is loaded when somebody opens one; of the file only the footer and what the rows need are read. */
import type { Preview } from '../preview.ts'

export const parquetPreview: Preview = {
  isFor: (type) => type === 'application/vnd.apache.parquet',
  show: async (host, context) => {
    const { showParquet } = await import('../parquet-view.ts')
    await showParquet(host, context)
  },
}
