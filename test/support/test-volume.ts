/** Volumes over a store in memory, and stores that count or check, for tests of the engine. */
import { expect } from 'vitest'
import { aroundCalls } from '../../edge/store/around.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import type { ChunkingParameters } from '../../shared/chunker.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Entry } from '../../shared/format/entry.ts'
import type { HashFunction } from '../../shared/hash.ts'
import type { ObjectStore } from '../../shared/store.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { type Engine, Volume } from '../../shared/volume/volume.ts'
import { hashOf } from './hash-of.ts'
import { SeededRandom } from './seeded-random.ts'

export const nodeHash: HashFunction = (bytes) => Promise.resolve(hashOf(bytes))

/** Small chunks, so that small bodies have many. */
export const smallChunks: ChunkingParameters = { kind: 'content', minBytes: 1024, averageBytes: 4096, maxBytes: 16_384 }

export function engineOf(store: ObjectStore, options: Partial<Engine> & { readonly seed?: number } = {}): Engine {
  const { seed = 1, ...given } = options
  return { store, clock: systemClock, random: new SeededRandom(seed), hash: nodeHash, ...given }
}

export async function newVolume(options: Partial<Engine> & { readonly seed?: number; readonly chunking?: ChunkingParameters } = {}): Promise<Volume> {
  const { chunking = smallChunks, store = new MemoryStore(), ...engine } = options
  return Volume.create(engineOf(store, engine), { name: 'test', chunking })
}

export async function bytesOf(snapshot: Snapshot, file: string | Entry, range?: { start: number; end: number }): Promise<Uint8Array> {
  const entry = typeof file === 'string' ? await snapshot.resolve(file) : file
  const pieces: Uint8Array[] = []
  for await (const piece of snapshot.read(entry, range, { label: typeof file === 'string' ? file : undefined })) pieces.push(piece)
  return new Uint8Array(Buffer.concat(pieces))
}

export async function textOf(snapshot: Snapshot, path: string): Promise<string> {
  return new TextDecoder().decode(await bytesOf(snapshot, path))
}

/** Every path with what stands there, as text: for comparing whole trees. */
export async function linesOf(snapshot: Snapshot): Promise<string[]> {
  const lines: string[] = []
  for await (const { path, entry } of snapshot.walk()) {
    const bytes = entry.kind === 'file' ? await bytesOf(snapshot, path) : new Uint8Array(0)
    const body = entry.content.kind === 'target' ? entry.content.target : bytes.length > 40 ? `${bytes.length} bytes` : new TextDecoder().decode(bytes)
    lines.push(`${path} ${entry.kind} ${body}`.trim())
  }
  return lines
}

/** Pieces of deterministic content that does not compress to itself. */
export function randomBytes(seed: number, length: number): Uint8Array {
  return new SeededRandom(seed).bytes(length)
}

/** A body in pieces of an odd size. */
export function* inPieces(bytes: Uint8Array, pieceBytes = 10_007): Iterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += pieceBytes) yield bytes.subarray(start, start + pieceBytes)
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** A store that notes every call, for counting requests. Reading of bodies is not a request. */
export function notingStore(store: ObjectStore = new MemoryStore()): { readonly store: ObjectStore; readonly calls: string[] } {
  const calls: string[] = []
  const noting = aroundCalls(store, (call, run) => {
    if (call.operation !== 'body') calls.push(`${call.operation} ${call.key}`)
    return run(call.signal)
  })
  return { store: noting, calls }
}

/** The calls that write, by the first part of their keys; the head hint, which is best effort, left out. */
export function writesOf(calls: readonly string[]): string[] {
  const writes = calls.filter((call) => !call.startsWith('get ') && !call.startsWith('list ') && call !== 'put head')
  return writes.map((call) => call.replace(/\/.*/, ''))
}

/** As `toEqual`, without looking at millions of numbers one by one. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return
  const at = expected.findIndex((byte, index) => actual[index] !== byte)
  expect.fail(`${actual.length} bytes are not the ${expected.length} expected; they differ first at ${at < 0 ? expected.length : at}`)
}
