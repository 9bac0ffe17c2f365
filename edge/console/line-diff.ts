/**
 * What differs between two texts, line by line: the shortest way from one to the other (E. Myers, "An O(ND) Difference Algorithm", 1986), with some lines around. Pure.
 */

export interface DiffLine {
  readonly kind: 'same' | 'removed' | 'added'
  readonly text: string
  /** Counted from 1; undefined on the side that does not have it. */
  readonly before: number | undefined
  readonly after: number | undefined
}

export interface Hunk {
  readonly lines: readonly DiffLine[]
}

/** Where more lines than these differ, all between is told as replaced: nobody reads such a difference. */
const differencesMax = 3000
const around = 3

export function splitLines(text: string): readonly string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

export function diffLines(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1
  let end = 0
  while (end < before.length - start && end < after.length - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1
  const lines: DiffLine[] = []
  const same = (from: number, to: number, shift: number): void => {
    for (let index = from; index < to; index += 1) lines.push({ kind: 'same', text: before[index]!, before: index + 1, after: index + shift + 1 })
  }
  same(0, start, 0)
  const inner = shortest(before.slice(start, before.length - end), after.slice(start, after.length - end))
  for (const { before: old, after: now, ...line } of inner) lines.push({ ...line, before: old === undefined ? undefined : old + start, after: now === undefined ? undefined : now + start })
  same(before.length - end, before.length, after.length - before.length)
  return lines
}

/** The lines that differ, each with those around it; what lies between is left out. */
export function hunksOf(lines: readonly DiffLine[]): readonly Hunk[] {
  const ranges: { start: number; end: number }[] = []
  for (const [index, { kind }] of lines.entries()) {
    if (kind === 'same') continue
    const last = ranges.at(-1)
    const end = Math.min(lines.length, index + around + 1)
    if (last !== undefined && index - around <= last.end) last.end = end
    else ranges.push({ start: Math.max(0, index - around), end })
  }
  return ranges.map(({ start, end }) => ({ lines: lines.slice(start, end) }))
}

function shortest(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  const trace = forward(before, after)
  return trace === undefined ? replaced(before, after) : backward(before, after, trace)
}

function replaced(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  return [
    ...before.map((text, index): DiffLine => ({ kind: 'removed', text, before: index + 1, after: undefined })),
    ...after.map((text, index): DiffLine => ({ kind: 'added', text, before: undefined, after: index + 1 })),
  ]
}

/** For each number of differences how far every diagonal reaches, before it; undefined when there are too many. */
function forward(before: readonly string[], after: readonly string[]): readonly Int32Array[] | undefined {
  const max = Math.min(before.length + after.length, differencesMax)
  let reach = new Int32Array(2 * max + 3)
  const trace: Int32Array[] = []
  for (let count = 0; count <= max; count += 1) {
    trace.push(reach.slice(max + 1 - count - 1, max + 1 + count + 2))
    const next = reach.slice()
    for (let k = -count; k <= count; k += 2) {
      const isDown = k === -count || (k !== count && reach[max + k]! < reach[max + k + 2]!)
      let x = isDown ? reach[max + k + 2]! : reach[max + k]! + 1
      while (x < before.length && x - k < after.length && before[x] === after[x - k]) x += 1
      next[max + 1 + k] = x
      if (x >= before.length && x - k >= after.length) return trace
    }
    reach = next
  }
  return undefined
}

function backward(before: readonly string[], after: readonly string[], trace: readonly Int32Array[]): readonly DiffLine[] {
  const lines: DiffLine[] = []
  let x = before.length
  let y = after.length
  for (let count = trace.length - 1; count >= 0; count -= 1) {
    // The slice of this step begins at the diagonal -count - 1.
    const reach = (k: number): number => trace[count]![k + count + 1] ?? 0
    const k = x - y
    const isDown = k === -count || (k !== count && reach(k - 1) < reach(k + 1))
    const from = isDown ? k + 1 : k - 1
    const fromX = count === 0 ? 0 : reach(from)
    const fromY = count === 0 ? 0 : fromX - from
    while (x > fromX && y > fromY) {
      lines.push({ kind: 'same', text: before[x - 1]!, before: x, after: y })
      x -= 1
      y -= 1
    }
    if (count === 0) break
    if (isDown) lines.push({ kind: 'added', text: after[y - 1]!, before: undefined, after: y })
    else lines.push({ kind: 'removed', text: before[x - 1]!, before: x, after: undefined })
    x = fromX
    y = fromY
  }
  return lines.toReversed()
}
