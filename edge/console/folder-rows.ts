/**
 * The rows of a directory's table, of which only those that can be seen are in the page, however many names there are. Called by `folder-view.ts`, which says what they show.
 *
 * Elements are a real table with its roles written down, since the layout takes them from it. One row at a time is in the tab order; arrows move from row to row.
 */
import type { FileInfo } from '../browser/volume.ts'
import { type Action, actionsFor } from './actions.ts'
import { type Address, formatAddress } from './address.ts'
import { button, element, icon } from './element.ts'
import { formatBytes, formatTime, iconOf, kindNames, shownName } from './format.ts'
import { openMenu } from './menu.ts'
import type { Context } from './panel.ts'
import { scrollTo, windowOf } from './rows.ts'

export class FolderRows {
  readonly body = element('tbody', { role: 'rowgroup', class: 'rows' })
  /** How far down somebody looks; more names are read when that nears the end. */
  onSeen: (lastIndex: number) => void = () => undefined
  /** Somebody wants to be at the end. */
  onEnd: () => void = () => undefined
  readonly #context: Context
  #items: readonly FileInfo[] = []
  readonly #drawn = new Map<number, HTMLTableRowElement>()
  #current = 0
  /** False while a frame is asked for. */
  #isDrawn = true

  constructor(context: Context) {
    this.#context = context
    const options = { passive: true, signal: context.signal }
    addEventListener('scroll', () => this.#drawSoon(), options)
    addEventListener('resize', () => this.#drawSoon(), options)
    this.body.addEventListener('keydown', (event) => this.#key(event))
    this.body.addEventListener('focusin', (event) => this.#follow(event.target))
  }

  /** Shows these. The row of the same name stays the current one; where it is gone, the one that took its place. */
  set(items: readonly FileInfo[], isSameOrder: boolean): void {
    const name = this.#items[this.#current]?.name
    const hadFocus = this.body.contains(document.activeElement)
    this.#items = items
    if (!isSameOrder) {
      this.#clear()
      const index = items.findIndex((item) => item.name === name)
      this.#current = index >= 0 ? index : Math.max(0, Math.min(this.#current, items.length - 1))
    }
    this.#draw()
    if (hadFocus && !this.body.contains(document.activeElement)) this.focus(this.#current)
  }

  /** Makes a row the one that the keyboard begins at. */
  select(name: string): void {
    const index = this.#items.findIndex((item) => item.name === name)
    if (index >= 0) this.#current = index
  }

  focus(index: number): void {
    if (this.#items.length === 0) return
    this.#current = Math.max(0, Math.min(index, this.#items.length - 1))
    const target = scrollTo(this.#current, this.#items.length, this.#rowHeight, this.#scrolled, this.#seenHeight)
    if (target !== undefined) scrollBy({ top: target - this.#scrolled, behavior: 'instant' })
    this.#draw()
    this.#drawn.get(this.#current)?.querySelector('a')?.focus({ preventScroll: true })
  }

  get #rowHeight(): number {
    return Number.parseFloat(getComputedStyle(this.body).getPropertyValue('--row')) || 36
  }

  /** Pixels of the rows above what is seen; the head of the page hides some of the window. */
  get #scrolled(): number {
    return headHeight - this.body.getBoundingClientRect().top
  }

  get #seenHeight(): number {
    return innerHeight - headHeight
  }

  #drawSoon(): void {
    if (!this.#isDrawn) return
    this.#isDrawn = false
    requestAnimationFrame(() => {
      this.#isDrawn = true
      if (!this.#context.signal.aborted) this.#draw()
    })
  }

  #clear(): void {
    for (const row of this.#drawn.values()) row.remove()
    this.#drawn.clear()
  }

  #draw(): void {
    const rowHeight = this.#rowHeight
    const { first, end, top, height } = windowOf(this.#items.length, rowHeight, this.#scrolled, this.#seenHeight)
    this.body.style.height = `${height}px`
    for (const [index, row] of this.#drawn) {
      if (index >= first && index < end) continue
      // The row with the focus stays, so that it is not lost while somebody scrolls.
      if (row.contains(document.activeElement)) continue
      row.remove()
      this.#drawn.delete(index)
    }
    for (let index = first; index < end; index += 1) {
      const row = this.#drawn.get(index) ?? this.#make(index)
      row.style.top = `${top + (index - first) * rowHeight}px`
    }
    this.#mark()
    this.onSeen(end)
  }

  #make(index: number): HTMLTableRowElement {
    const row = folderRow(this.#items[index]!, index, this.#context)
    const after = [...this.#drawn].filter(([other]) => other > index).toSorted(([a], [b]) => a - b)[0]
    this.body.insertBefore(row, after?.[1] ?? null)
    this.#drawn.set(index, row)
    return row
  }

  /** Only the current row is reached by Tab; when it is not drawn, the first that is. */
  #mark(): void {
    const current = this.#drawn.has(this.#current) ? this.#current : Math.min(...this.#drawn.keys())
    for (const [index, row] of this.#drawn) for (const each of row.querySelectorAll<HTMLElement>('a, button')) each.tabIndex = index === current ? 0 : -1
  }

  #follow(target: EventTarget | null): void {
    if (!(target instanceof Element)) return
    const index = Number(target.closest<HTMLElement>('tr')?.dataset['index'])
    if (!Number.isSafeInteger(index) || index === this.#current) return
    this.#current = index
    this.#mark()
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const page = Math.max(1, Math.floor(this.#seenHeight / this.#rowHeight) - 1)
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }
    const step = steps[event.key]
    const item = this.#items[this.#current]
    if (step === Infinity) this.onEnd()
    else if (step !== undefined) this.focus(step === -Infinity ? 0 : this.#current + step)
    else if (item === undefined || !this.#act(event, item)) return
    event.preventDefault()
  }

  #act(event: KeyboardEvent, item: FileInfo): boolean {
    const run = (id: Action['id']): boolean => {
      const found = actionsFor(item, this.#context, false).find((action) => action.id === id)?.run
      found?.()
      return found !== undefined
    }
    if (event.key === 'F2') return run('rename')
    if (event.key === 'Delete') return run('delete')
    if (event.key !== 'ContextMenu' && !(event.key === 'F10' && event.shiftKey)) return false
    this.#drawn.get(this.#current)?.querySelector('button')?.click()
    return true
  }
}

/** The bar that stays at the top of the window. */
export const headHeight = 52

function folderRow(item: FileInfo, index: number, context: Context): HTMLTableRowElement {
  const { name, kind, size, mtime, target } = item
  const isFolder = kind === 'directory'
  const address: Address = { ...context.address, path: item.path, panel: undefined, filter: '' }
  const shown = shownName(name)
  const link = element('a', { href: formatAddress(address, isFolder), tabindex: -1 }, icon(iconOf(item)), element('span', { class: 'name' }, shown))
  if (kind !== 'file') link.append(element('span', { class: 'hidden' }, ` (${kindNames[kind]})`))
  if (target !== undefined) link.append(element('span', { class: 'target' }, `→ ${shownName(target)}`))
  const actions = actionsFor(item, context, false)
  const more = button({
    icon: 'more',
    label: `Actions for ${shown}`,
    isIconOnly: true,
    attributes: { 'aria-haspopup': 'menu', tabindex: -1 },
    onClick: () => openMenu(more, `Actions for ${shown}`, actions),
  })
  return element(
    'tr',
    { role: 'row', 'aria-rowindex': index + 2, 'data-index': index, class: `row row-${kind}` },
    element('td', { role: 'cell', class: 'cell-name' }, link),
    element('td', { role: 'cell', class: 'cell-size' }, kind === 'file' ? formatBytes(size) : '–'),
    element('td', { role: 'cell', class: 'cell-time' }, element('time', { datetime: Number.isNaN(mtime.getTime()) ? undefined : mtime.toISOString() }, formatTime(mtime))),
    element('td', { role: 'cell', class: 'cell-more' }, actions.length > 0 && more),
  )
}
