import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareNames } from '../../../shared/name.ts'
import { toFileId } from '../../../shared/volume/file-id.ts'
import { ChangedNames, NameCounts } from '../../../shim/changes/changed-names.ts'
import type { NameTarget } from '../../../shim/changes/edit.ts'

const file = (id: number): NameTarget => ({ id: toFileId(id), kind: 'file' })
const directory = (id: number): NameTarget => ({ id: toFileId(id), kind: 'directory' })

function added(names: ChangedNames, name: string, to: NameTarget | undefined, base?: NameTarget): void {
  names.add({ name, to, base, shown: undefined, changedAt: 1, taken: undefined })
}

const listed = (names: ChangedNames, after?: string): string[] => Array.from(names.from(after), ({ name }) => name)

describe('the changed names of a directory', () => {
  test('come in the order of their bytes, which is not that of strings', () => {
    const names = new ChangedNames(new NameCounts())
    // U+FFFD is EF BF BD and comes before U+1F600, F0 9F 98 80; as UTF-16 it comes after. U+DC80 stands for the byte 80.
    for (const name of ['\u{1f600}', '\ufffd', '\udc80', 'z', 'ä', 'Z', 'zz']) added(names, name, file(7))
    expect(listed(names)).toEqual(['Z', 'z', 'zz', '\udc80', 'ä', '\ufffd', '\u{1f600}'])
    expect(listed(names, 'zz')).toEqual(['\udc80', 'ä', '\ufffd', '\u{1f600}'])
    expect(listed(names, 'a name between')).toEqual(['z', 'zz', '\udc80', 'ä', '\ufffd', '\u{1f600}'])
  })

  test('count what they add to the snapshot and what they take from it', () => {
    const names = new ChangedNames(new NameCounts())
    added(names, 'new file', file(1))
    added(names, 'new directory', directory(2))
    added(names, 'removed directory', undefined, directory(3))
    added(names, 'replaced', file(4), file(5))
    added(names, 'in place', file(6), file(6))
    expect([names.entries, names.directories, names.movedCount]).toEqual([1, 0, 4])
    names.setTo(names.get('new file')!, undefined)
    names.setBase(names.get('replaced')!, directory(9))
    expect([names.entries, names.directories, names.movedCount]).toEqual([0, -1, 3])
    // The snapshot that is shown has the removal already.
    names.setShown(names.get('removed directory')!, undefined)
    expect([names.entries, names.directories, names.movedCount]).toEqual([1, 0, 3])
    for (const changed of names.all()) names.drop(changed)
    expect([names.entries, names.directories, names.movedCount, names.size]).toEqual([0, 0, 0, 0])
  })

  test('stay in order whatever comes and goes between listings', () => {
    const step = fc.record({ name: fc.nat({ max: 6000 }), isGone: fc.boolean(), lists: fc.integer({ min: 0, max: 60 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.nat({ max: 5000 }), (steps, start) => {
        const names = new ChangedNames(new NameCounts())
        const model = new Set<string>()
        const put = (name: string): void => {
          if (!model.has(name)) added(names, name, file(1))
          model.add(name)
        }
        for (let index = 0; index < start; index += 1) put(`n${index}`)
        listed(names)
        for (const { name, isGone, lists } of steps) {
          const text = `n${name}`
          if (!isGone) put(text)
          else if (model.delete(text)) names.drop(names.get(text)!)
          if (lists === 0) expect(listed(names, text)[0]).toBe([...model].filter((each) => compareNames(each, text) > 0).toSorted(compareNames)[0])
        }
        expect(listed(names)).toEqual([...model].toSorted(compareNames))
      }),
      { numRuns: 30 },
    )
  })

  test('many that come after a listing are merged, not sorted again each time', () => {
    const names = new ChangedNames(new NameCounts())
    listed(names)
    const count = 20_000
    for (let index = 0; index < count; index += 1) added(names, `n${(index * 7919) % count}`, file(1))
    expect(listed(names)).toEqual(Array.from({ length: count }, (_, index) => `n${index}`).toSorted(compareNames))
  })
})
