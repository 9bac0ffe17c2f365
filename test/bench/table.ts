/**
 * Rows of the benchmark and how they are printed: medians of several rounds, beside what the same machine does natively in the same run.
 */

export interface Row {
  readonly name: string
  readonly unit: string
  /** One figure a round. */
  readonly values: readonly number[]
  /** The same work done natively (or by the tool that the name says), interleaved with ours. */
  readonly baseline?: { readonly name: string; readonly values: readonly number[] }
  /** For times and sizes less is better; then the ratio is baseline / ours. */
  readonly isLessBetter?: boolean
  /** What the project means to reach, in words. */
  readonly goal?: string
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '–'
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function spread(values: readonly number[]): string {
  return values.length < 2 ? '' : ` (${figure(Math.min(...values))}–${figure(Math.max(...values))})`
}

/** One line of a Markdown table. */
export function formatRow(row: Row): string {
  const ours = median(row.values)
  const theirs = row.baseline === undefined ? Number.NaN : median(row.baseline.values)
  const ratio = row.isLessBetter === true ? theirs / ours : ours / theirs
  const baseline = row.baseline === undefined ? '' : `${figure(theirs)}${spread(row.baseline.values)} ${row.baseline.name}`
  return `| ${row.name} | ${figure(ours)}${spread(row.values)} ${row.unit} | ${baseline} | ${Number.isNaN(ratio) ? '' : ratio.toFixed(2)} | ${row.goal ?? ''} |`
}

export function printHeader(): void {
  console.log('| what | edgemount: median (min–max) | beside it, same run | ratio (more is better) | to reach |')
  console.log('|---|---|---|---|---|')
}
