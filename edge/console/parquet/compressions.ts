/**
 * The compressions of Parquet that hyparquet itself does not have. Loaded by `file.ts` for files that use one. Each fills as many bytes as the page's header says, which
 * `pages.ts` has looked at, and takes no more memory.
 */
import { decompress as decompressZstd } from 'fzstd'
import type { Compressors } from 'hyparquet'
// Not from the package's index: that starts WebAssembly, which the console's policy does not allow.
import { decompressBrotli } from 'hyparquet-compressors/src/brotli.js'
import { gunzip } from 'hyparquet-compressors/src/gzip.js'
import { decompressLz4, decompressLz4Raw } from 'hyparquet-compressors/src/lz4.js'

export const compressors: Compressors = {
  GZIP: (input, length) => gunzip(input, new Uint8Array(length)),
  BROTLI: decompressBrotli,
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
}
