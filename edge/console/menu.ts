/**
 * A menu of actions that opens at a button: the browser's own popover, with the keys that menus have.
 */
import type { Action } from './actions.ts'
import { element, icon } from './element.ts'

/** `onClose` is where the focus goes back to. */
export function openMenu(anchor: HTMLElement, label: string, actions: readonly Action[]): void {
  const menu = element('div', { class: 'menu', role: 'menu', popover: 'auto', 'aria-label': label })
  const items = actions.map((action) => menuItem(action, () => menu.hidePopover()))
  menu.append(...items)
  // On top of everything wherever it stands; within the landmark that it belongs to.
  const landmark = anchor.closest('main') ?? document.body
  landmark.append(menu)
  menu.addEventListener('toggle', () => {
    if (menu.matches(':popover-open')) return
    menu.remove()
    if (document.activeElement === document.body) anchor.focus()
  })
  menu.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, Tab: 0 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    event.stopPropagation()
    if (step === 0) return menu.hidePopover()
    const at = items.findIndex((item) => item === document.activeElement)
    items.at((at + step + items.length) % items.length)?.focus()
  })
  menu.showPopover()
  place(menu, anchor)
  items[0]?.focus()
}

function menuItem({ title, icon: name, href, run, id }: Action, close: () => void): HTMLElement {
  const content = [icon(name), element('span', {}, title)]
  const attributes = { role: 'menuitem', class: `menu-item ${id === 'delete' ? 'menu-item-danger' : ''}`, tabindex: -1 }
  const onclick = (): void => {
    close()
    run?.()
  }
  if (href !== undefined) return element('a', { ...attributes, href, download: true, onclick: close }, ...content)
  return element('button', { ...attributes, type: 'button', onclick }, ...content)
}

/** Below the button and within the window, or above it where there is no room. */
function place(menu: HTMLElement, anchor: HTMLElement): void {
  const at = anchor.getBoundingClientRect()
  const { offsetWidth: width, offsetHeight: height } = menu
  const top = at.bottom + height + 8 > innerHeight ? Math.max(8, at.top - height - 4) : at.bottom + 4
  menu.style.top = `${top}px`
  menu.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`
}
