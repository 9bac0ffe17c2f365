/**
 * A directory: its names as a table that can be sorted and filtered, read as somebody scrolls, and kept up with what others change. Called by `panels/files.ts`.
 */
import type { FileInfo } from '../browser/volume.ts'
import { codeOf } from '../../shared/error.ts'
import { askFolder } from './actions.ts'
import { type Sort, type SortKey, sortKeys } from './address.ts'
import { append, button, element, fill, icon } from './element.ts'
import { FolderRows } from './folder-rows.ts'
import { formatCount } from './format.ts'
import { Listing, namesMax, showsIn } from './listing.ts'
import type { Context } from './panel.ts'
import { filterItems, sortItems } from './rows.ts'

/** What was read of a directory, and where somebody was in it: so that going back is going back. */
interface Remembered {
  readonly listing: Listing
  scrollY: number
  name: string | undefined
}

const rememberedMax = 12
const remembered = new Map<string, Remembered>()
/** So many rows before the end of what is here the next page is asked for. */
const aheadRows = 200

/** All but the newest go, oldest first, until so many folders with so many names are left. */
export function forgetOldest(places: Map<string, { readonly listing: { readonly items: { readonly length: number } } }>, placesMax = rememberedMax, itemsMax = namesMax): void {
  let count = [...places.values()].reduce((sum, { listing }) => sum + listing.items.length, 0)
  for (const [key, { listing }] of places) {
    if (places.size === 1 || (places.size <= placesMax && count <= itemsMax)) return
    places.delete(key)
    count -= listing.items.length
  }
}

const titles: Readonly<Record<SortKey, string>> = { name: 'Name', size: 'Size', time: 'Modified' }

export class FolderView {
  readonly #context: Context
  readonly #rows: FolderRows
  readonly #status = element('p', { class: 'folder-status', role: 'status', 'aria-live': 'polite' })
  readonly #table = element('table', { role: 'table', class: 'folder', 'aria-label': 'Names' })
  readonly #empty = element('p', { class: 'empty', hidden: true })
  #listing: Listing
  #filter: string
  #shownCount = 0
  #stopReading: AbortController | undefined
  #isReading = false
  /** The names are being read again, and whether there was another commit since that began. */
  #renewing: 'no' | 'once' | 'again' = 'no'

  constructor(context: Context, listing: Listing) {
    this.#context = context
    this.#listing = listing
    this.#filter = context.address.filter
    this.#rows = new FolderRows(context)
    this.#rows.onSeen = (lastIndex) => this.#readAhead(lastIndex)
    this.#rows.onEnd = () => void this.#toEnd()
  }

  /** Rejects when the directory cannot be read. */
  static async show(host: HTMLElement, context: Context): Promise<void> {
    const { place, address, signal } = context
    const key = `${place.volume.generation} ${place.volumeName}@${place.seq ?? ''}${place.info.path}`
    const before = remembered.get(key)
    const kept = before?.listing.seq === place.volume.seq ? before : undefined
    const listing = kept?.listing ?? new Listing(await place.volume.at(place.volume.seq), place.info.path)
    await listing.upTo(1, signal)
    const view = new FolderView(context, listing)
    const memory: Remembered = { listing, scrollY: kept?.scrollY ?? 0, name: before?.name }
    remembered.delete(key)
    remembered.set(key, memory)
    forgetOldest(remembered)
    view.#build(host)
    if (memory.name !== undefined) view.#rows.select(memory.name)
    await view.#update(address.sort, false)
    host.addEventListener('click', (event) => {
      memory.name = (event.target instanceof Element ? event.target.closest<HTMLElement>('tr') : null)?.querySelector('.name')?.textContent ?? memory.name
    })
    addEventListener('scroll', () => (memory.scrollY = scrollY), { passive: true, signal })
    if (memory.scrollY > 0) scrollTo({ top: memory.scrollY, behavior: 'instant' })
  }

