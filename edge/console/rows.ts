/**
 * Which names of a directory are shown, in which order, and which of them have rows in the page at a moment. Pure; `folder-view.ts` obeys.
 */
import type { FileInfo } from '../browser/volume.ts'
import type { Sort } from './address.ts'

/** Stable: what is equal keeps the order of the names. `items` are in that order. */
export function sortItems(items: readonly FileInfo[], { key, isDescending }: Sort): readonly FileInfo[] {
  if (key === 'name') return isDescending ? items.toReversed() : items
  const valueOf = key === 'size' ? sizeOf : (item: FileInfo): number => item.mtime.getTime()
  const sign = isDescending ? -1 : 1
  return items.toSorted((a, b) => sign * (valueOf(a) - valueOf(b)))
}

/** Directories have no size; they come before what is empty. */
function sizeOf({ kind, size }: FileInfo): number {
  return kind === 'directory' ? -1 : size
}

/** Those whose name has all words of the filter, in any order and case. */
export function filterItems(items: readonly FileInfo[], filter: string): readonly FileInfo[] {
  const words = filter.toLowerCase().split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) return items
  return items.filter(({ name }) => {
    const text = name.toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

export interface RowWindow {
  /** Of the first row that is in the page, and the one after the last. */
  readonly first: number
  readonly end: number
  /** Where the first one stands, in pixels from the top of all. */
  readonly top: number
  /** Of all rows together. */
  readonly height: number
}

/** Browsers draw nothing beyond some 33 million pixels; above this the rows glide faster than the hand that moves them. */
export const heightMax = 12_000_000
const overscanRows = 12

/** What to draw of `count` rows where `scrolled` pixels of them are above what is seen. */
export function windowOf(count: number, rowHeight: number, scrolled: number, seenHeight: number): RowWindow {
  const whole = count * rowHeight
  const height = Math.min(whole, heightMax)
  const at = Math.min(Math.max(0, scrolled), Math.max(0, height - seenHeight))
  // Of all that there is to scroll, the same share of the rows is above.
  const share = height <= seenHeight ? 0 : at / (height - seenHeight)
  const above = height === whole ? at : share * (whole - seenHeight)
  const first = Math.max(0, Math.floor(above / rowHeight) - overscanRows)
  const end = Math.min(count, Math.ceil((above + seenHeight) / rowHeight) + overscanRows)
  return { first, end, top: at - (above - first * rowHeight), height }
}

/** How far to scroll so that a row is seen, or undefined when it is. */
export function scrollTo(index: number, count: number, rowHeight: number, scrolled: number, seenHeight: number): number | undefined {
  const whole = count * rowHeight
  const height = Math.min(whole, heightMax)
  const factor = height <= seenHeight ? 1 : (whole - seenHeight) / (height - seenHeight)
  const above = Math.max(0, scrolled) * (height === whole ? 1 : factor)
  const start = index * rowHeight
  if (start < above) return start / (height === whole ? 1 : factor)
  const needed = start + rowHeight - seenHeight
  return needed > above ? needed / (height === whole ? 1 : factor) : undefined
}
