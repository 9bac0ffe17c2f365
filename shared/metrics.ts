/**
 * Counters, gauges and histograms, and their Prometheus text (exposition format 0.0.4).
 *
 * A `Metrics` registry is injected; asking twice for a name gives the same metric, so that decorators can be stacked. A hot path keeps the
 * series that `with(labels)` gives and adds to it without any lookup.
 */
import { EdgemountError } from './error.ts'

export type Labels = Readonly<Record<string, string>>

/** More label combinations than this fall together into one series, so that a label can never eat the memory. */
const seriesCountMax = 1000
const overflowLabels: Labels = { overflow: 'true' }

/** One number of a counter or gauge. */
export interface Series {
  add(amount?: number): void
  set(value: number): void
  readonly value: number
}

export interface HistogramSeries {
  observe(value: number): void
  readonly count: number
  readonly sum: number
}

export interface Counter {
  add(amount?: number, labels?: Labels): void
  with(labels: Labels): Pick<Series, 'add' | 'value'>
  value(labels?: Labels): number
}

export interface Gauge {
  add(amount?: number, labels?: Labels): void
  set(value: number, labels?: Labels): void
  with(labels: Labels): Series
  value(labels?: Labels): number
}

export interface Histogram {
  observe(value: number, labels?: Labels): void
  with(labels: Labels): HistogramSeries
}

/** Bounds for durations in seconds, 0.1 ms to 30 s. */
export const secondsBounds: readonly number[] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30]

interface Metric {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  lines(name: string): string[]
}

export class Metrics {
  readonly #metrics = new Map<string, Metric>()

  counter(name: string, help: string): Counter {
    return this.#register(name, new NumberMetric('counter', help), isNumberMetric)
  }

  gauge(name: string, help: string): Gauge {
    return this.#register(name, new NumberMetric('gauge', help), isNumberMetric)
  }

  /** `bounds` are the upper ends of the buckets, ascending; +Inf is added. */
  histogram(name: string, help: string, bounds: readonly number[] = secondsBounds): Histogram {
    return this.#register(name, new HistogramMetric(help, bounds), isHistogramMetric)
  }

  /** The whole registry as Prometheus text, in order of registration. */
  text(): string {
    let text = ''
    for (const [name, metric] of this.#metrics) {
      text += `# HELP ${name} ${escapeText(metric.help)}\n# TYPE ${name} ${metric.kind}\n`
      for (const line of metric.lines(name)) text += `${line}\n`
    }
    return text
  }

  #register<M extends Metric>(name: string, fresh: M, isSameKind: (metric: Metric) => metric is M): M {
    const known = this.#metrics.get(name)
    if (known === undefined) {
      if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new EdgemountError('internal', `Cannot register "${name}": not a metric name`)
      this.#metrics.set(name, fresh)
      return fresh
    }
    if (known.kind === fresh.kind && isSameKind(known)) return known
    throw new EdgemountError('internal', `Cannot register the ${fresh.kind} "${name}": it is a ${known.kind} already`)
  }
}

/** The series of one metric, by their rendered labels. */
class SeriesMap<S> {
  readonly #series = new Map<string, S>()
  readonly #make: () => S

  constructor(make: () => S) {
    this.#make = make
  }

  at(labels: Labels | undefined): S {
    const key = labels === undefined ? '' : renderLabels(labels)
    const known = this.#series.get(key)
    if (known !== undefined) return known
    if (this.#series.size >= seriesCountMax && labels !== overflowLabels) return this.at(overflowLabels)
    const series = this.#make()
    this.#series.set(key, series)
    return series
  }

  entries(): Iterable<[string, S]> {
    return this.#series
  }
}

class NumberSeries implements Series {
  value = 0

  add(amount = 1): void {
    this.value += amount
  }

  set(value: number): void {
    this.value = value
  }
}

class NumberMetric implements Counter, Gauge, Metric {
  readonly kind: 'counter' | 'gauge'
  readonly help: string
  readonly #series = new SeriesMap(() => new NumberSeries())

  constructor(kind: 'counter' | 'gauge', help: string) {
    this.kind = kind
    this.help = help
  }

  add(amount = 1, labels?: Labels): void {
    this.#series.at(labels).add(amount)
  }

  set(value: number, labels?: Labels): void {
    this.#series.at(labels).set(value)
  }

  with(labels: Labels): Series {
    return this.#series.at(labels)
  }

  value(labels?: Labels): number {
    return this.#series.at(labels).value
  }

  lines(name: string): string[] {
    return Array.from(this.#series.entries(), ([labels, series]) => `${name}${braced(labels)} ${renderNumber(series.value)}`)
  }
}

class BucketSeries implements HistogramSeries {
  readonly counts: number[]
  readonly #bounds: readonly number[]
  count = 0
  sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = Array.from(bounds, () => 0)
  }

  observe(value: number): void {
    this.count += 1
    this.sum += value
    const bucket = this.#bounds.findIndex((bound) => value <= bound)
    if (bucket >= 0) this.counts[bucket]! += 1
  }
}

class HistogramMetric implements Histogram, Metric {
  readonly kind = 'histogram'
  readonly help: string
  readonly #bounds: readonly number[]
  readonly #series: SeriesMap<BucketSeries>

  constructor(help: string, bounds: readonly number[]) {
    this.help = help
    this.#bounds = bounds
    this.#series = new SeriesMap(() => new BucketSeries(bounds))
  }

  observe(value: number, labels?: Labels): void {
    this.#series.at(labels).observe(value)
  }

  with(labels: Labels): HistogramSeries {
    return this.#series.at(labels)
  }

  /** Buckets are cumulative in the text, each counts all values up to its bound. */
  lines(name: string): string[] {
    const lines: string[] = []
    for (const [labels, series] of this.#series.entries()) {
      const before = labels === '' ? '' : `${labels},`
      let cumulative = 0
      this.#bounds.forEach((bound, index) => {
        cumulative += series.counts[index]!
        lines.push(`${name}_bucket{${before}le="${renderNumber(bound)}"} ${cumulative}`)
      })
      lines.push(`${name}_bucket{${before}le="+Inf"} ${series.count}`)
      lines.push(`${name}_sum${braced(labels)} ${renderNumber(series.sum)}`, `${name}_count${braced(labels)} ${series.count}`)
    }
    return lines
  }
}

function isNumberMetric(metric: Metric): metric is NumberMetric {
  return metric instanceof NumberMetric
}

function isHistogramMetric(metric: Metric): metric is HistogramMetric {
  return metric instanceof HistogramMetric
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}

function renderLabels(labels: Labels): string {
  const names = Object.keys(labels).toSorted()
  return names.map((name) => `${name}="${escapeText(labels[name]!).replaceAll('"', '\\"')}"`).join(',')
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function renderNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
