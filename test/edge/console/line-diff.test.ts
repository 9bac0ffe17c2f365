/** Differences of lines: each tells how to get from one text to the other, and the shortest way is taken. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffLines, hunksOf, splitLines } from '../../../edge/console/line-diff.ts'

const shown = (before: string, after: string): readonly string[] =>
  diffLines(splitLines(before), splitLines(after)).map(({ kind, text }) => `${{ same: ' ', removed: '-', added: '+' }[kind]}${text}`)

/** The longest common subsequence, by the table that everybody knows. */
function commonCount(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, () => 0)
  for (const x of a) {
    const next = [0]
    for (const [index, y] of b.entries()) next.push(x === y ? row[index]! + 1 : Math.max(row[index + 1]!, next[index]!))
    row = next
  }
  return row.at(-1)!
}

describe('lines', () => {
  it.each([
    ['', '', []],
    ['a\n', '', ['-a']],
    ['', 'a\nb', ['+a', '+b']],
    ['a\nb\nc\n', 'a\nc\nd\n', [' a', '-b', ' c', '+d']],
    ['a\nb\n', 'b\na\n', ['-a', ' b', '+a']],
  ])('%j to %j', (before, after, lines) => {
    expect(shown(before, after)).toEqual(lines)
  })

  it('lead from one to the other, by the shortest way', () => {
    const texts = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 })
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const lines = diffLines(before, after)
        expect(lines.filter(({ kind }) => kind !== 'added').map(({ text }) => text)).toEqual(before)
        expect(lines.filter(({ kind }) => kind !== 'removed').map(({ text }) => text)).toEqual(after)
        expect(lines.filter(({ kind }) => kind === 'same').length).toBe(commonCount(before, after))
        for (const line of lines) {
          if (line.before !== undefined) expect(before[line.before - 1]).toBe(line.text)
          if (line.after !== undefined) expect(after[line.after - 1]).toBe(line.text)
        }
        const told = hunksOf(lines).flatMap((hunk) => hunk.lines)
        expect(new Set(told).size).toBe(told.length)
        expect(told.filter(({ kind }) => kind !== 'same')).toEqual(lines.filter(({ kind }) => kind !== 'same'))
      }),
    )
  })

  it('too many are told as replaced; far ones are apart', () => {
    const many = Array.from({ length: 4000 }, (_, index) => `a${index}`)
    const lines = diffLines(many, many.map((text) => `b${text}`))
    expect([lines.length, lines[0]?.kind, lines.at(-1)?.kind]).toEqual([8000, 'removed', 'added'])
    const before = Array.from({ length: 50 }, (_, index) => String(index))
    const after = before.with(5, 'x').with(40, 'y')
    expect(hunksOf(diffLines(before, after)).map((hunk) => hunk.lines.length)).toEqual([8, 8])
    const short = Array.from({ length: 200_000 }, (_, index) => String(index % 7))
    expect(hunksOf(diffLines(short, short.map((text) => `${text}!`))).length).toBe(1)
  })
})
