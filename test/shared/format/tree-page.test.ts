import { describe, expect, test } from 'vitest'
import { idOfInodeKey, inodeKey } from '../../../shared/format/inode-key.ts'
import { describePointer, encodePage, isMissing } from '../../../shared/format/page.ts'
import { encodePointer } from '../../../shared/format/pointer-codec.ts'
import { editTree } from '../../../shared/format/tree-edit.ts'
import { findInTree, listTree, TreePage } from '../../../shared/format/tree-page.ts'
import { compareBytes } from '../../../shared/name.ts'
import { fileId } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { askLoading, metaPack, PageMemory } from '../../support/page-memory.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const itemOf = (key: string, value: Uint8Array): Uint8Array => Uint8Array.of(bytesOf(key).length, ...bytesOf(key), ...value)
const tinyRule = { min: 100, target: 200, max: 300, spanBelow: 400, spanAbove: 100 }
const nowhere = { hash: hashOf(''), pack: metaPack, offset: 0, length: 1 }

const names = Array.from({ length: 200 }, (_, index) => `name-${String(index).padStart(3, '0')}`)

async function build(memory: PageMemory): Promise<NonNullable<Awaited<ReturnType<typeof editTree>>>> {
  const edits = names.map((name) => ({ key: bytesOf(name), value: bytesOf(`value of ${name}`) }))
  return (await editTree(undefined, edits, memory, tinyRule))!
}

describe('findInTree', () => {
  test('finds what is there and nothing else', async () => {
    const memory = new PageMemory()
    const root = await build(memory)
    for (const name of names) expect(findInTree(root, bytesOf(name), memory.source)).toEqual(bytesOf(`value of ${name}`))
    for (const name of ['', 'a', 'name-', 'name-0000', 'name-100x', 'z']) {
      expect(findInTree(root, bytesOf(name), memory.source)).toBeUndefined()
    }
    expect(findInTree(undefined, bytesOf('name-000'), memory.source)).toBeUndefined()
  })

  test('says which page it lacks, root first', async () => {
    const memory = new PageMemory()
    const root = await build(memory)
    expect(findInTree(root, bytesOf('name-100'), () => undefined)).toEqual({ missing: root })
    const below = findInTree(root, bytesOf('name-100'), (pointer) => (pointer.hash === root.hash ? memory.source(pointer) : undefined))
    expect(isMissing(below) && below.missing.hash).not.toBe(root.hash)
    expect(askLoading(memory, (pages) => findInTree(root, bytesOf('name-100'), pages)).answer).toEqual(bytesOf('value of name-100'))
  })
})

describe('listTree', () => {
  test('gives every page of a listing, from any key and of any length', async () => {
    const memory = new PageMemory()
    const root = await build(memory)
    for (const limit of [1, 2, 3, 7, 50, 199, 200, 201]) {
      const found: string[] = []
      let after: Uint8Array | undefined
      for (let isDone = false; !isDone;) {
        const listing = listTree(root, after, limit, memory.source)
        if (isMissing(listing)) throw new Error('a page is missing')
        found.push(...listing.items.map(({ key }) => new TextDecoder().decode(key)))
        expect(listing.items.length === limit || listing.done).toBe(true)
        expect(listing.items.length).toBeGreaterThan(0)
        after = listing.items.at(-1)!.key
        isDone = listing.done
      }
      expect(found).toEqual(names)
    }
  })

  test('begins after keys that are not there', async () => {
    const memory = new PageMemory()
    const root = await build(memory)
    const firstAfter = (key: string): string | undefined => {
      const listing = listTree(root, bytesOf(key), 1, memory.source)
      return isMissing(listing) ? 'missing' : listing.items.map((item) => new TextDecoder().decode(item.key))[0]
    }
    expect(firstAfter('a')).toBe('name-000')
    expect(firstAfter('name-0500')).toBe('name-051')
    expect(firstAfter('name-199')).toBeUndefined()
    expect(firstAfter('zzz')).toBeUndefined()
  })

  test('is done at once for no tree, and refuses a limit of 0', () => {
    expect(listTree(undefined, undefined, 10, () => undefined)).toEqual({ items: [], done: true })
    expect(() => listTree(undefined, undefined, 0, () => undefined)).toThrow(expect.objectContaining({ code: 'invalid' }))
  })
})

describe('TreePage refuses', () => {
  const good = encodePage('tree', 0, [itemOf('a', bytesOf('1')), itemOf('b', bytesOf('2'))])
  const changed = (at: number, byte: number): Uint8Array => {
    const bytes = good.slice()
    bytes[at] = byte
    return bytes
  }
  const corrupt: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['nothing', new Uint8Array(0), /less than a header/],
    ['a header cut short', good.subarray(0, 4), /less than a header/],
    ['another kind of page', changed(0, 0x4d), /begins with byte 77, not 84/],
    ['a level that no tree has', changed(2, 16), /level is 16/],
    ['more items than bytes', changed(4, 200), /cannot hold/],
    ['an offset table that is followed by a gap', changed(5, 12), /does not follow/],
    ['an item that ends before it begins', changed(8, 5), /item 0 has no bytes/],
    ['an item past the end', changed(10, 1), /item 0 has no bytes/],
    ['a key longer than its item', changed(11, 9), /key of item 0/],
    ['an empty key', changed(11, 0), /key of item 0/],
    ['no items', encodePage('tree', 0, []), /it is empty/],
    ['too many bytes', new Uint8Array(128 * 1024 + 1), /more than 131072/],
  ]
  test.each(corrupt)('%s', (_, bytes, message) => {
    expect(() => {
      const page = new TreePage(bytes, nowhere)
      for (let index = 0; index < page.count; index += 1) page.value(index)
    }).toThrow(expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(message) }))
  })

  test('a newer format, by saying what to do', () => {
    expect(() => new TreePage(changed(1, 2), nowhere)).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(/update edgemount/) }),
    )
  })

  test('keys out of order, when asked to look', () => {
    const page = new TreePage(encodePage('tree', 0, [itemOf('b', bytesOf('1')), itemOf('b', bytesOf('2'))]), nowhere)
    expect(() => page.checkOrder()).toThrow(expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(/keys 0 and 1/) }))
  })

  test('a child of another level, naming the child', () => {
    const memory = new Map([[nowhere.hash, encodePage('tree', 0, [itemOf('a', bytesOf('1'))])]])
    const top = encodePage('tree', 2, [itemOf('a', encodePointer(nowhere))])
    const root = { ...nowhere, hash: hashOf('top') }
    memory.set(root.hash, top)
    expect(() => findInTree(root, bytesOf('a'), (pointer) => memory.get(pointer.hash))).toThrow(
      expect.objectContaining({
        code: 'corrupt',
        message: expect.stringContaining(`${describePointer(nowhere)}: its level is 0, the page above says 1`),
      }),
    )
  })
})

describe('inode keys', () => {
  test('sort as their ids and come back', () => {
    const ids = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER].map(fileId)
    const keys = ids.map(inodeKey)
    expect(keys.toSorted(compareBytes)).toEqual(keys)
    expect(keys.map(idOfInodeKey)).toEqual(ids)
    expect(() => idOfInodeKey(new Uint8Array(8).fill(255))).toThrow(expect.objectContaining({ code: 'corrupt' }))
    expect(() => idOfInodeKey(new Uint8Array(7))).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })
})
