/** Packs pages of Parquet in each way that the console reads beside its own. */
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { CompressionCodec } from 'hyparquet'
import { concatBytes } from '../../shared/bytes.ts'

export const packers: ReadonlyMap<CompressionCodec, (bytes: Uint8Array) => Uint8Array> = new Map([
  ['GZIP', (bytes) => new Uint8Array(gzipSync(bytes))],
  ['ZSTD', (bytes) => new Uint8Array(zstdCompressSync(bytes))],
  ['BROTLI', (bytes) => new Uint8Array(brotliCompressSync(bytes))],
  ['LZ4', (bytes) => framed(lz4Block(bytes), bytes.length)],
  ['LZ4_RAW', lz4Block],
])

/** One sequence of literals alone (LZ4 block format). */
function lz4Block(bytes: Uint8Array): Uint8Array {
  const beyond = bytes.length - 15
  const lengths = beyond < 0 ? [] : [...Array<number>(Math.floor(beyond / 255)).fill(255), beyond % 255]
  return concatBytes([Uint8Array.of(Math.min(15, bytes.length) << 4, ...lengths), bytes])
}

/** Hadoop's frame: both lengths, most significant byte first. */
function framed(block: Uint8Array, length: number): Uint8Array {
  const lengths = new DataView(new ArrayBuffer(8))
  lengths.setUint32(0, length)
  lengths.setUint32(4, block.length)
  return concatBytes([new Uint8Array(lengths.buffer), block])
}
