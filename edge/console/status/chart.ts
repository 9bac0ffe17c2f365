/** Lines over time as a picture (SVG), with a scale, a legend that has the numbers of now, and a sentence for who does not see it. Drawn anew every second. */
import { element } from '../element.ts'
import { formatBytes } from '../format.ts'
import { type Chart, type Unit, summaryOf } from './samples.ts'

const width = 560
const height = 150
const left = 4
const bottom = 4
/** The first minute fills the width; later the lines move together until all that is kept is shown. */
const shownMin = 60
const svg = 'http://www.w3.org/2000/svg'

export function formatValue(value: number | undefined, unit: Unit): string {
  if (value === undefined) return '–'
  if (unit === 'bytes') return formatBytes(value)
  if (unit === 'bytes-per-second') return `${formatBytes(value)}/s`
  if (unit === 'percent') return `${value.toFixed(value > 99.9 || value < 0.1 ? 0 : 1)} %`
  return Math.round(value).toLocaleString('en')
}

/** A round number that is not below any value. */
export function scaleOf(most: number, unit: Unit): number {
  if (unit === 'percent') return 100
  if (most <= 0) return unit === 'count' ? 10 : 1024
  const base = unit === 'count' ? 10 : 2
  let scale = base === 10 ? 10 : 1024
  while (scale < most) scale *= base
  return scale
}

export function drawChart({ id, title, unit, series }: Chart): HTMLElement {
  const summaries = series.map(summaryOf)
  const scale = scaleOf(Math.max(0, ...summaries.map(({ most }) => most ?? 0)), unit)
  const picture = node('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', class: 'chart-picture', preserveAspectRatio: 'none', 'aria-label': `${title}: ${series.map(({ name }, index) => `${name} ${formatValue(summaries[index]?.last, unit)}`).join(', ')}` })
  for (const share of [0, 0.5, 1]) {
    const y = height - bottom - share * (height - 2 * bottom)
    picture.append(node('line', { x1: 0, x2: width, y1: y, y2: y, class: 'chart-grid' }))
  }
  for (const [index, { values }] of series.entries()) {
    for (const points of runsOf(values, scale)) picture.append(node('polyline', { points, class: `series series-${index % 6}`, 'vector-effect': 'non-scaling-stroke' }))
  }
  const legend = series.map(({ name }, index) => element('li', {}, swatch(index), element('span', {}, name), element('strong', {}, formatValue(summaries[index]?.last, unit))))
  return element(
    'figure',
    { class: 'chart', 'data-chart': id },
    element('figcaption', {}, element('h2', {}, title), element('span', { class: 'quiet' }, `to ${formatValue(scale, unit)}`)),
    picture,
    element('ul', { class: 'legend' }, ...legend),
  )
}

/** Unbroken parts, as points from the left; the newest sample is at the right edge. */
function runsOf(values: readonly (number | undefined)[], scale: number): readonly string[] {
  const runs: string[][] = []
  let isOpen = false
  for (const [index, value] of values.entries()) {
    if (value === undefined) {
      isOpen = false
      continue
    }
    if (!isOpen) runs.push([])
    isOpen = true
    const x = width - left - ((values.length - 1 - index) * (width - 2 * left)) / (Math.max(shownMin, values.length) - 1)
    const y = height - bottom - (Math.min(value, scale) / scale) * (height - 2 * bottom)
    runs.at(-1)!.push(`${x.toFixed(1)},${y.toFixed(1)}`)
  }
  // A point alone is drawn, too.
  return runs.map((points) => (points.length === 1 ? `${points[0]} ${points[0]}` : points.join(' ')))
}

function swatch(index: number): Node {
  const picture = node('svg', { viewBox: '0 0 22 10', width: 22, height: 10, 'aria-hidden': 'true' })
  picture.append(node('line', { x1: 1, x2: 21, y1: 5, y2: 5, class: `series series-${index % 6}` }))
  return picture
}

function node(name: string, attributes: Readonly<Record<string, string | number>>): Element {
  const made = document.createElementNS(svg, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  return made
}
