/**
 * The uploads of the page at its lower edge, whatever else is shown: all together, and each that is under way, waits or failed. One of a page, made when it is first needed.
 */
import type { Clock } from '../../../shared/clock.ts'
import { button, element, fill } from '../element.ts'
import { formatBytes, formatCount, shownName } from '../format.ts'
import { toldOf } from '../notices.ts'
import type { ItemState, UploadItem, UploadQueue } from './queue.ts'
import { formatSeconds } from './rate.ts'

/** What somebody looks at; the others are counted. */
const shownMax = 60
const drawMs = 200

const stateTexts: Readonly<Record<ItemState, string>> = {
  waiting: 'Waiting',
  sending: 'Uploading',
  retrying: 'Trying again',
  asking: 'Something of that name is there',
  done: 'Done',
  skipped: 'Skipped',
  failed: 'Failed',
  cancelled: 'Cancelled',
}

interface Row {
  readonly element: HTMLElement
  readonly bar: HTMLProgressElement
  readonly text: HTMLElement
  readonly buttons: HTMLElement
  state: ItemState | undefined
}

export class UploadDock {
  readonly element: HTMLElement
  readonly #queue: () => UploadQueue
  readonly #clock: Clock
  readonly #title = element('h2', { id: 'uploads-title' })
  readonly #facts = element('p', { class: 'quiet' })
  readonly #bar = element('progress', { class: 'upload-bar', 'aria-label': 'All uploads' })
  readonly #list = element('ul', { class: 'upload-list' })
  readonly #buttons = element('div', { class: 'upload-buttons' })
  readonly #rows = new Map<number, Row>()
  #isDrawing = false
  #isStale = false
  #isDone: boolean | undefined

  constructor(queue: () => UploadQueue, clock: Clock) {
    this.#queue = queue
    this.#clock = clock
    const more = element('details', { class: 'upload-details', open: true }, element('summary', {}, 'Files'), this.#list)
    this.element = element('aside', { class: 'uploads', 'aria-labelledby': 'uploads-title', hidden: true }, element('div', { class: 'upload-head' }, element('div', {}, this.#title, this.#facts), this.#buttons), this.#bar, more)
  }

  /** At once, and then not more often than anybody can read. */
  draw(): void {
    this.#isStale = true
    if (this.#isDrawing) return
    this.#isDrawing = true
    this.#isStale = false
    this.#draw()
    void this.#rest()
  }

  async #rest(): Promise<void> {
    await this.#clock.sleep(drawMs)
    this.#isDrawing = false
    if (this.#isStale || this.#queue().isBusy) this.draw()
  }

  #draw(): void {
    const queue = this.#queue()
    const { count, endedCount, failedCount, bytes, sentBytes, bytesPerSecond, secondsLeft } = queue.totals
    this.element.hidden = count === 0
    const isDone = !queue.isBusy
    this.#title.textContent = isDone ? (failedCount > 0 ? `${formatCount(failedCount, 'upload', 'uploads')} failed` : 'Uploads are done') : `Uploading ${Math.min(count, endedCount + 1)} of ${count}`
    const left = secondsLeft === undefined || isDone ? '' : ` · ${formatSeconds(secondsLeft)} left`
    const rate = bytesPerSecond > 0 && !isDone ? ` · ${formatBytes(bytesPerSecond)}/s` : ''
    this.#facts.textContent = `${formatBytes(sentBytes)} of ${formatBytes(bytes)}${rate}${left}`
    this.#bar.max = Math.max(1, bytes)
    this.#bar.value = isDone && failedCount === 0 ? this.#bar.max : sentBytes
    if (this.#isDone !== isDone) {
      this.#isDone = isDone
      const cancel = button({ label: 'Cancel all', onClick: () => queue.cancelAll() })
      const close = button({ icon: 'close', label: 'Close the list of uploads', isIconOnly: true, onClick: () => queue.clear() })
      fill(this.#buttons, isDone ? close : cancel)
    }
    this.#drawRows(queue)
  }

  #drawRows(queue: UploadQueue): void {
    const shown = firstOf(queue.items)
    const numbers = new Set(shown.map(({ number }) => number))
    for (const [number, row] of this.#rows) {
      if (numbers.has(number)) continue
      row.element.remove()
      this.#rows.delete(number)
    }
    let previous: Element | null = null
    for (const item of shown) {
      const row = this.#rows.get(item.number) ?? this.#addRow(item)
      this.#drawRow(row, item, queue)
      const wanted: Element | null = previous === null ? this.#list.firstElementChild : previous.nextElementSibling
      // What has the focus is not taken out of the page.
      if (wanted !== row.element) this.#list.insertBefore(row.element, wanted)
      previous = row.element
    }
  }

  #addRow({ number, path }: UploadItem): Row {
    const bar = element('progress', { class: 'upload-bar', 'aria-label': shownName(path) })
    const text = element('span', { class: 'upload-state' })
    const buttons = element('span', { class: 'upload-buttons' })
    const row: Row = { element: element('li', {}, element('span', { class: 'upload-name', title: shownName(path) }, shownName(path)), buttons, bar, text), bar, text, buttons, state: undefined }
    this.#rows.set(number, row)
    return row
  }

  #drawRow(row: Row, { number, state, sentBytes, file, error, path }: UploadItem, queue: UploadQueue): void {
    row.bar.max = Math.max(1, file?.size ?? 1)
    row.bar.value = state === 'done' ? row.bar.max : sentBytes
    row.bar.hidden = state !== 'sending' && state !== 'retrying'
    const why = error === undefined ? '' : `: ${toldOf(error)}`
    const much = state === 'sending' && file !== undefined ? ` · ${formatBytes(sentBytes)} of ${formatBytes(file.size)}` : ''
    row.text.textContent = `${stateTexts[state]}${state === 'failed' || state === 'retrying' ? why : much}`
    if (row.state === state) return
    row.state = state
    row.element.className = `upload-${state}`
    const name = shownName(path)
    if (state === 'failed' || state === 'cancelled') fill(row.buttons, button({ label: 'Try again', attributes: { 'aria-label': `Try again: ${name}` }, onClick: () => queue.retry(number) }))
    else if (state === 'done' || state === 'skipped') fill(row.buttons)
    else fill(row.buttons, button({ icon: 'close', label: `Cancel ${name}`, isIconOnly: true, onClick: () => queue.cancel(number) }))
  }
}

/** Those that somebody can do something about come first, in the order that they were added. */
const order: readonly ItemState[] = ['asking', 'sending', 'retrying', 'failed', 'waiting', 'done', 'skipped', 'cancelled']

function firstOf(items: readonly UploadItem[]): readonly UploadItem[] {
  const byState = new Map<ItemState, UploadItem[]>(order.map((state) => [state, []]))
  for (const item of items) {
    const same = byState.get(item.state)
    if (same !== undefined && same.length < shownMax) same.push(item)
  }
  return [...byState.values()].flat().slice(0, shownMax)
}
