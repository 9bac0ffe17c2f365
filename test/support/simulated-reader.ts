/**
 * A program that reads a file over a simulated line: round trip, bandwidth, a governor that plans. Time is counted, not waited for.
 */
import { Governor } from '../../shared/fetch/governor.ts'
import { IntervalSet } from '../../shim/cache/interval-set.ts'
import { SpeculationBudget } from '../../shared/fetch/speculation-budget.ts'
import type { ByteRange } from '../../shared/range.ts'

export interface Line {
  readonly rttMs: number
  readonly bytesPerMs: number
}

export interface SimulatedRun {
  readonly elapsedMs: number
  readonly readBytes: number
  readonly fetchedBytes: number
  readonly requestCount: number
}

interface Transfer {
  readonly range: ByteRange
  readonly arrivesMs: number
}

/** One request after the other, each read waited for. `thinkMs` passes between reads. */
export function simulate(line: Line, fileSize: number, reads: Iterable<ByteRange>, thinkMs = 0.01, hasGovernor = true): SimulatedRun {
  const governor = new Governor(fileSize, new SpeculationBudget(256 * 2 ** 20))
  const present = new IntervalSet()
  const asked = new IntervalSet()
  let transfers: Transfer[] = []
  let nowMs = 0
  let lineFreeMs = 0
  let readBytes = 0
  let fetchedBytes = 0
  let requestCount = 0
  const fetch = (range: ByteRange): void => {
    for (const part of asked.missing(range.start, range.end)) {
      const length = part.end - part.start
      // The answer begins a round trip after the question, when the line is free; it arrives when it is whole.
      lineFreeMs = Math.max(lineFreeMs, nowMs + line.rttMs) + length / line.bytesPerMs
      transfers.push({ range: part, arrivesMs: lineFreeMs })
      asked.add(part.start, part.end)
      fetchedBytes += length
      requestCount += 1
    }
  }
  const receive = (): void => {
    for (const transfer of transfers) if (transfer.arrivesMs <= nowMs) present.add(transfer.range.start, transfer.range.end)
    transfers = transfers.filter((transfer) => transfer.arrivesMs > nowMs)
  }
  for (const range of reads) {
    nowMs += thinkMs
    receive()
    const isHit = present.has(range.start, range.end)
    if (!isHit) fetch(range)
    const { start, end } = range
    if (hasGovernor) for (const ahead of governor.observe({ offset: start, length: end - start, isHit, nowMs, rttMs: line.rttMs }).speculate) fetch(ahead)
    while (!present.has(start, end)) {
      nowMs = Math.min(...transfers.map((transfer) => transfer.arrivesMs))
      receive()
    }
    readBytes += end - start
  }
  return { elapsedMs: nowMs, readBytes, fetchedBytes, requestCount }
}
