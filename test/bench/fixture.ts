/**
 * What the benchmark reads: a 1 GiB file of random bytes and a tree of 30,000 small files with the sizes of source code.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { createHash, randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import type { Bed } from './bed.ts'

export interface Fixture {
  readonly bigDirectory: string
  readonly bigFile: string
  readonly bigBytes: number
  readonly tree: string
  readonly treeFileCount: number
}

const mebibyte = 1 << 20

export function makeFixture(bed: Bed, bigBytes: number): Fixture {
  const bigDirectory = bed.path('big')
  const bigFile = join(bigDirectory, 'big.bin')
  mkdirSync(bigDirectory)
  const fd = openSync(bigFile, 'w')
  const buffer = new Uint8Array(8 * mebibyte)
  for (let written = 0; written < bigBytes; written += buffer.length) writeSync(fd, randomFillSync(buffer))
  closeSync(fd)
  const tree = bed.path('tree')
  const treeFileCount = makeTree(tree, 3000, 10)
  return { bigDirectory, bigFile, bigBytes, tree, treeFileCount }
}

/** Sizes follow a log-normal distribution with a median of 2.5 KiB, like a node_modules folder; the bytes are text-like. */
function makeTree(root: string, directoryCount: number, filesEach: number): number {
  for (let directoryIndex = 0; directoryIndex < directoryCount; directoryIndex += 1) {
    const directory = join(root, `package-${directoryIndex % 300}`, `part-${Math.floor(directoryIndex / 300)}`)
    mkdirSync(directory, { recursive: true })
    for (let fileIndex = 0; fileIndex < filesEach; fileIndex += 1) {
      const seed = createHash('sha256').update(`${directoryIndex}/${fileIndex}`).digest()
      const normal = (seed.readUInt32LE(0) + seed.readUInt32LE(4) + seed.readUInt32LE(8) + seed.readUInt32LE(12)) / 2 ** 32 - 2
      const size = Math.min(2 * mebibyte, Math.ceil(2560 * Math.exp(2.4 * normal)))
      const line = `${seed.toString('hex')}\n`
      writeFileSync(join(directory, `module-${fileIndex}.js`), line.repeat(Math.ceil(size / line.length)).slice(0, size))
    }
  }
  return directoryCount * filesEach
}
