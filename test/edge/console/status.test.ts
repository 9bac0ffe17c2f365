/** What the status page makes of counters: rates, ratios, scales and a summary, also of mounts of another version. */
import { describe, expect, it } from 'vitest'
import { formatValue, scaleOf } from '../../../edge/console/status/chart.ts'
import { type Sample, chartsOf, readSample, summaryOf } from '../../../edge/console/status/samples.ts'

const status = (read: number, hits: number, misses: number, uploaded = 0): unknown => ({
  fileSystem: { reads: { memory: { count: 0, bytes: 0 }, disk: { count: hits, bytes: read }, fetched: { count: misses, bytes: 0 } } },
  fetch: { tiers: [{ name: 'store', bytes: read * 2 }] },
  publishing: { uploadedBytes: uploaded, dirtyBytes: 7, dirtyFileCount: 2, changeCount: 3 },
})
const valuesOf = (samples: readonly Sample[], id: string, name: string): readonly (number | undefined)[] => chartsOf(samples).find((chart) => chart.id === id)?.series.find((series) => series.name === name)?.values ?? []

describe('charts', () => {
  it('are rates of counters, and no rate where a counter began anew', () => {
    const samples = [readSample(status(0, 0, 0), 0), readSample(status(1000, 9, 1), 1000), readSample(status(3000, 9, 1), 3000), readSample(status(10, 0, 0), 4000)]
    expect(valuesOf(samples, 'throughput', 'disk')).toEqual([undefined, 1000, 1000, undefined])
    expect(valuesOf(samples, 'throughput', 'store')).toEqual([undefined, 2000, 2000, undefined])
    expect(valuesOf(samples, 'hits', 'hit ratio')).toEqual([undefined, 90, 90, undefined])
    expect([valuesOf(samples, 'dirty', 'dirty bytes').at(-1), valuesOf(samples, 'queue', 'files').at(-1)]).toEqual([7, 2])
    expect(summaryOf({ name: 'x', values: [undefined, 1, 3] })).toEqual({ last: 3, least: 1, most: 3, mean: 2 })
  })

  it.each([[undefined], [null], [{}], [{ fetch: { tiers: 'none' }, fileSystem: { reads: 7 } }], [{ error: { message: 'Cannot ask' } }]])('of %j are empty, and not wrong', (strange) => {
    const samples = [readSample(strange, 0), readSample(strange, 1000)]
    expect(chartsOf(samples).map(({ id }) => id)).toEqual(['throughput', 'hits', 'dirty', 'upload', 'queue'])
    expect(valuesOf(samples, 'throughput', 'memory')).toEqual([undefined, 0])
  })

  it('have round scales and numbers that people read', () => {
    expect([scaleOf(0, 'bytes'), scaleOf(1500, 'bytes'), scaleOf(11, 'count'), scaleOf(3, 'percent')]).toEqual([1024, 2048, 100, 100])
    expect([formatValue(undefined, 'bytes'), formatValue(2048, 'bytes-per-second'), formatValue(99.5, 'percent'), formatValue(1234, 'count')]).toEqual(['–', '2.0 KiB/s', '99.5 %', '1,234'])
  })
})
