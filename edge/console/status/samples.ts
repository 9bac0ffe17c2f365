/**
 * What a mount says of itself, second by second, as lines that can be drawn: rates from its counters, and how many of its reads waited for nothing. Pure. The status may be
 * that of another version: what is not there is 0.
 */
import { fieldOf } from '../../../shared/wire/messages.ts'

/** One moment of a mount: counters as they stood. */
export interface Sample {
  readonly atMs: number
  /** Bytes so far, by what gave them: memory, disk, and the tiers that were asked. */
  readonly bytes: ReadonlyMap<string, number>
  /** Reads so far that waited for nothing, and that something was fetched for. */
  readonly hitCount: number
  readonly missCount: number
  readonly uploadedBytes: number
  readonly dirtyBytes: number
  readonly dirtyFileCount: number
  readonly changeCount: number
}

export interface Series {
  readonly name: string
  /** One for each sample; undefined where nothing can be said. */
  readonly values: readonly (number | undefined)[]
}

export type Unit = 'bytes' | 'bytes-per-second' | 'percent' | 'count'

export interface Chart {
  readonly id: string
  readonly title: string
  readonly unit: Unit
  readonly series: readonly Series[]
}

/** The last minutes. */
export const samplesMax = 300
/** Seconds that a ratio is of: one alone jumps about. */
const ratioSamples = 10

export function readSample(status: unknown, atMs: number): Sample {
  const fileSystem = fieldOf(status, 'fileSystem')
  const reads = fieldOf(fileSystem, 'reads')
  const publishing = fieldOf(status, 'publishing')
  const of = (tier: string, name: string): number => numberOf(fieldOf(reads, tier), name)
  const bytes = new Map([['memory', of('memory', 'bytes')], ['disk', of('disk', 'bytes')]])
  const tiers = fieldOf(fieldOf(status, 'fetch'), 'tiers')
  for (const tier of Array.isArray(tiers) ? tiers : []) {
    const name = fieldOf(tier, 'name')
    if (typeof name === 'string') bytes.set(name, numberOf(tier, 'bytes'))
  }
  return {
    atMs,
    bytes,
    hitCount: of('memory', 'count') + of('disk', 'count'),
    missCount: of('fetched', 'count'),
    uploadedBytes: numberOf(publishing, 'uploadedBytes'),
    dirtyBytes: numberOf(publishing, 'dirtyBytes'),
    dirtyFileCount: numberOf(publishing, 'dirtyFileCount'),
    changeCount: numberOf(publishing, 'changeCount'),
  }
}

export function chartsOf(samples: readonly Sample[]): readonly Chart[] {
  const names = [...new Set(samples.flatMap(({ bytes }) => [...bytes.keys()]))]
  return [
    { id: 'throughput', title: 'Read, by tier', unit: 'bytes-per-second', series: names.map((name) => ({ name, values: rates(samples, ({ bytes }) => bytes.get(name) ?? 0) })) },
    { id: 'hits', title: 'Reads that waited for nothing', unit: 'percent', series: [{ name: 'hit ratio', values: samples.map((_, index) => ratioAt(samples, index)) }] },
    { id: 'dirty', title: 'Not published yet', unit: 'bytes', series: [{ name: 'dirty bytes', values: samples.map(({ dirtyBytes }) => dirtyBytes) }] },
    { id: 'upload', title: 'Uploaded', unit: 'bytes-per-second', series: [{ name: 'upload', values: rates(samples, ({ uploadedBytes }) => uploadedBytes) }] },
    { id: 'queue', title: 'Waiting to be published', unit: 'count', series: [{ name: 'files', values: samples.map(({ dirtyFileCount }) => dirtyFileCount) }, { name: 'changes', values: samples.map(({ changeCount }) => changeCount) }] },
  ]
}

/** A second; undefined for the first, and where a counter began anew. */
function rates(samples: readonly Sample[], of: (sample: Sample) => number): readonly (number | undefined)[] {
  return samples.map((sample, index) => {
    const before = samples[index - 1]
    if (before === undefined || sample.atMs <= before.atMs || of(sample) < of(before)) return undefined
    return ((of(sample) - of(before)) * 1000) / (sample.atMs - before.atMs)
  })
}

function ratioAt(samples: readonly Sample[], index: number): number | undefined {
  const now = samples[index]!
  const before = samples[Math.max(0, index - ratioSamples)]!
  const hits = now.hitCount - before.hitCount
  const misses = now.missCount - before.missCount
  return hits < 0 || misses < 0 || hits + misses === 0 ? undefined : (hits * 100) / (hits + misses)
}

export interface Summary {
  readonly last: number | undefined
  readonly least: number | undefined
  readonly most: number | undefined
  readonly mean: number | undefined
}

export function summaryOf({ values }: Series): Summary {
  const known = values.filter((value) => value !== undefined)
  if (known.length === 0) return { last: undefined, least: undefined, most: undefined, mean: undefined }
  return { last: values.at(-1), least: Math.min(...known), most: Math.max(...known), mean: known.reduce((sum, value) => sum + value, 0) / known.length }
}

function numberOf(value: unknown, name: string): number {
  const field = fieldOf(value, name)
  return typeof field === 'number' && Number.isFinite(field) ? field : 0
}
