/**
 * What the console says besides what it shows: errors, which stay until somebody closes them, what was done, which goes by itself, and progress, which is heard as it goes. One of a page.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { button, element, fill, icon } from './element.ts'

/** Older ones go: nobody reads ten. */
const noticesMax = 4
/** What was done is read in half the time, and listed nowhere else: whoever looks at it keeps it. */
const toldMs = 10_000

export class Notices {
  readonly element = element('div', { class: 'notices' })
  readonly #status = element('div', { class: 'hidden', role: 'status', 'aria-live': 'polite' })
  readonly #list = element('div', { class: 'notice-list' })
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.element.append(this.#status, this.#list)
  }

  /** For who listens; not shown. */
  say(text: string): void {
    this.#status.textContent = text
  }

  /** Something was done. */
  tell(text: string): void {
    void this.#removeLater(this.#add(text, 'info'))
  }

  /** What failed, in a sentence. What somebody gave up is no failure. */
  fail(error: unknown): void {
    if (codeOf(error) === 'aborted' || codeOf(error) === 'closed') return
    this.#add(toldOf(error), 'error')
  }

  async #removeLater(notice: HTMLElement): Promise<void> {
    do await this.#clock.sleep(toldMs)
    while (notice.matches(':hover, :focus-within'))
    notice.remove()
  }

  #add(text: string, kind: 'info' | 'error'): HTMLElement {
    const notice = element('div', { class: `notice notice-${kind}`, role: kind === 'error' ? 'alert' : 'status' })
    const close = button({ icon: 'close', label: 'Close this message', isIconOnly: true, onClick: () => notice.remove() })
    fill(notice, icon(kind === 'error' ? 'warning' : 'info'), element('p', {}, text), close)
    this.#list.append(notice)
    while (this.#list.childElementCount > noticesMax) this.#list.firstElementChild?.remove()
    return notice
  }
}

/** What is said of an error where nothing else says what to do. */
export function toldOf(error: unknown): string {
  const text = sentenceOf(error)
  if (!(error instanceof EdgemountError)) return `${text} This is a fault of the console; load the page again.`
  // The browser's own words of a request that failed.
  return error.code === 'unavailable' && !text.includes(';') ? `${text} Look whether this device is online, and whether the edge runs.` : text
}

/** Ends like a sentence. */
export function sentenceOf(error: unknown): string {
  const message = messageOf(error)
  return /[.!?]$/.test(message) ? message : `${message}.`
}
