/**
 * Who works by keyboard is somewhere, always: what has the focus and is taken out of the page, hidden, or cannot be pressed for a moment leaves it to what is nearest.
 * Browsers would begin at the top of the page again. Called by `shell.ts`, which itself says where the focus is in a new view.
 */

const focusable = 'a[href]:not([tabindex="-1"]), button:not(:disabled):not([tabindex="-1"]), input:not(:disabled), select, summary, [tabindex="0"]'

interface Held {
  readonly element: HTMLElement
  /** From the nearest outwards. */
  readonly ancestors: readonly HTMLElement[]
}

export function keepFocus(): void {
  let held: Held | undefined
  addEventListener('focusin', ({ target }) => {
    if (target instanceof HTMLElement) held = { element: target, ancestors: ancestorsOf(target) }
  })
  // Who points elsewhere has let go by themselves.
  addEventListener('pointerdown', () => (held = undefined), { capture: true })
  const look = (): void => {
    if (held === undefined) return
    const { element, ancestors } = held
    // Some browsers notice only later that what has the focus is hidden.
    if (document.activeElement !== document.body && document.activeElement !== element) return
    if (element.isConnected && element.checkVisibility()) {
      // It had to wait, and can be pressed again.
      if (!element.matches(':disabled')) element.focus({ preventScroll: true })
      return
    }
    // The whole view is another one.
    if (ancestors.some((each) => each.classList.contains('view') && !each.isConnected)) return
    const near = ancestors.find((each) => each.isConnected && each.checkVisibility())
    const inside = near === undefined || near.matches('main, body') ? undefined : [...near.querySelectorAll<HTMLElement>(focusable)].find((each) => each.checkVisibility())
    const next = inside ?? document.querySelector<HTMLElement>('main h1')
    next?.focus({ preventScroll: true })
  }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['disabled', 'hidden'] })
}

function ancestorsOf(element: HTMLElement): HTMLElement[] {
  const ancestors: HTMLElement[] = []
  for (let each = element.parentElement; each !== null; each = each.parentElement) ancestors.push(each)
  return ancestors
}
