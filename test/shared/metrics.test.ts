import { expect, test } from 'vitest'
import { Metrics } from '../../shared/metrics.ts'

test('Prometheus text of each kind', () => {
  const metrics = new Metrics()
  metrics.counter('reads_total', 'Reads, by tier').add(2, { tier: 'disk' })
  metrics.counter('reads_total', 'Reads, by tier').add(1, { tier: 'edge', ok: 'yes' })
  metrics.gauge('dirty_bytes', 'Not yet\npublished').set(12)
  const seconds = metrics.histogram('read_seconds', 'Time', [0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value, { tier: 'disk' })
  expect(metrics.text()).toBe(`# HELP reads_total Reads, by tier
# TYPE reads_total counter
reads_total{tier="disk"} 2
reads_total{ok="yes",tier="edge"} 1
# HELP dirty_bytes Not yet\\npublished
# TYPE dirty_bytes gauge
dirty_bytes 12
# HELP read_seconds Time
# TYPE read_seconds histogram
read_seconds_bucket{tier="disk",le="0.1"} 2
read_seconds_bucket{tier="disk",le="1"} 3
read_seconds_bucket{tier="disk",le="+Inf"} 4
read_seconds_sum{tier="disk"} 7.65
read_seconds_count{tier="disk"} 4
`)
})

test('labels are escaped, their order does not matter', () => {
  const metrics = new Metrics()
  const counter = metrics.counter('c_total', 'c')
  counter.add(1, { a: 'x"\\\n', b: '1' })
  counter.add(1, { b: '1', a: 'x"\\\n' })
  expect(metrics.text()).toContain('c_total{a="x\\"\\\\\\n",b="1"} 2\n')
})

test('a bound series is the same series', () => {
  const metrics = new Metrics()
  const gauge = metrics.gauge('g', 'g')
  const series = gauge.with({ tier: 'disk' })
  series.set(5)
  series.add(-2)
  gauge.add(1, { tier: 'disk' })
  expect(series.value).toBe(4)
  expect(gauge.value({ tier: 'disk' })).toBe(4)
})

test('a name has one kind, and is a Prometheus name', () => {
  const metrics = new Metrics()
  metrics.counter('x_total', 'x')
  expect(() => metrics.gauge('x_total', 'x')).toThrow('Cannot register the gauge "x_total": it is a counter already')
  expect(() => metrics.counter('x-total', 'x')).toThrow(/not a metric name/)
})

test('a label that takes too many values falls together', () => {
  const metrics = new Metrics()
  const counter = metrics.counter('c_total', 'c')
  for (let index = 0; index < 5000; index += 1) counter.add(1, { path: String(index) })
  expect(metrics.text().split('\n').length).toBeLessThan(1010)
  expect(counter.value({ overflow: 'true' })).toBe(4000)
})