  #build(host: HTMLElement): void {
    const filter = element('input', {
      type: 'search',
      class: 'filter',
      'aria-label': 'Filter by name',
      placeholder: 'Filter by name',
      value: this.#filter,
      autocomplete: 'off',
      spellcheck: 'false',
      'data-shortcut': 'filter',
      oninput: () => this.#setFilter(filter.value),
    })
    filter.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowDown') return
      event.preventDefault()
      this.#rows.focus(0)
    })
    const cells = sortKeys.map((key) => this.#headCell(key))
    const last = element('th', { role: 'columnheader', scope: 'col', class: 'cell-more' }, element('span', { class: 'hidden' }, 'Actions'))
    const head = element('thead', { role: 'rowgroup' }, element('tr', { role: 'row', 'aria-rowindex': 1, class: 'row row-head' }, ...cells, last))
    this.#table.append(head, this.#rows.body)
    append(host, [element('div', { class: 'folder-bar' }, element('div', { class: 'search' }, icon('search'), filter), this.#status, this.#newFolder()), this.#table, this.#empty])
    const { path } = this.#context.place.info
    this.#context.onChange((change) => {
      if (showsIn(change, path)) void this.#renew()
    })
  }

  #newFolder(): HTMLElement | false {
    const { place, session } = this.#context
    return place.seq === undefined && session.may('write') && button({ icon: 'folder', label: 'New folder', class: 'new-folder', onClick: () => askFolder(this.#context) })
  }

  #headCell(key: SortKey): HTMLTableCellElement {
    const { sort } = this.#context.address
    const isSorted = sort.key === key
    const next: Sort = { key, isDescending: isSorted ? !sort.isDescending : key !== 'name' }
    const arrow = isSorted && icon(sort.isDescending ? 'down' : 'up')
    const control = element('button', { type: 'button', class: 'sort', onclick: () => this.#context.go({ sort: next, filter: this.#filter }, { isFolder: true }) }, titles[key], arrow)
    const order = isSorted ? (sort.isDescending ? 'descending' : 'ascending') : undefined
    return element('th', { role: 'columnheader', scope: 'col', class: `cell-${key}`, 'aria-sort': order }, control)
  }

  #setFilter(text: string): void {
    this.#filter = text
    this.#context.keep({ filter: text })
    void this.#update(this.#context.address.sort, false)
  }

  /** Shows what is here, and reads the rest first where an order or a filter needs all names. */
  async #update(sort: Sort, isSameOrder: boolean, isAll = false): Promise<void> {
    const needsAll = isAll || this.#filter.trim() !== '' || sort.key !== 'name' || sort.isDescending
    this.#stopReading?.abort()
    this.#draw(sort, isSameOrder && !needsAll)
    if (!needsAll || this.#listing.isComplete) return
    const stop = new AbortController()
    this.#stopReading = stop
    try {
      await this.#listing.upTo(namesMax, AbortSignal.any([stop.signal, this.#context.signal]), (count) => this.#progress(count, stop))
      this.#draw(sort, false)
    } catch (error) {
      if (codeOf(error) === 'aborted' && this.#stopReading !== stop) return
      this.#draw(sort, false)
      this.#context.notices.fail(error)
    }
  }

  /** The end of the names is known once all are here. */
  async #toEnd(): Promise<void> {
    if (!this.#listing.isComplete) await this.#update(this.#context.address.sort, true, true)
    // Who has left the names meanwhile is not taken back.
    const { activeElement } = document
    if (this.#context.signal.aborted || (activeElement !== document.body && !this.#rows.body.contains(activeElement))) return
    this.#rows.focus(Infinity)
  }

  #progress(count: number, stop: AbortController): void {
    const end = button({ label: 'Stop', onClick: () => stop.abort() })
    fill(this.#status, `${count.toLocaleString('en')} names read… `, end)
  }

  #draw(sort: Sort, isSameOrder: boolean): void {
    const { items, isComplete, isCut } = this.#listing
    const shown = sortItems(filterItems(items, this.#filter), sort)
    this.#shownCount = shown.length
    this.#table.setAttribute('aria-rowcount', String(isComplete ? shown.length + 1 : -1))
    this.#rows.set(shown, isSameOrder)
    this.#table.hidden = shown.length === 0
    this.#empty.hidden = shown.length > 0
    this.#empty.textContent = items.length === 0 ? 'This folder is empty.' : 'No name here has all of these words.'
    this.#status.textContent = describe(shown, { all: items.length, isComplete, isCut, isFiltered: this.#filter.trim() !== '' })
  }

  #readAhead(lastIndex: number): void {
    const { isComplete, items } = this.#listing
    if (isComplete || this.#isReading || this.#shownCount !== items.length || lastIndex < items.length - aheadRows) return
    void this.#readMore(items.length)
  }

  async #readMore(before: number): Promise<void> {
    const { signal, notices, address } = this.#context
    this.#isReading = true
    try {
      await this.#listing.more()
      this.#isReading = false
      if (!signal.aborted && this.#listing.items.length > before && this.#shownCount === before) this.#draw(address.sort, address.sort.key === 'name' && !address.sort.isDescending)
    } catch (error) {
      // Scrolling on asks again.
      this.#isReading = false
      if (!signal.aborted) notices.fail(error)
    }
  }

  /** The volume has moved on: as many names as were here are read again, and shown in place of the old ones. */
  async #renew(): Promise<void> {
    if (this.#renewing !== 'no') {
      this.#renewing = 'again'
      return
    }
    try {
      do {
        this.#renewing = 'once'
        await this.#readAgain()
      } while (this.#isRenewedAgain())
    } catch (error) {
      if (!this.#context.signal.aborted) this.#context.notices.fail(error)
    } finally {
      this.#renewing = 'no'
    }
  }

  #isRenewedAgain(): boolean {
    return this.#renewing === 'again' && !this.#context.signal.aborted
  }

  async #readAgain(): Promise<void> {
    const { place, signal, address } = this.#context
    if (place.volume.seq <= this.#listing.seq) return
    const listing = new Listing(await place.volume.at(place.volume.seq), place.info.path)
    await listing.upTo(Math.max(1, this.#listing.items.length), signal)
    if (signal.aborted) return
    this.#listing = listing
    await this.#update(address.sort, false)
  }
}

interface Described {
  readonly all: number
  readonly isComplete: boolean
  readonly isCut: boolean
  readonly isFiltered: boolean
}

function describe(shown: readonly FileInfo[], { all, isComplete, isCut, isFiltered }: Described): string {
  const count = formatCount(all, 'name', 'names')
  if (isFiltered) return `${shown.length.toLocaleString('en')} of ${count}${isComplete ? '' : ' that were read'}`
  if (isCut) return `The first ${count}; filter in a folder below, or use edgemount ls`
  return isComplete ? count : `${count} and more`
}
