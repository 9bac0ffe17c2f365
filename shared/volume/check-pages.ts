/**
 * Goes through the leaf pages of a tree for a check: each page is what its hash says, of the level that the page above expects, begins with the key that
 * stands there, and all keys ascend. What is damaged is told, and what lies behind it is read on.
 */
import { equalBytes } from '../bytes.ts'
import type { Pointer } from '../format/entry.ts'
import { type TreeItem, TreePage } from '../format/tree-page.ts'
import { compareBytes } from '../name.ts'
import { type CheckRun, type Finding, findingOf } from './finding.ts'

interface Leaf {
  readonly items: readonly TreeItem[]
}

interface Expected {
  readonly pointer: Pointer
  readonly level: number | undefined
  readonly firstKey: Uint8Array | undefined
}

export async function* leavesOf(run: CheckRun, root: Pointer | undefined, path: string, what: string): AsyncGenerator<Leaf | Finding> {
  if (root === undefined) return
  const pending: Expected[] = [{ pointer: root, level: undefined, firstKey: undefined }]
  let last: Uint8Array | undefined
  for (let expected = pending.pop(); expected !== undefined; expected = pending.pop()) {
    run.packs.note(expected.pointer, path)
    try {
      const page = await openPage(run, expected)
      const keys = Array.from({ length: page.count }, (_, index) => page.key(index))
      if (page.level > 0) {
        const children = keys.map((firstKey, index): Expected => ({ pointer: page.child(index), level: page.level - 1, firstKey }))
        pending.push(...children.toReversed())
        continue
      }
      if (last !== undefined && compareBytes(last, keys[0]!) >= 0) page.fail('its first key is not behind those of the page before')
      last = keys.at(-1)!.slice()
      yield { items: keys.map((key, index) => ({ key, value: page.value(index) })) }
    } catch (error) {
      yield findingOf(error, path, what)
    }
  }
}

async function openPage({ parts, options }: CheckRun, { pointer, level, firstKey }: Expected): Promise<TreePage> {
  const page = new TreePage(await parts.pages.load(pointer, options.signal), pointer, level)
  page.checkOrder()
  if (firstKey !== undefined && !equalBytes(page.key(0), firstKey)) page.fail('it does not begin with the key that the page above says')
  if (page.level > 0 && level === undefined && page.count < 2) page.fail('it is an inner root with one page')
  return page
}
